"""Speech for the ears' tests: recordings of people from Debian's test data, and flite's voice."""

import shutil
import subprocess
import wave
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from parley.engines import Audio
from parley.media.audio import float_to_pcm16, pcm16_to_float, resample

TESTDATA = Path("/usr/share/pocketsphinx/test/data")
EAR_HZ = 16_000


def recorded(name: str) -> Audio:
    """A recording of a person, float32 [n] at 16 kHz: "something" says "go somewhere and do something"."""
    path = TESTDATA / f"{name}.raw"
    if not path.is_file():
        pytest.fail("apt install pocketsphinx-testdata")
    return pcm16_to_float(path.read_bytes())


@cache
def spoken(text: str, folder: Path, voice: str = "slt") -> Audio:
    """`text` in flite's voice, float32 [n] at 16 kHz, without silence at its ends."""
    flite = shutil.which("flite")
    if flite is None:
        pytest.fail("apt install flite")
    path = folder / "said.wav"
    subprocess.run([flite, "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
    with wave.open(str(path)) as file:
        rate, audio = file.getframerate(), pcm16_to_float(file.readframes(file.getnframes()))
    audio = resample(audio, rate, EAR_HZ)
    loud = np.flatnonzero(np.abs(audio) > 0.02)
    return audio[loud[0] : loud[-1] + 1]


def room(ms: float, *, seed: int = 0) -> Audio:
    """A quiet room's noise at 16 kHz."""
    noise = np.random.default_rng(seed).standard_normal(round(ms * EAR_HZ / 1000))
    return (noise * 0.0003).astype(np.float32)


def pcm24k(audio: Audio) -> bytes:
    """16 kHz audio as a client sends it."""
    return float_to_pcm16(resample(audio, EAR_HZ, 24_000))
