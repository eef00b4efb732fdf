"""From phones to frames: the length regulator of FastSpeech, as plain arithmetic."""

import numpy as np
from numpy.typing import NDArray

from services.tts.fastpitch.frames import Floats

MOST_FRAMES = 120  # of one phone: 1.5 s


def durations(log_durations: Floats, *, speed: float) -> NDArray[np.int64]:
    """Whole frames of each phone, at least 1; what rounding takes from one phone goes to the next.

    Args:
        log_durations: As predicted, float32 [phones].
        speed: 0.5…2.
    """
    wanted = np.clip(np.exp(log_durations.astype(np.float64)) / speed, 1, MOST_FRAMES)
    ends = np.round(np.cumsum(wanted)).astype(np.int64)
    return np.maximum(np.diff(ends, prepend=0), 1)


def places(frames: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Where each frame is in its phone.

    Args:
        frames: Of each phone, int64 [phones].

    Returns:
        float32 [n, 3] (how far through, 0 to 1; from its start and to its end, in 100 ms) and the phone of
        each frame, int64 [n].
    """
    index = np.repeat(np.arange(len(frames)), frames)
    since = np.arange(len(index)) - np.repeat(np.cumsum(frames) - frames, frames) + 0.5
    lasts = frames[index]
    place = np.stack([since / lasts, since / 8, (lasts - since) / 8], 1).astype(np.float32)
    return place, index
