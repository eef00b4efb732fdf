"""A subject's corpus, as the data tool hands it over, to what the voice's trainer reads.

    parley data run training/configs/SUBJECT.yaml
    python -m training.tts.corpus SUBJECT_FOLDER data/tts/ada --avatar ada
    parley train tts CONFIG        # `speech: data/tts/ada`, `held_out:` as this tells

The phones are those that the front end reads in the corrected text, with the words that reviewers taught;
pocketsphinx finds when each is spoken. What does not fit the sound is left out. The clips of dev and test
recordings come last: they are the trainer's held-out ones. Goes on where it stopped.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer

from parley import consent
from parley.engines import Audio
from parley.errors import ConfigError
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.settings import Settings
from services.tts.engines.phones import SILENCE, to_cmudict
from services.tts.engines.spoken import MAX_CHARS, tokens
from services.tts.fastpitch.frames import HOP, frames
from services.tts.fastpitch.phonemes import FrontEnd, Phonemes
from services.tts.lexicon import Lexicon
from services.tts.text import normalize
from training.data import forced, sound
from training.data.stages.handover import SPLITS
from training.data.workspace import Rejected
from training.sda.corpus import timed_phones
from training.tts import pitch
from training.tts.material import Clip, placed, read, write

POOREST = -25.0  # mean acoustic score a frame below which a text is not what is said; right ones: -12 to -18


def words_in(read: Phonemes) -> list[list[str]]:
    """The phones of each word, ARPAbet without stress."""
    words: list[list[str]] = [[]]
    for symbol, code in zip(read.symbols, read.codes, strict=True):
        if symbol != SILENCE:
            words[-1].append(to_cmudict(symbol))
        if code[3] and words[-1]:
            words.append([])
    return words if words[-1] else words[:-1]


def clip_of(audio: Audio, text: str, front: FrontEnd, lexicon: Lexicon) -> Clip:
    """A clip of speech, float32 [n] at 24 kHz, with its phones' times and its pitch.

    Raises:
        Rejected: The text does not fit the sound; the message says how.
    """
    said = lexicon.mark(normalize(text))
    if len(said) > MAX_CHARS:
        raise Rejected(f"longer than {MAX_CHARS} characters")
    told = front.read(tokens(said))
    found = forced.align_phones(resample(audio, SAMPLE_RATE_HZ, forced.RATE_HZ), words_in(told))
    if found.score < POOREST:
        raise Rejected(f"the text fits the sound badly ({found.score:.0f})")
    length = frames(audio)
    phones = timed_phones([phone for word in found.words for phone in word.phones], length * HOP)
    if phones[0].symbol != SILENCE or (fits := placed(told, phones, length)) is None:
        raise Rejected("a phone is too short, or speech begins at once")
    audio = np.pad(audio, (0, length * HOP - len(audio)))
    return Clip(normalize(text), *fits, pitch.track(audio), audio)


def rows_of(corpus: Path) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, str]]:
    """All lines with their splits, those of train first, and the words taught.

    Raises:
        ConfigError: There is no corpus, or it is not the one that was frozen.
    """
    path = corpus / "handover" / "manifest.json"
    if not path.is_file():
        raise ConfigError(f"{corpus} was not handed over.", fix="parley data run CONFIG")
    manifest = orjson.loads(path.read_bytes())
    rows: list[tuple[str, dict[str, Any]]] = []
    for split in sorted(SPLITS, key=lambda name: name != "train"):
        data = (corpus / "handover" / f"tts.{split}.jsonl").read_bytes()
        if hashlib.sha256(data).hexdigest() != manifest["files"][f"tts.{split}.jsonl"]["sha256"]:
            raise ConfigError(
                f"tts.{split}.jsonl was changed after it was frozen.", fix="parley data run CONFIG"
            )
        rows += [(split, orjson.loads(line)) for line in data.splitlines()]
    return rows, manifest["lexicon"]


def clips(corpus: Path, out: Path) -> Iterator[tuple[str, str]]:
    """Writes the clips of a corpus; yields of each its split, and why it was left out or ""."""
    rows, lexicon = rows_of(corpus)
    front, known = FrontEnd(), Lexicon(lexicon)
    for number, (split, row) in enumerate(rows):
        path, unfit = out / f"{number:06d}.npz", out / f"{number:06d}.unfit"
        reason = unfit.read_text(encoding="utf-8") if unfit.is_file() else ""
        if not reason and not path.is_file():
            heard = sound.read(corpus / row["audio"], row["start_s"], row["end_s"], SAMPLE_RATE_HZ)
            try:
                write(path, clip_of(heard, row["text"], front, known))
            except Rejected as error:
                reason = f"{row['id']}: {error}"
                unfit.write_text(reason, encoding="utf-8")
        yield split, reason


def main(
    corpus: Annotated[Path, typer.Argument(help="The subject's folder, with `handover` in it.")],
    out: Annotated[Path, typer.Argument(help="Where to; a folder for this corpus alone.")],
    avatar: Annotated[str, typer.Option(help="Whose voice: the avatar with the consent record.")] = "",
    nobody: Annotated[bool, typer.Option("--nobody", help="It is a synthesiser's voice.")] = False,
) -> None:
    """Make a voice's training material of a subject's corpus.

    Raises:
        ConfigError: There is no corpus, or nothing in it can be used, or nobody is said to have agreed.
        ConsentMissing: The person did not agree to a voice of theirs.
    """
    if bool(avatar) == nobody:
        raise ConfigError(
            "Whose voice is it?", fix="--avatar NAME, who agreed (parley consent), or --nobody."
        )
    if avatar:
        consent.require(Settings().avatars_dir / avatar, "voice")
    out.mkdir(parents=True, exist_ok=True)
    held_out = used = 0
    for split, reason in clips(corpus, out):
        used += not reason
        held_out += not reason and split != "train"
        if reason:
            print(f"left out: {reason}")
    if not used - held_out or not held_out:
        raise ConfigError(
            f"{used - held_out} clips to learn from and {held_out} held-out ones are too few.",
            fix="Review more clips, of three recordings at least, and run parley data run.",
        )
    minutes = sum(len(read(path).audio) for path in out.glob("*[0-9].npz")) / SAMPLE_RATE_HZ / 60
    print(
        f"{used} clips, {minutes:.1f} min, in {out}; the last {held_out} are held out: `held_out: {held_out}`"
    )


if __name__ == "__main__":
    typer.run(main)
