"""Summaries of repeated measurements."""

from collections.abc import Sequence

import numpy as np


def summary(values: Sequence[float], *, digits: int = 1) -> dict[str, float]:
    """Count, median, p95, and extremes of a sample; only `n` when it is empty."""
    if not values:
        return {"n": 0}
    low, median, p95, p99, high = np.percentile(np.asarray(values, np.float64), [0, 50, 95, 99, 100])
    named = {"min": low, "median": median, "p95": p95, "p99": p99, "max": high}
    return {"n": len(values), **{k: round(float(v), digits) for k, v in named.items()}}
