"""What Whisper's encoder sees, computed by the code that serves it, and how it is masked for training."""

from typing import Final

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from parley.engines import Audio
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from training.sda import augment

Features = NDArray[np.float32]

RATE_HZ: Final = 16_000
FRAMES_PER_S: Final = 100
LONGEST_FRAMES: Final = 3_000


class Hearing:
    """Log-mel features of a clip.

    Args:
        mels: 80, or 128 for Whisper large-v3.
    """

    def __init__(self, mels: int = 80) -> None:
        self._extract = FeatureExtractor(feature_size=mels)

    def __call__(self, audio: Audio) -> Features:
        """Features of `audio`, float32 [n] at 24 kHz; float32 [mels, frames]."""
        heard = resample(audio, SAMPLE_RATE_HZ, RATE_HZ).astype(np.float32)
        features: Features = self._extract(heard)[:, :LONGEST_FRAMES]
        return features

    def spoilt(self, audio: Audio, random: np.random.Generator) -> tuple[Features, float]:
        """The same through a room, a line, noise, between two pauses; and the first pause, in seconds."""
        before, after = (round(float(random.uniform(0.05, 0.5)) * SAMPLE_RATE_HZ) for _ in range(2))
        spoilt = augment.audio(np.pad(audio, (before, after)), random)
        return self(spoilt), before / SAMPLE_RATE_HZ


def masked(features: Features, random: np.random.Generator, *, wide: int = 10, long: int = 25) -> Features:
    """SpecAugment (Park et al. 2019): two bands and two stretches of time become the mean.

    Args:
        features: [mels, frames]; left as they are.
        random: Where.
        wide: The most mels of a band.
        long: The most frames of a stretch.
    """
    out = features.copy()
    mels, frames = out.shape
    mean = out.mean()
    for _ in range(2):
        width = int(random.integers(0, wide + 1))
        low = int(random.integers(0, mels - width))
        out[low : low + width] = mean
        length = min(int(random.integers(0, long + 1)), frames // 4)
        start = int(random.integers(0, frames - length + 1))
        out[:, start : start + length] = mean
    return out


def noise(random: np.random.Generator) -> Audio:
    """A few seconds in which nobody speaks: hiss, hum, or next to nothing; float32 [n] at 24 kHz."""
    seconds = float(random.uniform(0.6, 4))
    n = round(seconds * SAMPLE_RATE_HZ)
    level = 10 ** (float(random.uniform(-90, -25)) / 20)
    sound = augment.noisy(np.zeros(n, np.float32), random)
    sound *= level / (float(np.sqrt(np.mean(sound**2))) + 1e-9)
    if random.random() < 0.4:
        hz = float(random.uniform(50, 900))
        sound += level * np.sin(2 * np.pi * hz * np.arange(n) / SAMPLE_RATE_HZ).astype(np.float32)
    return sound
