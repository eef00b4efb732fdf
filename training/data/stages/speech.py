"""Stage 3a, speech: where somebody speaks, and what the voices are like, per recording.

Silero VAD as the live ears have it, then a speaker embedding of 1.6 s every 0.4 s of speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from services.asr.vad import VoiceDetector, load_vad
from training.data import encoders, sound
from training.data.speaker_encoder import RATE_HZ, WINDOW_S
from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "speech"
VERSION = 2
AFTER = ("filter",)


class Config(BaseModel):
    """Settings.

    Attributes:
        threshold: probability that counts as speech.
        encoder: speaker embedding model: empty: the bundled one; else see `encoders.load`. Its cosines are
            others: `speakers` needs other thresholds with it.
        hop_s: between embeddings.
        shortest_s: stretches of speech below are left out: a cough, a click.
        min_speech_s: a recording with less speech is turned down.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = 0.5
    encoder: str = ""
    hop_s: float = 0.4
    shortest_s: float = 0.3
    min_speech_s: float = 2.0


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    wav = work.path(item["audio"])
    detector = VoiceDetector(load_vad(), threshold=config.threshold)
    segments: list[tuple[float, float]] = []
    begun: int | None = None
    position = 0
    for piece in sound.pieces(wav, RATE_HZ):
        for step in detector.push(piece):
            begun = step.started if step.started is not None else begun
            if step.stopped is not None and begun is not None:
                segments.append((begun / RATE_HZ, step.stopped / RATE_HZ))
                begun = None
        position += len(piece)
    if begun is not None:
        segments.append((begun / RATE_HZ, position / RATE_HZ))
    segments = [(a, b) for a, b in segments if b - a >= config.shortest_s]
    spoken_s = sum(b - a for a, b in segments)
    if spoken_s < config.min_speech_s:
        raise Rejected("no speech", f"{spoken_s:.1f} s")
    encoder = encoders.load(config.encoder)
    embeddings, starts, ends = [], [], []
    for a, b in segments:
        audio = sound.read(wav, a, b, RATE_HZ)
        offsets = window_starts(b - a, config.hop_s)
        embeddings.append(encoder.windows(filled(audio), offsets))
        starts += [a + float(offset) for offset in offsets]
        ends += [min(b, a + float(offset) + WINDOW_S) for offset in offsets]
    with work.blob(".npz") as blob, blob.aside.open("wb") as file:
        np.savez(
            file,
            embeddings=np.concatenate(embeddings).astype(np.float16),
            starts=np.array(starts, np.float32),
            ends=np.array(ends, np.float32),
        )
    kept = {name: item[name] for name in ("id", "title", "audio", "video", "scenes", "media_s")}
    speech = [[round(a, 3), round(b, 3)] for a, b in segments]
    found = {"speech": speech, "spoken_s": round(spoken_s, 3), "voices": blob.name, "encoder": config.encoder}
    return [{**kept, **found}]


def window_starts(length_s: float, hop_s: float) -> NDArray[np.float64]:
    """Where windows begin in a stretch of speech: every hop, and one that ends with it."""
    last = max(0.0, length_s - WINDOW_S)
    return np.append(np.arange(0, last, hop_s), last)


def filled(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """A stretch shorter than a window, said again until it fills one: its neighbours may be other people."""
    need = round(WINDOW_S * RATE_HZ)
    return audio if len(audio) >= need else np.tile(audio, -(-need // max(1, len(audio))))[:need]
