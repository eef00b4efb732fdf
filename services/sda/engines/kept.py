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
        version: Of an avatar; when it has changed, the value is made anew. Whoever was deleted is
            forgotten when somebody else is first asked for.
    """

    def __init__(self, make: Callable[[str], T], most: int, version: Callable[[str], int]) -> None:
        self._make, self._most, self._version = make, most, version
        self._values: OrderedDict[str, tuple[int, T]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, avatar: str) -> T:
        """The avatar's value."""
        with self._lock:
            version = self._version(avatar)
            known = self._values.get(avatar)
            if known is None or known[0] != version:
                for name in [name for name, (old, _) in self._values.items() if old != self._version(name)]:
                    del self._values[name]
                self._values[avatar] = version, self._make(avatar)
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
            self._values.move_to_end(avatar)
            return self._values[avatar][1]
