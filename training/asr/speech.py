"""Sentences said by many synthetic voices, kept on disk: what a small Whisper learns to hear from.

A folder holds shards of clips; making one that is there already costs nothing, so a run that was stopped goes
on. Same seed, same clips.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from parley.engines import Audio
from parley.media.audio import float_to_pcm16, pcm16_to_float
from parley.media.clock import SAMPLE_RATE_HZ
from training.data.synthetic_faces.voices import VOICES, say

# Never learnt from: what an unknown voice costs is measured with these.
UNSEEN: Final = ("espeak:en-us+m3", "espeak:en+f4")
# The made-up subject's: it says nothing else, so that general speech shows no gain from its fine-tune.
SUBJECT: Final = "flite:awb"
# Festival's voice is flite's slt again, ten times as slow to make.
SEEN: Final = tuple(
    voice for voice in VOICES if voice not in (*UNSEEN, SUBJECT) and not voice.startswith("festival:")
)
_SHARD: Final = 250
_WORKERS: Final = 3


@dataclass(frozen=True, slots=True)
class Spoken:
    """One clip.

    Attributes:
        audio: float32 [n] at 24 kHz.
        text: Its words in lower case.
        voice: Who says it.
        phones: What is heard when: each with its end, in samples.
    """

    audio: Audio
    text: str
    voice: str
    phones: tuple[tuple[str, int], ...]


def cast(count: int, voices: Sequence[str], seed: int) -> list[str]:
    """Who says each of `count` sentences: two in three by flite's voices, whose sound is a person's."""
    random = np.random.default_rng([seed, 7])
    groups = [[v for v in voices if v.startswith("flite:")], [v for v in voices if v.startswith("espeak:")]]
    groups = [group for group in groups if group]
    return [str(random.choice(groups[int(random.integers(3)) % len(groups)])) for _ in range(count)]


def collect(folder: Path, texts: Sequence[str], voices: Sequence[str], *, seed: int = 1) -> list[Spoken]:
    """The clips of `folder`: those that are missing are made, in order.

    Args:
        folder: Where they are kept; one folder, one list of texts.
        texts: One a clip.
        voices: As `training.data.synthetic_faces.voices.say` names them; each clip draws one.
        seed: Of voices, tempi, pitches.

    Raises:
        EngineUnavailable: A synthesiser is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs = list(zip(texts, cast(len(texts), voices, seed), strict=True))
    shards = {folder / f"{n:06}.npz": (n, pairs[n : n + _SHARD]) for n in range(0, len(pairs), _SHARD)}
    missing = {path: job for path, job in shards.items() if not (path.is_file() and _holds(path, job[1]))}
    if len(missing) > 1:  # synthesisers mostly wait for processes of their own
        with ProcessPoolExecutor(_WORKERS, get_context("spawn")) as pool:
            made = pool.map(partial(_make, seed=seed), missing, *zip(*missing.values(), strict=True))
            for number, _ in enumerate(made, 1):
                print(f"\r{folder}: {number}/{len(missing)} shards ", end="", flush=True)
    else:
        for path, (first, wanted) in missing.items():
            _make(path, first, wanted, seed=seed)
    return [clip for path in shards for clip in _read(path)]


def _make(path: Path, first: int, wanted: Sequence[tuple[str, str]], *, seed: int) -> None:
    pieces, about = [], []
    for number, (text, voice) in enumerate(wanted, first):
        audio, phones = say(voice, text, np.random.default_rng([seed, number]))
        start, end = _speech(audio)
        pieces.append(np.frombuffer(float_to_pcm16(audio[start:end]), "<i2"))
        about.append((text, voice, [(phone.symbol, phone.end - start) for phone in phones]))
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        pcm=np.concatenate(pieces),
        lengths=np.array([len(piece) for piece in pieces]),
        about=np.frombuffer(orjson.dumps(about), np.uint8),
    )
    os.replace(part, path)


def _speech(audio: Audio, *, keep_s: float = 0.1) -> tuple[int, int]:
    """Where the speech is, and a tenth of a second around it."""
    loud = np.flatnonzero(np.abs(audio) > 0.005)
    if not len(loud):
        return 0, len(audio)
    keep = round(keep_s * SAMPLE_RATE_HZ)
    return max(int(loud[0]) - keep, 0), int(loud[-1]) + keep


def _holds(path: Path, wanted: Sequence[tuple[str, str]]) -> bool:
    with np.load(path) as shard:
        about: NDArray[np.uint8] = shard["about"]
        return [tuple(row[:2]) for row in orjson.loads(about.tobytes())] == list(wanted)


def _read(path: Path) -> Iterator[Spoken]:
    with np.load(path) as shard:
        pcm, lengths, about = shard["pcm"], shard["lengths"], orjson.loads(shard["about"].tobytes())
    ends = np.cumsum(lengths)
    for (text, voice, phones), start, end in zip(about, ends - lengths, ends, strict=True):
        audio = pcm16_to_float(pcm[start:end].tobytes())
        yield Spoken(audio, text, voice, tuple((symbol, at) for symbol, at in phones))
