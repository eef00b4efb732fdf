"""One blocking read for everything that a process follows in Redis."""

import asyncio
import logging
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis

from parley.aio import Signal
from parley.chain.connection import BLOCK_MS, carrier, connect
from parley.chain.keys import Fields, Id, format_id, parse_id
from parley.chain.scripts import LAST_IDS
from parley.errors import ChainUnavailable, ParleyError

log = logging.getLogger(__name__)

ENTRIES_PER_READ = 64


class Sink(Protocol):
    """Who gets the entries of one followed stream."""

    def wants(self) -> bool:
        """Whether more entries are welcome now; what is not read stays in Redis."""

    def take(self, identity: Id, fields: Fields) -> None:
        """Takes the next entry; must not wait."""

    def fail(self, error: ParleyError) -> None:
        """The connection was lost: nothing more will come."""


@dataclass(eq=False)
class Follower:
    """A place in one stream. `after` None: from the end, once Redis has said where that is."""

    key: str
    after: Id | None
    sink: Sink


class Reader:
    """Follows any number of streams with one connection and one task.

    A command in flight is never cancelled. When what is followed changes, an entry in the reader's own wake
    stream makes the blocking read return.
    """

    def __init__(self, url: str, commands: "Redis") -> None:
        """Prepares; `run` does the work.

        Args:
            url: Redis.
            commands: Client for the wake-ups.
        """
        self.available = False
        self._url = url
        self._commands = commands
        self._wake_key = f"wake:{uuid.uuid4().hex}"
        self._wake_id = "0-0"
        self._followers: dict[str, list[Follower]] = {}
        self._placed = Signal()
        self._blocked = False
        self._changed = False
        self._waking: asyncio.Task[None] | None = None
        self._stopping = False

    def follow(self, key: str, after: Id | None, sink: Sink) -> Follower:
        """Starts to read a stream behind `after` (None: behind what it holds now)."""
        follower = Follower(key, after, sink)
        self._followers.setdefault(key, []).append(follower)
        self.wake()
        return follower

    def leave(self, follower: Follower) -> None:
        """Stops reading; harmless if it had ended by itself."""
        there = self._followers.get(follower.key, [])
        if follower in there:
            there.remove(follower)
            if not there:
                del self._followers[follower.key]
        self._placed.notify()

    async def placed(self) -> None:
        """Waits until every follower has its place, so that what is written now will be seen."""
        await self._placed.wait_for(lambda: not self._unplaced())

    def _unplaced(self) -> list[Follower]:
        return [each for there in self._followers.values() for each in there if each.after is None]

    def wake(self) -> None:
        """Makes a blocked read return, so that it sees changes in what is followed and wanted."""
        if self._blocked:
            self._changed = True
            if self._waking is None:
                self._waking = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        try:
            while self._changed:  # again, if something changed while the entry was on its way
                self._changed = False
                async with carrier(self._url):
                    async with self._commands.pipeline(transaction=False) as pipe:
                        pipe.xadd(self._wake_key, {"w": "1"}, maxlen=1, approximate=False)
                        pipe.expire(self._wake_key, 60)
                        await pipe.execute()
        except ChainUnavailable as error:
            log.debug("no wake-up; the read will find out by itself", extra={"reason": str(error)})
        finally:
            self._waking = None

    async def run(self) -> None:
        """Reads until `stop`; reconnects with growing pauses of up to a second."""
        client = connect(self._url, blocking=True)
        pause_s = 0.1
        try:
            while not self._stopping:
                try:
                    async with carrier(self._url, blocking=True):
                        await self._place(client)
                        await self._read(client)
                    self.available = True
                    pause_s = 0.1
                except ChainUnavailable as error:
                    self.available = False
                    self.fail_all(error)
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, 1.0)
        finally:
            self.available = False
            if self._waking is not None:
                await self._waking
            await client.aclose()

    def stop(self) -> None:
        """Ends `run` soon."""
        self._stopping = True
        self.wake()

    def fail_all(self, error: ParleyError) -> None:
        """Tells everyone that reading has ended, and forgets them."""
        followers = [each for there in self._followers.values() for each in there]
        self._followers.clear()
        for follower in followers:
            follower.sink.fail(error)
        self._placed.notify()

    async def _place(self, client: "Redis") -> None:
        """Finds the end of the streams that are to be read from there."""
        unplaced = self._unplaced()
        if unplaced:
            ids = await client.eval(LAST_IDS, len(unplaced), *(each.key for each in unplaced))
            for follower, last in zip(unplaced, ids, strict=True):
                follower.after = parse_id(last)
            self._placed.notify()

    async def _read(self, client: "Redis") -> None:
        """One blocking read of all streams that anyone wants, and its delivery."""
        starts: dict[str, Id] = {}
        for key, there in self._followers.items():
            wanted = [each.after for each in there if each.after is not None and each.sink.wants()]
            if wanted:
                starts[key] = min(wanted)
        streams: dict[Any, Any] = {key: format_id(start) for key, start in starts.items()}
        streams[self._wake_key] = self._wake_id
        self._blocked = True
        try:
            # What comes back is typed for every protocol and option of the library at once.
            reply: Any = await client.xread(streams, count=ENTRIES_PER_READ, block=BLOCK_MS)
        finally:
            self._blocked = False
        for raw_key, entries in reply or ():
            key = raw_key.decode()
            if key == self._wake_key:
                self._wake_id = entries[-1][0].decode()
                continue
            for raw_id, fields in entries:
                self._deliver(key, starts[key], parse_id(raw_id), fields)

    def _deliver(self, key: str, start: Id, identity: Id, fields: Fields) -> None:
        for follower in list(self._followers.get(key, ())):
            # Whoever is behind the start of this read (joined since, or was full) would miss what lies
            # between.
            if follower.after is not None and start <= follower.after < identity:
                follower.after = identity
                follower.sink.take(identity, fields)
