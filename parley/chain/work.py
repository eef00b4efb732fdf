"""Where a worker's items come from: new ones of its group, and those of workers that died."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from parley.chain.connection import BLOCK_MS, carrier, connect
from parley.chain.keys import PAYLOAD
from parley.chain.scripts import FORGET

log = logging.getLogger(__name__)

FORGET_AFTER_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Work:
    """A delivered item; it is pending for this worker but not yet owned."""

    item_id: str
    payload: bytes


class WorkSource:
    """Reads one work stream for one worker, over a connection of its own."""

    def __init__(
        self, url: str, stream: str, group: str, consumer: str, *, every_s: float, idle_ms: int
    ) -> None:
        """Prepares; connects when first used.

        Args:
            url: Redis.
            stream: Where items wait.
            group: Whose they are.
            consumer: This worker.
            every_s: How often to look for items of dead workers.
            idle_ms: An item whose worker was silent for so long is taken.
        """
        self._url = url
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._every_s = every_s
        self._idle_ms = idle_ms
        self._next_look = 0.0
        self._next_forget = 0.0
        self._client = connect(url, blocking=True)

    async def fetch(self, count: int, *, held: set[str]) -> list[Work]:
        """Waits a moment for items; may return none.

        Args:
            count: At most so many.
            held: Ids that this worker is working on: even if they look idle (a stalled event loop), they
                are not.

        Raises:
            ChainUnavailable: Redis does not answer.
        """
        async with carrier(self._url, blocking=True):
            try:
                return await self._fetch(count, held)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                await self._create_group()  # the first worker ever, or Redis lost its data
                return []

    async def _fetch(self, count: int, held: set[str]) -> list[Work]:
        now = asyncio.get_running_loop().time()
        if now >= self._next_forget:
            self._next_forget = now + FORGET_AFTER_MS / 1000
            await self.forget(FORGET_AFTER_MS)
        if now >= self._next_look:
            self._next_look = now + self._every_s
            answer: Any = await self._client.xautoclaim(
                self._stream, self._group, self._consumer, self._idle_ms, "0-0", count=count
            )
            orphans = [Work(raw_id.decode(), fields[PAYLOAD]) for raw_id, fields in answer[1]]
            orphans = [work for work in orphans if work.item_id not in held]
            if orphans:
                return orphans
        block_ms = min(max(round((self._next_look - now) * 1000), 1), BLOCK_MS)
        reply: Any = await self._client.xreadgroup(
            self._group, self._consumer, {self._stream: ">"}, count=count, block=block_ms
        )
        return [
            Work(raw_id.decode(), fields[PAYLOAD]) for _, items in reply or () for raw_id, fields in items
        ]

    async def _create_group(self) -> None:
        """Makes the group, so that it gets all that waits in the stream."""
        try:
            await self._client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # another worker was faster
                raise

    async def forget(self, idle_ms: int) -> None:
        """Removes the names of workers that hold nothing and were not seen for `idle_ms`."""
        await self._client.eval(FORGET, 1, self._stream, self._group, idle_ms)

    async def close(self) -> None:
        """Disconnects."""
        await self._client.aclose()
