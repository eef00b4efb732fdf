"""How a reply's speech comes in, whatever engine draws it."""

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from parley.engines import Audio, FaceInput
from parley.errors import BadRequest
from parley.media.clock import FRAME_SAMPLES
from services.sda.face.loudness import Loudness
from services.sda.face.mel import LOOKAHEAD_SAMPLES

AHEAD: Final = LOOKAHEAD_SAMPLES // FRAME_SAMPLES  # frames of speech beyond the one that is drawn


class Intake:
    """Speech cut into video frames: how loud each is, and where the reply ends.

    Attributes:
        heard: Whole frames taken in.
        end: Frames of the reply, once its last piece is in.
    """

    def __init__(self) -> None:
        self._loudness = Loudness()
        self._levels: deque[float] = deque()  # of the next frame to draw and those beyond it
        self.heard = 0
        self.end: int | None = None

    def take(self, step: FaceInput, hear: Callable[[Audio], None]) -> None:
        """Gives `hear` each frame of a step, and silence for the look-ahead of the reply's last frames.

        Raises:
            BadRequest: Audio is not a whole number of video frames.
        """
        if len(step.audio) % FRAME_SAMPLES:
            raise BadRequest(
                f"Speech comes in whole video frames of {FRAME_SAMPLES} samples, not {len(step.audio)}."
            )
        for audio in step.audio.reshape(-1, FRAME_SAMPLES):
            hear(audio)
            self._levels.append(self._loudness.of(audio))
            self.heard += 1
        if step.last:
            self.end = self.heard
            for _ in range(AHEAD):
                hear(np.zeros(FRAME_SAMPLES, np.float32))

    def next_levels(self) -> tuple[float, float]:
        """Loudness of the next frame to draw, and the loudest of it and the look-ahead."""
        loud, coming = self._levels[0], max(list(self._levels)[: 1 + AHEAD])
        self._levels.popleft()
        return loud, coming
