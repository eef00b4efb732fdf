"""Everything that a run of the voice's trainer can be told, strictly: a mistyped field fails at once."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.strict import StageSteps, Strict

Stage = Literal["acoustic", "vocoder", "generated"]
STAGES: tuple[Stage, ...] = ("acoustic", "vocoder", "generated")


class AcousticSize(Strict):
    """Of the acoustic model: width, and blocks of the encoder and the decoder."""

    width: int = 128
    encoder: int = 3
    decoder: int = 4


class VocoderSize(Strict):
    """Of the vocoder: width, blocks, and points at which each filter is given (interpolated to all bins)."""

    width: int = 128
    blocks: int = 4
    points: int = Field(default=129, ge=33)


class Steps(StageSteps):
    """Optimiser steps of each stage."""

    acoustic: int = 1500
    vocoder: int = 1200
    generated: int = 300


class Rates(Strict):
    """Adam's learning rates at the beginning of each stage; they fall to a twentieth along a cosine."""

    acoustic: float = 3e-3
    vocoder: float = 2e-3
    generated: float = 5e-4
    judge: float = 5e-4


class Config(Strict):
    """A run.

    Attributes:
        speech: Speech with phone times (training.tts.material).
        out: Checkpoints, TensorBoard events.
        voice: What the exported voice is called.
        start_from: Checkpoint of another voice that this one begins as: a fine-tune.
        batch: Sentences of a step of the acoustic model.
        pieces: Stretches of speech of a step of the vocoder.
        piece_frames: Length of each.
        adversarial: Weight of the spectrogram judge from the middle of the vocoder's stage on; 0: none.
        ema: Decay of the averaged networks, which are what is exported.
        held_out: Sentences at the end of the material that are never trained on.
        save_every: Steps between checkpoints.
        show_every: Steps between samples and held-out figures.
    """

    speech: Path
    out: Path
    voice: str = Field(pattern=r"^[a-z0-9_-]+$")
    seed: int = 1
    start_from: Path | None = None
    batch: int = 8
    pieces: int = 12
    piece_frames: int = Field(default=48, ge=16)
    adversarial: float = Field(default=0.0, ge=0)
    ema: float = 0.99
    held_out: int = Field(default=12, ge=1)
    threads: int = 1
    save_every: int = 200
    show_every: int = 300
    acoustic: AcousticSize = AcousticSize()
    vocoder: VocoderSize = VocoderSize()
    steps: Steps = Steps()
    rates: Rates = Rates()
