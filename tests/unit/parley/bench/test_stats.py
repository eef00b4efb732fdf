"""Summaries."""

from parley.bench.stats import summary


def test_summary_of_a_hundred() -> None:
    assert summary(range(101)) == {"n": 101, "min": 0, "median": 50, "p95": 95, "p99": 99, "max": 100}


def test_nothing_measured_is_said_so() -> None:
    assert summary([]) == {"n": 0}
