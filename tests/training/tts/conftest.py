"""A few clips of a made-up voice: each phone a tone of its own, as long as its number says."""

from pathlib import Path

import numpy as np
import pytest

from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.phonemes import SIZES, SYMBOLS
from services.tts.fastpitch.source import buzz
from training.tts.config import AcousticSize, Config, Steps, VocoderSize
from training.tts.material import Clip, write


def clip(number: int) -> Clip:
    """Silence, eight phones, silence."""
    random = np.random.default_rng(number)
    phones = random.integers(2, len(SYMBOLS), 8)
    codes = np.zeros((10, len(SIZES)), np.int64)
    codes[:, 0] = [1, *phones, 1]
    durations = np.array([4, *(3 + phones % 5), 4], np.int64)
    hertz = np.repeat([0, *(120 + 4 * phones), 0], durations).astype(np.float32)
    audio = 0.05 * buzz(np.where(hertz > 0, hertz, 120).astype(np.float32)) * np.repeat(hertz > 0, HOP)
    return Clip(f"clip {number}", codes, durations, hertz, audio.astype(np.float32))


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of such clips."""
    folder = tmp_path_factory.mktemp("speech")
    for number in range(8):
        write(folder / f"{number:06d}.npz", clip(number))
    return folder


@pytest.fixture
def config(speech: Path, tmp_path: Path) -> Config:
    """A run of a few steps."""
    return Config(
        speech=speech,
        out=tmp_path / "run",
        voice="tones",
        batch=4,
        pieces=4,
        piece_frames=20,
        held_out=2,
        adversarial=0.1,
        acoustic=AcousticSize(width=32, encoder=1, decoder=1),
        vocoder=VocoderSize(width=32, blocks=1, points=65),
        steps=Steps(acoustic=4, vocoder=4, generated=2),
    )
