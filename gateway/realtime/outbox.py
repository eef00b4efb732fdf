"""What waits to be sent on one websocket, in the order cancel, audio, video, text, idle loop.

One task sends; everyone else puts. Nothing stale is kept: a flush removes what it voids. When the client is
too slow, video goes first (counted), audio never: in the end the connection is closed with a reason.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

from gateway import metrics


class Lane(IntEnum):
    """Order of sending. Messages of one lane keep their order."""

    URGENT = 0
    AUDIO = 1
    VIDEO = 2
    TEXT = 3
    BULK = 4


class SlowClient(Exception):
    """The client did not take what was sent for too long."""


@dataclass(frozen=True, slots=True)
class Message:
    """One websocket message.

    Attributes:
        data: str is sent as text, bytes as binary.
        generation: The reply whose media this is; 0: of none, never voided by a flush.
        opens: Media of this generation may not overtake this message.
        keyframe: A video frame that can be decoded by itself.
    """

    data: str | bytes
    generation: int = 0
    opens: int = 0
    keyframe: bool = False


class Outbox:
    """Priority queue in front of one websocket, bounded in bytes and in time."""

    def __init__(
        self,
        *,
        slow_client_s: float = 10.0,
        video_deadline_s: float = 1.0,
        max_bytes: int = 16 << 20,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes: dict[Lane, deque[tuple[float, Message]]] = {lane: deque() for lane in Lane}
        self._slow_client_s = slow_client_s
        self._video_deadline_s = video_deadline_s
        self._max_bytes = max_bytes
        self._now = now
        self._bytes = 0
        self._floor = 0
        self._wait_for_keyframe = False
        self._wake = asyncio.Event()
        self._overrun = False
        self._ending = False

    def put(self, lane: Lane, message: Message) -> None:
        """Queues a message; one of a flushed generation is dropped."""
        if 0 < message.generation < self._floor:
            metrics.STALE.inc()
            return
        now = self._now()
        if lane is Lane.VIDEO and not self._takes_video(message, now):
            metrics.DROPPED_VIDEO.inc()
            return
        self._lanes[lane].append((now, message))
        self._bytes += len(message.data)
        self._overrun |= self._bytes > self._max_bytes or self._oldest_wait(now) > self._slow_client_s
        self._wake.set()

    def void_below(self, generation: int) -> None:
        """Removes, and from now on refuses, everything of the generations below `generation`."""
        self._floor = max(self._floor, generation)
        for lane, queue in self._lanes.items():
            kept = deque(entry for entry in queue if not 0 < entry[1].generation < self._floor)
            metrics.STALE.inc(len(queue) - len(kept))
            self._bytes -= sum(len(m.data) for _, m in queue) - sum(len(m.data) for _, m in kept)
            self._lanes[lane] = kept
        self._wait_for_keyframe = False

    def end(self) -> None:
        """Lets `run` return once everything queued has been sent."""
        self._ending = True
        self._wake.set()

    async def run(self, send: Callable[[str | bytes], Awaitable[None]]) -> None:
        """Sends until `end`.

        Args:
            send: Sends one websocket message; waits while the network is full.

        Raises:
            SlowClient: One message took longer than `slow_client_s`, waited longer, or too much is queued.
        """
        while True:
            message = self._take()
            if message is None:
                if self._ending:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            if self._overrun:
                raise SlowClient("The client takes messages too slowly.")
            try:
                async with asyncio.timeout(self._slow_client_s):
                    await send(message.data)
            except TimeoutError as error:
                raise SlowClient("The client has stopped taking messages.") from error

    def _take(self) -> Message | None:
        for lane, queue in self._lanes.items():
            if not queue:
                continue
            text = self._lanes[Lane.TEXT]
            if lane in (Lane.AUDIO, Lane.VIDEO) and self._is_opened_in(text, queue[0][1].generation):
                queue = text
            _, message = queue.popleft()
            self._bytes -= len(message.data)
            return message
        return None

    @staticmethod
    def _is_opened_in(text: deque[tuple[float, Message]], generation: int) -> bool:
        return any(0 < message.opens <= generation for _, message in text)

    def _takes_video(self, message: Message, now: float) -> bool:
        """Whether a frame may join; first drops the whole lane if its head is past the deadline.

        A frame leans on the one before it, so after a drop only a keyframe can go on.
        """
        queue = self._lanes[Lane.VIDEO]
        if queue and now - queue[0][0] > self._video_deadline_s:
            metrics.DROPPED_VIDEO.inc(len(queue))
            self._bytes -= sum(len(m.data) for _, m in queue)
            queue.clear()
            self._wait_for_keyframe = True
        if message.keyframe:
            self._wait_for_keyframe = False
        return not self._wait_for_keyframe

    def _oldest_wait(self, now: float) -> float:
        heads = (
            self._lanes[lane][0][0] for lane in (Lane.URGENT, Lane.AUDIO, Lane.TEXT) if self._lanes[lane]
        )
        return now - min(heads, default=now)
