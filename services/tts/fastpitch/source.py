"""What the vocoder filters: a buzz at the voice's pitch, and noise (Fant's source-filter model of speech).

With the source given, a network has only envelopes and phases to learn, not how to keep a pitch; see Li et
al., "HiFTNet" (arXiv 2309.09493), and Wang et al., "Neural source-filter waveform models" (arXiv 1904.12088).
"""

from typing import Final

import numpy as np

from parley.engines import Audio
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.fastpitch.frames import HOP, Floats

NOISE_SEED: Final = 20
TOP_HZ: Final = SAMPLE_RATE_HZ / 2


def buzz(hertz: Floats) -> Audio:
    """All harmonics of a pitch below the Nyquist, in phase, of power 1/2 on the whole.

    Args:
        hertz: float32 [frames], no 0: unvoiced frames have a pitch, too, which the filter silences.

    Returns:
        float32 [frames * HOP]: sum of cos(k φ) for k = 1…K in closed form (Dirichlet's kernel).
    """
    at = (np.arange(len(hertz) * HOP) - (HOP - 1) / 2) / HOP
    pitch = np.interp(at, np.arange(len(hertz)), hertz.astype(np.float64))
    phase = np.cumsum(2 * np.pi * pitch / SAMPLE_RATE_HZ)
    harmonics = np.ceil(TOP_HZ / pitch) - 1
    half = np.sin(phase / 2)
    near = np.abs(half) < 1e-4
    kernel = np.sin((harmonics + 0.5) * phase) / (2 * np.where(near, 1, half)) - 0.5
    sound: Audio = (np.where(near, harmonics, kernel) / np.sqrt(harmonics)).astype(np.float32)
    return sound


def noise(frames: int) -> Audio:
    """Always the same white noise of power 1/2, float32 [frames * HOP]: the same clause, the same samples."""
    random = np.random.default_rng(NOISE_SEED)
    white: Audio = random.standard_normal(frames * HOP, np.float32) * np.float32(np.sqrt(0.5))
    return white


def features(mel: Floats, hertz: Floats, voiced: Floats) -> Floats:
    """What the vocoder is told, float32 [frames, MELS + 2].

    Args:
        mel: float32 [frames, MELS].
        hertz: float32 [frames], no 0.
        voiced: float32 [frames], 0 or 1.
    """
    told: Floats = np.concatenate([mel, np.stack([2 * np.log(hertz) - 10, voiced], 1)], 1, dtype=np.float32)
    return told
