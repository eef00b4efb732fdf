"""Where speech begins and ends in a recording."""

import numpy as np

from parley.client import speech_bounds

RATE = 24_000


def recording(noise: float) -> np.ndarray:
    """0.5 s of noise, 1 s of tone, 0.7 s of noise."""
    random = np.random.default_rng(1)
    audio = random.normal(0, noise, int(2.2 * RATE)).astype(np.float32)
    audio[RATE // 2 : RATE * 3 // 2] += 0.3 * np.sin(np.arange(RATE) * 0.05).astype(np.float32)
    return audio


def test_bounds_in_a_clean_and_in_a_noisy_recording() -> None:
    for noise in (0.0, 1e-4, 0.01):
        begin, end = speech_bounds(recording(noise))
        assert abs(begin - RATE // 2) <= RATE // 50
        assert abs(end - RATE * 3 // 2) <= RATE // 50
