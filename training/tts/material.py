"""Speech to learn a voice from: sentences said by a synthesiser that tells its phone times.

    python -m training.tts.material OUT --voice festival/slt --sentences 700     # goes on where it stopped

Each clip is one sentence; the benches' sentences are never among them. What the front end and the synthesiser
pronounce differently is left out, so that every phone's time is certain.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from parley.avatars import list_avatars
from parley.engines import Audio, TimedPhone, TtsEngine
from parley.errors import ConfigError
from parley.media.audio import float_to_pcm16, pcm16_to_float
from parley.media.clock import SAMPLE_RATE_HZ
from parley.settings import Settings
from services.tts.bench import SENTENCES as HELD_OUT
from services.tts.config import TtsSettings
from services.tts.engines import load as load_engine
from services.tts.engines.phones import SILENCE, to_cmudict
from services.tts.engines.spoken import tokens
from services.tts.fastpitch.frames import HOP, Floats, frames
from services.tts.fastpitch.phonemes import SIZES, SYMBOLS, Codes, FrontEnd, Phonemes
from services.tts.pacing import stretches
from services.tts.text import normalize
from services.tts.voices import CALIBRATION
from training.data.synthetic_faces.sentences import drawn
from training.llm import wordnet
from training.sda.sentences import SENTENCES
from training.tts import pitch

LONGEST_CHARS = 110
_SILENT = (SYMBOLS.index(SILENCE), 0, 0, 2)


@dataclass(frozen=True, slots=True)
class Clip:
    """A sentence with what there is to know about it.

    Attributes:
        text: Normalised.
        codes: int64 [n, 5], see `services.tts.fastpitch.phonemes`.
        durations: Frames of each phone, int64 [n].
        hertz: Pitch, float32 [frames], 0 where unvoiced.
        audio: float32 [frames * HOP] at 24 kHz.
    """

    text: str
    codes: Codes
    durations: NDArray[np.int64]
    hertz: Floats
    audio: Audio


def texts(seed: int = 1, *, rich: bool = False) -> Iterator[str]:
    """Sentences, no two alike, none of them the benches': written ones, what avatars know, and a grammar's.

    Args:
        seed: Of those drawn.
        rich: WordNet's examples among what avatars know, for words of every kind.

    Raises:
        ConfigError: WordNet is not installed, and asked for.
    """
    kept_back = {normalize(text) for text in (*HELD_OUT, *CALIBRATION.split(". "))}
    random = np.random.default_rng([seed, 0x775])

    def noted() -> Iterator[str]:
        for avatar in list_avatars(Settings().avatars_dir):
            for note in avatar.notes.values():
                for line in note.split("\n"):
                    if line and not line.startswith("#"):
                        line = line.removeprefix("Q: ").replace(". ", ".\n").replace("? ", "?\n")
                        yield from line.split("\n")

    def proposed() -> Iterator[str]:
        yield from SENTENCES
        if rich:
            both = zip_longest(random.permutation(wordnet.examples()), noted())
            yield from (text for text in chain.from_iterable(both) if text is not None)
        yield from noted()
        while True:
            yield drawn(random)

    said = set[str]()
    for text in proposed():
        for part in stretches(normalize(str(text)), short_first=False):
            if 3 < len(part) <= LONGEST_CHARS and part not in kept_back and part not in said:
                said.add(part)
                yield part


def placed(
    read: Phonemes, spoken: Sequence[TimedPhone], length: int
) -> tuple[Codes, NDArray[np.int64]] | None:
    """The phonemes of a clause with their durations in speech; None when other phones were spoken.

    Pauses are where the speech has them: the front end guesses them from punctuation alone.

    Args:
        read: As the model will read the clause.
        spoken: Phones with their ends in samples.
        length: Frames of the speech.

    Returns:
        Codes int64 [n, 5] and frames of each, int64 [n], at least 1, `length` in all.
    """
    wanted = [at for at, symbol in enumerate(read.symbols) if symbol != SILENCE]
    heard = list(_joined(spoken))
    if [to_cmudict(read.symbols[at]) for at in wanted] != [p.symbol for p in heard if p.symbol != SILENCE]:
        return None
    codes, last, at = list[list[int]](), 0, iter(wanted)
    for phone in heard:
        if phone.symbol == SILENCE:
            codes.append([*_SILENT, int(read.codes[last][4])])
        else:
            last = next(at)
            codes.append([int(code) for code in read.codes[last]])
    ends = np.round(np.array([phone.end for phone in heard]) / HOP).astype(np.int64)
    ends[-1] = length
    durations = np.diff(ends, prepend=0)
    if (durations < 1).any():
        return None
    return np.array(codes, np.int64).reshape(-1, len(SIZES)), durations


def _joined(spoken: Sequence[TimedPhone]) -> Iterator[TimedPhone]:
    """Silences in a row as one."""
    for at, phone in enumerate(spoken):
        if not (phone.symbol == SILENCE and at + 1 < len(spoken) and spoken[at + 1].symbol == SILENCE):
            yield phone


def record(text: str, front: FrontEnd, engine: TtsEngine, voice: str) -> Clip | None:
    """`text` said by `voice`; None when the front end would say it otherwise."""
    chunks = list(engine.synthesize(text, voice=voice))
    audio = np.concatenate([chunk.audio for chunk in chunks])
    length = frames(audio)
    phones = [phone for chunk in chunks for phone in chunk.phones]
    found = placed(front.read(tokens(text)), phones, length)
    if found is None:
        return None
    audio = np.pad(audio, (0, length * HOP - len(audio)))
    return Clip(text, *found, pitch.track(audio), audio)


def write(path: Path, clip: Clip) -> None:
    """Keeps a clip, whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        text=np.array(clip.text),
        codes=clip.codes.astype(np.int8),
        durations=clip.durations.astype(np.int16),
        hertz=clip.hertz,
        pcm=np.frombuffer(float_to_pcm16(clip.audio), "<i2"),
    )
    os.replace(part, path)


def read(path: Path) -> Clip:
    """A clip that `write` kept."""
    with np.load(path) as kept:
        return Clip(
            str(kept["text"]),
            kept["codes"].astype(np.int64),
            kept["durations"].astype(np.int64),
            kept["hertz"],
            pcm16_to_float(kept["pcm"].tobytes()),
        )


def load(folder: Path) -> list[Clip]:
    """All clips of a folder, in order.

    Raises:
        ConfigError: There are none.
    """
    clips = [read(path) for path in sorted(folder.glob("[0-9]*[0-9].npz"))]
    if not clips:
        raise ConfigError(
            f"There is no speech in {folder}.", fix=f"Run `python -m training.tts.material {folder}`."
        )
    return clips


def collect(
    out: Annotated[Path, typer.Argument(help="Where to.")],
    voice: Annotated[str, typer.Option(help="Who speaks, as the embedded engine names it.")] = "festival/slt",
    sentences: Annotated[int, typer.Option(help="How many there shall be, with those that are there.")] = 700,
    rich: Annotated[bool, typer.Option(help="Of many words: WordNet's (apt install wordnet-base).")] = False,
) -> None:
    """Record sentences of a synthesiser."""
    out.mkdir(parents=True, exist_ok=True)
    front, kept, seconds = FrontEnd(), 0, 0.0
    with closing(load_engine("embedded", TtsSettings(pool=1))) as engine:
        for number, text in enumerate(texts(rich=rich)):
            if kept == sentences:
                break
            path, unfit = out / f"{number:06d}.npz", out / f"{number:06d}.unfit"
            if unfit.is_file():
                continue
            clip = read(path) if path.is_file() else record(text, front, engine, voice)
            if clip is None:
                unfit.touch()
                continue
            if not path.is_file():
                write(path, clip)
            kept, seconds = kept + 1, seconds + len(clip.audio) / SAMPLE_RATE_HZ
            print(f"\r{kept}/{sentences} sentences, {seconds / 60:.1f} min ", end="", flush=True)
    print()


if __name__ == "__main__":
    typer.run(collect)
