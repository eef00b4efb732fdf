"""Who has which clip open, so that two reviewers are not given the same one. A courtesy, not a lock:

two that open one clip on purpose may both type, and the versions keep them from overwriting each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FORGET_S = 30.0  # pages ask for the queue every 10 s


class Presence:
    """Open clips by tab, in memory: after a restart pages tell again.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tabs: dict[str, tuple[str, float]] = {}

    def tell(self, tab: str, clip: str) -> None:
        """A tab has this clip open; empty: none."""
        with self._lock:
            self._tabs[tab] = (clip, self._clock())

    def elsewhere(self, tab: str) -> set[str]:
        """The clips that other tabs have open."""
        with self._lock:
            oldest = self._clock() - FORGET_S
            self._tabs = {name: each for name, each in self._tabs.items() if each[1] >= oldest}
            return {clip for name, (clip, _) in self._tabs.items() if name != tab and clip}
