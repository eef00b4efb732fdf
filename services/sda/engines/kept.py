"""What is made once for each avatar and shared by all its streams."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Makes a value when it is first asked for, and keeps those used last. Safe to call from many threads.

    Args:
        make: Makes the value of an avatar; what it raises is not kept.
        most: How many values are kept.
    """

    def __init__(self, make: Callable[[str], T], most: int) -> None:
        self._make, self._most = make, most
        self._values: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def __call__(self, avatar: str) -> T:
        """The avatar's value."""
        with self._lock:
            if avatar not in self._values:
                self._values[avatar] = self._make(avatar)
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
            self._values.move_to_end(avatar)
            return self._values[avatar]
