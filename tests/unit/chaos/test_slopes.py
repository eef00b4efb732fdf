"""What the soak calls growth."""

import pytest

from tests.chaos.soak.slopes import Series, growth


def sampled(values: list[float]) -> Series:
    """Twelve samples a minute, a minute for each value."""
    points = [(minute + n / 12, value) for minute, value in enumerate(values) for n in range(12)]
    return Series("memory", "asr", points)


def test_a_leak_is_found_whatever_the_warm_up_did() -> None:
    grown = growth(sampled([10, 200, 300] + [300 + 2 * n for n in range(20)]), warm_up_min=3)
    assert grown.an_hour == pytest.approx(120)
    assert not grown.flat
    assert (grown.first, grown.last) == (303, 335)


def test_bursts_are_no_leak() -> None:
    bursting = [300 + 90.0 * (n % 7 == 3) for n in range(30)]
    assert growth(sampled(bursting), warm_up_min=6).flat


def test_what_falls_is_flat() -> None:
    assert growth(sampled([300 - n for n in range(20)]), warm_up_min=0).flat


def test_too_short_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        growth(sampled([1.0]), warm_up_min=0)
