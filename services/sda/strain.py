"""What the face gives up when the machine cannot keep up: half of the frames, then half of
the size, then the generator itself.

Speech is never touched. A frame is late when its time has passed before it could be drawn; `Strain` watches
their share, and gives way by one step at a time, quickly, and comes back slowly.
"""

import time
from collections.abc import Callable
from enum import IntEnum

from prometheus_client import Counter, Gauge

WINDOW_S = 1.5
TOO_LATE = 0.08  # share of a window's frames above which it gives way
CALM_S = 10.0  # without a late frame, before it takes a step back
FEWEST = 20  # frames that a window's share says something with

RELIEF = Gauge(
    "parley_sda_relief",
    "0 all frames, 1 every second frame, 2 at half the size, 3 replies drawn from the bank.",
)
THINNED = Counter("parley_sda_frames_thinned_total", "Frames left out because the rate was halved.")
SHRUNK = Counter("parley_sda_replies_shrunk_total", "Replies drawn at half the width and height.")
RELIEVED = Counter("parley_sda_replies_relieved_total", "Replies drawn by a cheaper engine.")


class Relief(IntEnum):
    """How much is given up."""

    NONE = 0
    HALF_RATE = 1
    HALF_SIZE = 2
    BANK = 3


class Strain:
    """Of one process. Called from the drawing threads.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.relief = Relief.NONE
        self._begun = self._calm_since = clock()
        self._seen = self._late = 0

    def saw(self, late: bool) -> None:
        """A frame was due to be drawn: in time, or too late."""
        now = self._clock()
        self._seen += 1
        self._late += late
        if late:
            self._calm_since = now
        if now - self._begun >= WINDOW_S and self._seen >= FEWEST:
            if self._late > TOO_LATE * self._seen and self.relief < Relief.BANK:
                self._step(Relief(self.relief + 1))
            self._begun, self._seen, self._late = now, 0, 0
        if self.relief and now - self._calm_since >= CALM_S:
            self._calm_since = now
            self._step(Relief(self.relief - 1))

    def _step(self, relief: Relief) -> None:
        self.relief = relief
        RELIEF.set(relief)
