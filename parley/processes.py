"""What child processes have in common."""

import ctypes
import signal
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(by: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets a signal when its parent ends, however that ends (prctl(2))."""

    def set_it() -> None:
        ctypes.CDLL("libc.so.6").prctl(_PR_SET_PDEATHSIG, by)

    return set_it
