"""A bounded queue between the carrier and one reader, read as an async iterator."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from parley.chain.interface import Entry
from parley.errors import ChainUnavailable, ParleyError

MAX_WAITING = 1024


class Subscription:
    """The carrier's side: put entries in, or fail."""

    def __init__(self, *, limit: int = MAX_WAITING, on_room: Callable[[], None] | None = None) -> None:
        """Makes an empty queue.

        Args:
            limit: Entries that may wait; one more fails the subscription, since live entries cannot be held
                back.
            on_room: Called when an entry was taken out.
        """
        self.waiting: deque[Entry] = deque()
        self.closed = False
        self.error: ParleyError | None = None
        self._limit = limit
        self._on_room = on_room
        self._news = asyncio.Event()
        self._on_close: list[Callable[[], None]] = []

    def on_close(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once when the reader has stopped reading."""
        self._on_close.append(callback)

    def put(self, entry: Entry) -> None:
        """Adds an entry; nobody waits here."""
        if self.closed or self.error is not None:
            return
        if len(self.waiting) >= self._limit:
            self.fail(
                ChainUnavailable(
                    f"A reader of the chain fell {self._limit} entries behind.",
                    fix="Read faster, or start the session again; the machine may be overloaded.",
                )
            )
            return
        self.waiting.append(entry)
        self._news.set()

    def fail(self, error: ParleyError, *, at_once: bool = False) -> None:
        """Raises `error` at the reader once it has read what is waiting; `at_once`: without reading that."""
        if self.error is None:
            self.error = error
            self._news.set()
        if at_once:
            self.waiting.clear()

    async def get(self) -> Entry:
        """The next entry.

        Raises:
            ParleyError: What `fail` was given.
        """
        while not self.waiting:
            if self.error is not None:
                raise self.error
            self._news.clear()
            await self._news.wait()
        entry = self.waiting.popleft()
        if self._on_room is not None:
            self._on_room()
        return entry

    def close(self) -> None:
        """The reader has stopped."""
        if not self.closed:
            self.closed = True
            self.waiting.clear()
            for callback in self._on_close:
                callback()


class LiveEntries(AsyncIterator[Entry]):
    """The reader's side. Reading starts when this is made, not when it is first iterated.

    Dropping it, cancelling the task that reads it, or `aclose` ends the subscription.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def __aiter__(self) -> "LiveEntries":
        return self

    async def __anext__(self) -> Entry:
        if self._subscription.closed:
            raise StopAsyncIteration
        try:
            return await self._subscription.get()
        except BaseException:
            self._subscription.close()
            raise

    async def aclose(self) -> None:
        """Stops reading."""
        self._subscription.close()

    def __del__(self) -> None:
        self._subscription.close()
