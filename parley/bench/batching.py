"""Whether work for several sessions at once costs less than the same work for one after the other."""

import statistics
import time
from collections.abc import Callable
from typing import Final

import numpy as np

SIZES: Final = (1, 2, 4, 8)


def compare(
    work: Callable[[int], object], *, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> list[dict[str, float | int]]:
    """Time an item takes in a batch, over the time it takes alone, in one run.

    Args:
        work: Does a batch of so many.
        repeats: Of each size; the sizes take turns, so that a busy machine is fair to all.
        clock: Seconds.

    Returns:
        For each size its milliseconds an item (median, 95th percentile) and the ratio to the median alone.
    """
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(repeats):
        for size in SIZES:
            began = clock()
            work(size)
            taken[size].append((clock() - began) * 1000 / size)
    alone = statistics.median(taken[1])
    return [
        {
            "batch": size,
            "ms_each": round(statistics.median(ms), 2),
            "p95_ms_each": round(float(np.percentile(ms, 95)), 2),
            "over_alone": round(statistics.median(ms) / alone, 3),
        }
        for size, ms in taken.items()
    ]
