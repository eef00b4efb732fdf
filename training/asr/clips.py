"""What a fine-tune learns from and is measured with: a corpus that was handed over, and new words."""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from parley.engines import Audio
from parley.errors import ConfigError
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import write_wav
from parley.wer import plain_words
from training.data import sound

CARRIERS: Final = (
    "tell me about {}",
    "what is {}",
    "i like {} very much",
    "do you know {}",
    "can you say something about {}",
    "what do you think of {}",
    "{} is what i want to hear about",
    "how do i find {}",
    "is {} good",
    "so {} then",
    "why do people like {}",
    "when did you hear of {}",
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip: float32 [n] at 24 kHz, its words in lower case, and how much it counts."""

    audio: Audio
    text: str
    weight: float = 1.0


def corpus(root: Path) -> tuple[dict[str, list[Clip]], dict[str, str]]:
    """The frozen corpus for the ears: clips by split, and the words that reviewers taught.

    Raises:
        ConfigError: There is none, a split is empty, or a file is not the one that was frozen.
    """
    path = root / "handover" / "manifest.json"
    if not path.is_file():
        raise ConfigError(
            f"{path} is not there: this corpus was not handed over.", fix="Run parley data run."
        )
    manifest = orjson.loads(path.read_bytes())
    found: dict[str, list[Clip]] = {}
    for split in ("train", "dev", "test"):
        file = root / "handover" / f"asr.{split}.jsonl"
        frozen = manifest["files"][file.name]["sha256"]
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != frozen:
            raise ConfigError(
                f"{file} is missing or was changed after it was frozen.", fix="Run parley data run again."
            )
        found[split] = listed(file, root)
        if not found[split]:
            raise ConfigError(
                f"{file} is empty.",
                fix="Review more clips, of three recordings at least, and run parley data run.",
            )
    return found, manifest["lexicon"]


def listed(path: Path, root: Path) -> list[Clip]:
    """The clips of a JSONL file whose paths count from `root`.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return [
        Clip(
            sound.read(root / row["audio"], row["start_s"], row["end_s"], SAMPLE_RATE_HZ),
            " ".join(plain_words(row["text"])),
            float(row["weight"]),
        )
        for row in rows
    ]


def publish(path: Path, clips: Iterable[tuple[Audio, str]]) -> None:
    """Writes clips (float32 [n] at 24 kHz, text) as `listed` reads them: one WAV file, one line a clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pieces, lines, at = [], [], 0
    for number, (audio, text) in enumerate(clips):
        pieces.append(audio)
        lines.append(
            {
                "id": f"{path.stem}-{number}",
                "source": path.stem,
                "audio": path.with_suffix(".wav").name,
                "start_s": at / SAMPLE_RATE_HZ,
                "end_s": (at + len(audio)) / SAMPLE_RATE_HZ,
                "text": text,
                "weight": 1.0,
                "by": "synthesis",
            }
        )
        at += len(audio)
    write_wav(path.with_suffix(".wav"), np.concatenate(pieces))
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))


def spoken_words(
    words: Mapping[str, str], voices: Sequence[str], sentences: int, *, weight: float, seed: int = 1
) -> list[Clip]:
    """New words in carrier sentences, said by the embedded synthesisers with the pronunciations taught.

    Args:
        words: With their ARPAbet pronunciations.
        voices: engine/voice.
        sentences: A word and voice.
        weight: Of each clip.
        seed: Of carriers and tempi.

    Raises:
        EngineUnavailable: A synthesiser or its voice is not installed.
        BadRequest: A pronunciation is not ARPAbet.
    """
    from services.tts.config import TtsSettings
    from services.tts.engines import load
    from services.tts.lexicon import Lexicon

    lexicon, random = Lexicon(dict(words)), np.random.default_rng(seed)
    engines = {name: load(name, TtsSettings()) for name in {voice.split("/")[0] for voice in voices}}
    clips = []
    try:
        for word, voice in itertools.product(words, voices):
            engine, _, name = voice.partition("/")
            for carrier in random.permutation(CARRIERS)[:sentences]:
                text = str(carrier).format(word)
                speed = float(random.uniform(0.85, 1.15))
                chunks = engines[engine].synthesize(lexicon.mark(text), voice=name, speed=speed)
                audio = np.concatenate([chunk.audio for chunk in chunks])
                # Played at another rate: another vocal tract.
                rate = round(SAMPLE_RATE_HZ * float(random.uniform(0.94, 1.07)))
                clips.append(Clip(resample(audio, rate, SAMPLE_RATE_HZ), " ".join(plain_words(text)), weight))
    finally:
        for each in engines.values():
            each.close()
    return clips


def drawn(clips: Sequence[Clip], count: int, random: np.random.Generator) -> list[int]:
    """Indices of `count` clips, each as often as it weighs; none twice while there are enough."""
    weights = np.array([clip.weight for clip in clips])
    enough = int(np.count_nonzero(weights)) >= count
    chosen = random.choice(len(clips), count, replace=not enough, p=weights / weights.sum())
    return [int(index) for index in chosen]


def repeated(held_out: Iterable[Clip], learnt: Iterable[Clip]) -> int:
    """How many held-out clips say, word for word, what is also learnt from: those flatter a fine-tune."""
    known = {clip.text for clip in learnt}
    return sum(clip.text in known for clip in held_out)


def seconds(clips: Iterable[Clip]) -> float:
    """How long they are together."""
    return sum(len(clip.audio) for clip in clips) / SAMPLE_RATE_HZ


def reweighted(clips: Iterable[Clip], weight: float) -> list[Clip]:
    """The same clips, each of this weight."""
    return [replace(clip, weight=weight) for clip in clips]
