"""How well ears hear: through the engine that serves, on held-out clips and on general speech."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from parley.engines import AsrEngine
from parley.media.clock import SAMPLE_RATE_HZ
from parley.wer import plain_words
from services.asr.transcribe import transcribe
from training.asr.clips import Clip

PAUSE_SAMPLES = SAMPLE_RATE_HZ * 3 // 10  # before and after a clip: the ears hear speech out of silence


@dataclass(frozen=True, slots=True)
class Score:
    """Errors over a set of clips.

    Attributes:
        wer: Word error rate, 0…1 and more.
        cer: Character error rate.
        lexicon: Errors in words of the lexicon (not heard, or heard where they are not) by how often they
            are said; None: none is.
        clips: How many.
        words: How many.
        lexicon_words: Of the lexicon's.
    """

    wer: float
    cer: float
    lexicon: float | None
    clips: int
    words: int
    lexicon_words: int

    def told(self) -> str:
        """For people."""
        lexicon = "" if self.lexicon is None else f", lexicon {self.lexicon:.1%} of {self.lexicon_words}"
        return f"WER {self.wer:.1%} of {self.words}, CER {self.cer:.1%}{lexicon}"

    def row(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)


def score(said: Sequence[str], heard: Sequence[str], lexicon: Collection[str] = ()) -> Score:
    """Errors of `heard` against `said`.

    Args:
        said: Texts.
        heard: What was heard for each.
        lexicon: Words, or several, that are counted on their own.
    """
    new = {word for entry in lexicon for word in plain_words(entry)}
    errors = words = letters_off = letters = lexicon_errors = lexicon_words = 0
    for truth, guess in zip(said, heard, strict=True):
        wanted, got = plain_words(truth), plain_words(guess)
        operations = Levenshtein.editops(wanted, got)
        errors, words = errors + len(operations), words + len(wanted)
        letters_off += Levenshtein.distance(" ".join(wanted), " ".join(got))
        letters += len(" ".join(wanted))
        lexicon_words += sum(word in new for word in wanted)
        for operation in operations:
            lost = operation.tag != "insert" and wanted[operation.src_pos] in new
            added = operation.tag != "delete" and got[operation.dest_pos] in new
            lexicon_errors += lost or added
    return Score(
        round(errors / max(words, 1), 4),
        round(letters_off / max(letters, 1), 4),
        round(lexicon_errors / lexicon_words, 4) if lexicon_words else None,
        len(said),
        words,
        lexicon_words,
    )


def judge(
    engine: AsrEngine, clips: Sequence[Clip], lexicon: Mapping[str, str], *, expecting: bool = False
) -> Score:
    """What `engine` makes of `clips`, in a quiet room with 0.3 s around each.

    Args:
        engine: The ears, as they are served.
        clips: Held out.
        lexicon: Words that are counted on their own, with their pronunciations.
        expecting: The session is told to expect them.
    """
    words = lexicon if expecting else None
    heard = [
        transcribe(engine, np.pad(clip.audio, PAUSE_SAMPLES), SAMPLE_RATE_HZ, lexicon=words).text
        for clip in clips
    ]
    return score([clip.text for clip in clips], heard, lexicon)


def words_in(texts: Sequence[str], lexicon: Collection[str]) -> set[str]:
    """The entries of a lexicon that are said in `texts`."""
    return {
        entry for entry in lexicon
        if any(re.search(rf"(?<![\w']){re.escape(entry)}(?!\w)", text, re.IGNORECASE) for text in texts)
    }  # fmt: skip
