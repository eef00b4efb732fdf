"""Looks at the processes and at Redis while people talk."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import redis.asyncio

from tests.chaos.soak.slopes import MIB, Series

EVERY_S = 5.0
Points = dict[tuple[str, str], list[tuple[float, float]]]


class Sampler:
    """Keeps what it sees; `series` gives it."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], redis_url: str) -> None:
        """Args:
        pids: Process ids by name, asked each time.
        redis_url: The chain's Redis.
        """
        self._pids = pids
        self._redis = redis.asyncio.from_url(redis_url)
        self._points: Points = {}
        self._began = time.monotonic()

    async def run(self) -> None:
        """Samples until cancelled."""
        try:
            while True:
                await self._sample()
                await asyncio.sleep(EVERY_S)
        finally:
            await self._redis.aclose()

    def series(self) -> list[Series]:
        """Everything so far."""
        return [Series(what, of, points) for (what, of), points in sorted(self._points.items())]

    async def _sample(self) -> None:
        for name, pid in self._pids().items():
            try:
                self._keep("memory", name, _resident(pid) / MIB)
                self._keep("files", name, len(os.listdir(f"/proc/{pid}/fd")))
                self._keep("threads", name, len(os.listdir(f"/proc/{pid}/task")))
            except FileNotFoundError:
                continue  # it has just died: that is counted elsewhere
        self._keep("redis keys", "redis", await self._redis.dbsize())
        about = await self._redis.info("memory")
        self._keep("redis memory", "redis", about["used_memory"] / MIB)

    def _keep(self, what: str, of: str, value: float) -> None:
        at = (time.monotonic() - self._began) / 60
        self._points.setdefault((what, of), []).append((at, float(value)))


def _resident(pid: int) -> int:
    """Bytes of the process in memory, and of all that it started."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGESIZE") + sum(_resident(int(child)) for child in children)
