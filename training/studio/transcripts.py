"""A person's own transcript of a recording, laid over the recording's clips.

Subtitles (.srt, .vtt) have times: their words go where their times fall. Plain text has none: its words are
aligned with what the engine heard, and go to the clip of the words that they match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import pysubs2
from rapidfuzz.distance import Levenshtein

from parley.errors import BadRequest
from training.studio.words import normalised

_FORMATS = {".srt": "srt", ".vtt": "vtt"}
_LEAST_MATCH = 0.3  # share of a clip's heard words that must be in the transcript at its place
_MOST_GROWTH = 3.0  # times the heard words: more belongs to speech that is in no clip


@dataclass(frozen=True, slots=True)
class Slot:
    """A clip to be filled: id, ends in seconds on the recording's clock, and what the engine heard."""

    clip: str
    start_s: float
    end_s: float
    heard: str


def lay(filename: str, content: str, slots: Sequence[Slot]) -> dict[str, str]:
    """Texts by clip id; clips for which the transcript has nothing that fits are left out.

    Args:
        filename: its ending tells the format.
        content: the file's text.
        slots: the recording's clips in the order of time.

    Raises:
        BadRequest: the ending is unknown, or the content is not what the ending says.
    """
    ending = PurePath(filename).suffix.lower()
    if ending == ".txt":
        return by_words(content.split(), slots)
    if ending not in _FORMATS:
        raise BadRequest(f"{filename!r} is no transcript that is known here.", fix="Use .txt, .srt or .vtt.")
    try:
        cues = pysubs2.SSAFile.from_string(content, format_=_FORMATS[ending])
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise BadRequest(f"{filename!r} cannot be read as {ending}: {error}") from error
    timed = [
        (cue.start / 1000, cue.end / 1000, cue.plaintext.split())
        for cue in cues
        if not cue.is_comment and cue.plaintext.strip()
    ]
    if not timed:
        raise BadRequest(f"{filename!r} has no subtitles in it.", fix="Check the file, or import it as .txt.")
    return by_times(timed, slots)


def by_times(cues: Sequence[tuple[float, float, list[str]]], slots: Sequence[Slot]) -> dict[str, str]:
    """Words spread evenly, by letters, over their cue; each goes to the clip in which its middle falls.

    Args:
        cues: (start_s, end_s, words), on the recording's clock.
        slots: clips that do not overlap.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for start, end, words in sorted(cues, key=lambda cue: cue[:2]):
        letters = sum(len(word) + 1 for word in words)
        passed = 0
        for word in words:
            middle = start + (end - start) * (passed + (len(word) + 1) / 2) / letters
            passed += len(word) + 1
            for slot in slots:
                if slot.start_s <= middle < slot.end_s:
                    found[slot.clip].append(word)
                    break
    return {clip: " ".join(words) for clip, words in found.items()}


def by_words(words: Sequence[str], slots: Sequence[Slot]) -> dict[str, str]:
    """Words aligned with the heard ones by the least number of edits (Levenshtein over words).

    Words that were not heard go with the heard word before them. A clip in which too little matches, or
    which would get far more words than were heard in it, is left out: its speech is not in the transcript, or
    speech that was cut away is.
    """
    heard = [(slot.clip, normalised(word)) for slot in slots for word in slot.heard.split()]
    if not heard:
        return {}
    given = [normalised(word) for word in words]
    texts: dict[str, list[str]] = defaultdict(list)
    matched: dict[str, int] = defaultdict(int)
    totals: dict[str, int] = defaultdict(int)
    for clip, _ in heard:
        totals[clip] += 1
    for step in Levenshtein.opcodes([word for _, word in heard], given):
        for offset in range(step.dest_end - step.dest_start):
            at = step.src_start + (offset if step.tag in ("equal", "replace") else -1)
            clip = heard[min(max(at, 0), len(heard) - 1)][0]
            texts[clip].append(words[step.dest_start + offset])
            matched[clip] += step.tag == "equal"
    return {
        clip: " ".join(found)
        for clip, found in texts.items()
        if matched[clip] >= _LEAST_MATCH * totals[clip] and len(found) <= _MOST_GROWTH * totals[clip]
    }
