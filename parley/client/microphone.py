"""A microphone without a sound card: an endless real-time stream, silence between what is put into it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ


@dataclass(slots=True)
class Microphone:
    """Sends a chunk each `chunk_ms`, at the moment when its last sample would have been recorded.

    Attributes:
        send: Called with each chunk (s16le, 24 kHz mono) and its number from 1.
        chunk_ms: Length of a chunk.
        speed: Times real time; 1 is a person.
    """

    send: Callable[[bytes, int], Awaitable[None]]
    chunk_ms: int = 40
    speed: float = 1.0
    _queue: bytearray = field(default_factory=bytearray)
    _sent_samples: int = 0
    _opened_at: float = 0.0

    def say(self, pcm: bytes) -> float:
        """Puts speech behind what is queued. Returns the monotonic time of its first sample."""
        position = self._sent_samples + len(self._queue) // BYTES_PER_SAMPLE
        self._queue += pcm
        return self.time_of(position)

    def time_of(self, sample: int) -> float:
        """Monotonic time at which sample number `sample` of the stream is spoken."""
        return self._opened_at + sample / SAMPLE_RATE_HZ / self.speed

    @property
    def pending_s(self) -> float:
        """Seconds of speech that were put in and are not sent yet."""
        return len(self._queue) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ / self.speed

    def switch_on(self) -> None:
        """Starts the stream's clock; `run` then keeps it."""
        self._opened_at = time.monotonic()

    async def run(self) -> None:
        """Streams until cancelled; `switch_on` first."""
        chunk_samples = SAMPLE_RATE_HZ * self.chunk_ms // 1000
        chunk_bytes = chunk_samples * BYTES_PER_SAMPLE
        number = 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, self.time_of(number * chunk_samples) - time.monotonic()))
            chunk = bytes(self._queue[:chunk_bytes])
            del self._queue[:chunk_bytes]
            self._sent_samples += chunk_samples
            await self.send(chunk.ljust(chunk_bytes, b"\0"), number)
