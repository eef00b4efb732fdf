"""Everything that a training run can be told, strictly: a mistyped field fails at once."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.strict import StageSteps, Strict, read_config

Stage = Literal["visemes", "gauges", "reconstruct", "adversarial"]
STAGES: tuple[Stage, ...] = ("visemes", "gauges", "reconstruct", "adversarial")


class Model(Strict):
    """Sizes of the generator.

    Attributes:
        size: Of the aligned face, pixels.
        widths: Channels of the decoder at 4, 8, 16, … pixels; the last stage is shuffled up to `size`.
        convolutions: A stage of the decoder.
        audio: Width of the audio encoder.
        noise: Width of the noise that spontaneous motion grows from.
        identity: Width of the identity code.
        latent: Width of what the decoder is told of a frame.
    """

    size: int = 128
    widths: tuple[int, ...] = (192, 160, 96, 48)
    convolutions: int = Field(default=2, ge=1)
    audio: int = 112
    noise: int = 8
    identity: int = 48
    latent: int = 192


class Weights(Strict):
    """Of the losses (arXiv 1906.06337 has 1, 0.2, 0.8 and 600 on other scales); 0 leaves a part out.

    Attributes:
        l1: Pixels, weighted by region.
        motion: Change from frame to frame about the mouth.
        visemes: Mouth controls read from the audio encoder.
        frame: What the frame discriminator says.
        sequence: What the sequence discriminator says.
        sync: What the synchronisation discriminator says.
    """

    l1: float = 1.0
    motion: float = 1.0
    visemes: float = 0.2
    frame: float = 0.01
    sequence: float = 0.01
    sync: float = 0.02


class Regions(Strict):
    """How much more an error counts in the lower half, about the mouth, and about the eyes in a blink."""

    lower: float = 2.0
    mouth: float = 8.0
    blink: float = 8.0


class Steps(StageSteps):
    """Optimiser steps of each stage."""

    visemes: int = 2000
    gauges: int = 2500
    reconstruct: int = 10_000
    adversarial: int = 18_000


class Rates(Strict):
    """Adam's learning rates; the generator's falls over the last 40 % of all its steps."""

    visemes: float = 2e-3
    gauges: float = 1e-3
    generator: float = 4e-4
    discriminators: float = 2e-4


class Config(Strict):
    """A run.

    Attributes:
        faces: Prepared clips (training.sda.prepare).
        speech: Speech with mouth targets (training.sda.speech).
        out: Checkpoints, TensorBoard events.
        identity: Train on one identity's clips alone, e.g. "mira": a per-avatar fine-tune.
        start_from: Checkpoint whose weights a fine-tune starts with.
        batch: Clips a step and process.
        frames: Consecutive frames of each.
        blink_share: Of windows chosen because there is a blink in them.
        bf16: Automatic mixed precision.
        ema: Decay of the averaged generator, which is what is exported.
        loaders: Processes that make batches ahead of time; 0 makes them in turn. Changes nothing else.
        save_every: Steps between checkpoints.
        show_every: Steps between sample strips and held-out metrics.
    """

    faces: Path
    speech: Path
    out: Path
    seed: int = 1
    identity: str = ""
    start_from: Path | None = None
    batch: int = 4
    frames: int = Field(default=8, ge=5)
    blink_share: float = 0.2
    bf16: bool = True
    ema: float = 0.999
    threads: int = 1
    loaders: int = Field(default=0, ge=0)
    save_every: int = 500
    show_every: int = 500
    model: Model = Model()
    weights: Weights = Weights()
    regions: Regions = Regions()
    steps: Steps = Steps()
    rates: Rates = Rates()


def load(path: Path) -> Config:
    """Reads a YAML file.

    Raises:
        ConfigError: It is missing or wrong; the message says where.
    """
    return read_config(Config, path)
