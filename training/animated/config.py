"""Everything that a run of the animated face can be told, strictly: a mistyped field fails at once."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from training.strict import StageSteps, Strict, read_config

Stage = Literal["base", "drawn", "moving", "video"]
STAGES: tuple[Stage, ...] = ("base", "drawn", "moving", "video")


class Model(Strict):
    """Sizes of the generator.

    Attributes:
        size: Of the picture, pixels.
        widths: Channels at 4, 8, 16, … pixels; the last stage is shuffled up to `size`.
        convolutions: At each of those sizes.
        style: Width of a style.
        z: Width of the noise that characters are drawn from.
        audio: Width of the audio encoder; the realistic face's, whose weights it starts from.
        noise: Width of the noise that spontaneous motion grows from.
        stir: Width of what sound says beyond the mouth's controls.
        motion: Width of a frame's motion, before it becomes styles.
    """

    size: int = 256
    widths: tuple[int, ...] = (96, 96, 96, 64, 48)
    convolutions: tuple[int, ...] = (1, 1, 2, 2, 2)
    style: int = 128
    z: int = 64
    audio: int = 112
    noise: int = 8
    stir: int = 16
    motion: int = 96

    @property
    def layers(self) -> int:
        """Styled convolutions."""
        return sum(self.convolutions)


class Weights(Strict):
    """Of the losses; 0 leaves a part out.

    Attributes:
        painted: Pixels of the whole generated picture.
        shown: Pixels of what is shown: the picture where it is painted, the still elsewhere.
        lips: Distance of the mouth's landmarks, as the reader of renders sees them.
        offset: How far a layer's style may be from the character's one style.
        visemes: Mouth controls read from the audio encoder.
        motion: Change from frame to frame about the mouth.
        frame: What the judge of single pictures says.
        sequence: What the judge of video says.
        sync: What the judge of sound and mouth says.
        latent: What the judge of styles says of the mapping network's.
        contours: Differences of neighbouring pixels, without which edges are soft.
        likeness: What a photo's styles tell of the drawn self.
        portrait: What the judge of single pictures says of whole ones.
    """

    painted: float = 1.0
    shown: float = 1.0
    lips: float = 0.05
    offset: float = 0.002
    visemes: float = 0.2
    motion: float = 1.0
    frame: float = 0.01
    sequence: float = 0.01
    sync: float = 0.02
    latent: float = 0.1
    contours: float = 1.0
    likeness: float = 1.0
    portrait: float = 0.02


class Steps(StageSteps):
    """Optimiser steps of each stage, and from which share of them on the judges are heard.

    Attributes:
        judged_from: In the stages that learn pictures.
        watched_from: In stage `video`, which begins with pictures that are learnt.
    """

    base: int = 1500
    drawn: int = 6000
    moving: int = 6000
    video: int = 2500
    judged_from: float = Field(default=0.4, ge=0, le=1)
    watched_from: float = Field(default=0.1, ge=0, le=1)


class Rates(Strict):
    """Adam's learning rates; the generator's falls over the last 40 % of a stage."""

    generator: float = 8e-4
    motion: float = 2.5e-3
    judges: float = 4e-4
    audio: float = 1e-4


class Config(Strict):
    """A run.

    Attributes:
        heads: Realistic heads (training.animated.heads), for the base.
        speech: Speech with mouth targets (training.sda.speech).
        voice: Weights of the realistic face, whose audio encoder is taken over.
        reader: Network that reads renders' parameters (training.animated.reader).
        out: Checkpoints, TensorBoard events.
        start_from: Checkpoint of another run that this one goes on from; None: from nothing.
        stages: Which are done.
        avatars: Share of a default avatar in what the stages `moving` and `video` learn from.
        batch: Pictures a step (a quarter as many clips in stage `video`).
        frames: Consecutive frames of a clip.
        frozen: Blocks of the frame judge, from the picture on, that fine-tuning leaves as they are.
        r1: Weight of R1.
        r1_every: Steps between R1 (lazy regularisation).
        ada_target: What the share of real pictures that the judge is sure of is held at.
        kept: Places like "drawn-150" at which a copy of the checkpoint stays, for comparisons.
        ema: Decay of the averaged generator, which is what is exported.
    """

    heads: Path
    speech: Path
    voice: Path
    reader: Path
    out: Path
    seed: int = 1
    start_from: Path | None = None
    stages: tuple[Stage, ...] = STAGES
    avatars: float = Field(default=0.6, ge=0, le=1)
    batch: int = 8
    frames: int = Field(default=8, ge=5)
    frozen: int = 2
    r1: float = 2.0
    r1_every: int = 16
    ada_target: float = 0.6
    bf16: bool = True
    ema: float = 0.998
    threads: int = 1
    kept: tuple[str, ...] = ()
    save_every: int = 200
    show_every: int = 400
    model: Model = Model()
    weights: Weights = Weights()
    steps: Steps = Steps()
    rates: Rates = Rates()


def load(path: Path) -> Config:
    """Reads a YAML file.

    Raises:
        ConfigError: It is missing or wrong; the message says where.
    """
    return read_config(Config, path)
