"""How loud speech is, frame by frame, relative to how loud this speaker gets."""

import numpy as np
from numpy.typing import NDArray

SILENCE = 0.004  # rms below which nothing is being said (-48 dBFS)


class Loudness:
    """Running level: 0 silence … 1 the loudest of late."""

    def __init__(self) -> None:
        self._peak = 0.06

    def of(self, frame: NDArray[np.float32]) -> float:
        """Level of one video frame of speech, float32 [960]."""
        rms = float(np.sqrt(np.mean(frame.astype(np.float64) ** 2)))
        self._peak = max(rms, 0.06, self._peak * 0.995)
        return 0.0 if rms < SILENCE else min(1.0, rms / self._peak)
