"""A run of a few steps on a tiny model; speech whose mouth opens with a tone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from parley.media.clock import FRAME_SAMPLES
from parley.settings import REPOSITORY
from training.animated import material
from training.animated.config import Config, Model, Steps
from training.animated.reader import Reader
from training.data.synthetic_faces.performance import PARAMETERS

FRAMES = 40


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of prepared speech."""
    folder = tmp_path_factory.mktemp("speech")
    for number in range(4):
        random = np.random.default_rng(number)
        opened = (0.5 + 0.5 * np.sin(np.arange(FRAMES) * random.uniform(0.3, 0.9))).astype(np.float32)
        tone = np.sin(2 * np.pi * 440 * np.arange(FRAMES * FRAME_SAMPLES) / 24000)
        parameters = np.zeros((FRAMES, len(PARAMETERS)), np.float32)
        parameters[:, 0] = opened
        split = "test" if number == 3 else "train"
        np.savez(
            folder / f"{number}.npz",
            pcm=(tone * np.repeat(opened, FRAME_SAMPLES) * 12000).astype(np.int16),
            parameters=parameters,
            about=json.dumps({"split": split, "identity": "seed-1", "voice": "tone", "text": ""}),
        )
    return folder


@pytest.fixture
def config(speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A run of a few steps; its realistic heads are flat colours."""
    random = np.random.default_rng(1)
    flat = random.integers(0, 255, (6, 1, 1, 3), np.uint8).repeat(128, 1).repeat(128, 2)
    heads = material.Photos(flat, tuple(f"seed-{index}" for index in range(6)))
    monkeypatch.setattr(material, "photos", lambda folder, split="train": heads)
    torch.save(Reader().state_dict(), tmp_path / "reader.pt")
    return Config(
        heads=tmp_path,
        speech=speech,
        voice=REPOSITORY / "services/sda/weights/gan/model.safetensors",
        reader=tmp_path / "reader.pt",
        out=tmp_path / "run",
        batch=4,
        frames=5,
        bf16=False,
        save_every=1,
        model=Model(size=64, widths=(16,) * 5, convolutions=(1,) * 5, style=16, z=8, motion=16),
        steps=Steps(base=2, drawn=2, moving=2, video=2, judged_from=0.5),
    )
