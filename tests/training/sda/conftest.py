"""Tiny prepared clips whose mouth opens with the loudness of a tone: enough for a step to learn from."""

import json
from pathlib import Path

import numpy as np
import pytest

from parley.media.clock import FRAME_SAMPLES
from training.data.synthetic_faces.performance import PARAMETERS
from training.sda.config import Config, Model, Steps
from training.sda.faces import KEPT

SIZE, FRAMES = 32, 60


def write_clip(folder: Path, number: int, split: str) -> None:
    """A grey square with a dark bar that opens with the sound."""
    random = np.random.default_rng(number)
    opened = (0.5 + 0.5 * np.sin(np.arange(FRAMES) * random.uniform(0.3, 0.9))).astype(np.float32)
    opened *= random.random(FRAMES).astype(np.float32) * 0.3 + 0.7
    pictures = np.full((FRAMES, SIZE, SIZE, 3), 120 + 10 * (number % 5), np.uint8)
    for t in range(FRAMES):
        pictures[t, 21 : 22 + round(6 * opened[t]), 11:21] = 20
    tone = np.sin(2 * np.pi * 440 * np.arange(FRAMES * FRAME_SAMPLES) / 24000)
    parameters = np.zeros((FRAMES, len(PARAMETERS)), np.float32)
    parameters[:, 0] = opened
    np.save(folder / f"{number:06d}.npy", pictures)
    np.savez(
        folder / f"{number:06d}.npz",
        pcm=(tone * np.repeat(opened, FRAME_SAMPLES) * 12000).astype(np.int16),
        landmarks=np.full((FRAMES, len(KEPT), 2), 0.6, np.float16),
        parameters=parameters,
        about=json.dumps({"split": split, "identity": "seed-1", "voice": "tone", "text": ""}),
    )


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of such clips."""
    folder = tmp_path_factory.mktemp("faces")
    for number in range(9):
        write_clip(folder, number, "train")
    write_clip(folder, 11, "test")
    return folder


@pytest.fixture
def config(material: Path, tmp_path: Path) -> Config:
    """A run of a few steps."""
    return Config(
        faces=material,
        speech=material,
        out=tmp_path / "run",
        batch=2,
        frames=6,
        bf16=False,
        model=Model(size=SIZE, widths=(24, 16, 16), audio=24, identity=8, latent=32),
        steps=Steps(visemes=2, gauges=2, reconstruct=2, adversarial=2),
    )
