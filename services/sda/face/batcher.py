"""Frames of several sessions drawn in one go, for a GPU: one frame alone leaves most of it idle."""

import queue
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from prometheus_client import Histogram

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

WAIT_S: Final = 0.002  # that the first frame of a batch waits for others
BATCHES: Final = Histogram(
    "parley_sda_batch_frames", "Frames drawn in one go.", buckets=(1, 2, 4, 8, 16, 32, 64)
)


@dataclass(slots=True)
class _Job(Generic[Ask, Answer]):
    ask: Ask
    answer: "Future[Answer]" = field(default_factory=Future)


class Batcher(Generic[Ask, Answer]):
    """Gathers what many threads ask for; one thread answers it, batch by batch, until this is forgotten.

    Args:
        work: Answers of a batch, in order; runs in the batcher's own thread.
        most: In a batch.
        wait_s: How long an incomplete batch waits.
    """

    def __init__(
        self, work: Callable[[Sequence[Ask]], Sequence[Answer]], *, most: int, wait_s: float = WAIT_S
    ) -> None:
        self._jobs: queue.SimpleQueue[_Job[Ask, Answer] | None] = queue.SimpleQueue()
        thread = threading.Thread(
            target=_serve, args=(self._jobs, work, most, wait_s), name="batch", daemon=True
        )
        thread.start()
        weakref.finalize(self, self._jobs.put, None)  # puts without waiting: safe in any thread

    def __call__(self, asks: Sequence[Ask]) -> list[Answer]:
        """Answers in order; raises what `work` raised for the batch that one of them was in."""
        jobs = [_Job[Ask, Answer](ask) for ask in asks]
        for job in jobs:
            self._jobs.put(job)
        return [job.answer.result() for job in jobs]


def _serve(
    jobs: "queue.SimpleQueue[_Job[Ask, Answer] | None]",
    work: Callable[[Sequence[Ask]], Sequence[Answer]],
    most: int,
    wait_s: float,
) -> None:
    more = True
    while more and (first := jobs.get()) is not None:
        batch, until = [first], time.monotonic() + wait_s
        while len(batch) < most:
            try:
                job = jobs.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if job is None:
                more = False
                break
            batch.append(job)
        BATCHES.observe(len(batch))
        try:
            for job, answer in zip(batch, work([job.ask for job in batch]), strict=True):
                job.answer.set_result(answer)
        except Exception as error:  # theirs, whatever it is
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
