"""Batches ahead of time, in other processes: a batch depends on its place alone, not on who makes it."""

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from training.sda import clips

Place = tuple[int, int, int, int]  # seed, stage, step, rank
T = TypeVar("T")
_load = lru_cache(maxsize=4)(clips.load)


@dataclass(frozen=True)
class Windows:
    """Makes batches of windows of video."""

    folder: Path
    part: clips.Part
    identity: str
    size: int
    frames: int
    blink_share: float

    def __call__(self, place: Place) -> clips.Batch:
        """The batch of a place."""
        material = _load(self.folder, self.part, identity=self.identity)
        return clips.draw(material, np.random.default_rng(place), self.size, self.frames, self.blink_share)


@dataclass(frozen=True)
class Speech:
    """Makes batches of speech with mouths."""

    folder: Path
    size: int
    frames: int

    def __call__(self, place: Place) -> tuple[clips.Floats, clips.Floats]:
        """The batch of a place."""
        material = _load(self.folder, "train", pictures=False)
        return clips.draw_speech(material, np.random.default_rng(place), self.size, self.frames)


class Loader(Generic[T]):
    """Batches of consecutive steps.

    Args:
        make: Makes one; sent to other processes.
        workers: Processes; 0 makes each batch when it is asked for.
    """

    def __init__(self, make: Callable[[Place], T], workers: int) -> None:
        self._make, self._ahead = make, 2 * workers
        # Not forked: PyTorch's threads do not survive it.
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers else None
        self._coming: dict[Place, Future[T]] = {}

    def get(self, place: Place) -> T:
        """The batch of `place`; those of the next steps are begun."""
        if self._pool is None:
            return self._make(place)
        seed, stage, step, rank = place
        for next_step in range(step, step + self._ahead + 1):
            wanted = (seed, stage, next_step, rank)
            if wanted not in self._coming:
                self._coming[wanted] = self._pool.submit(self._make, wanted)
        return self._coming.pop(place).result()

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
