"""The face gives way step by step under load, and comes back when it is calm."""

from services.sda.strain import CALM_S, Relief, Strain


class Clock:
    """Stands still unless moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(strain: Strain, clock: Clock, seconds: float, *, late_every: int) -> None:
    """25 frames a second, each n-th of them late (0: none)."""
    for number in range(1, int(seconds * 25) + 1):
        clock.now += 0.04
        strain.saw(bool(late_every) and number % late_every == 0)


def test_rate_first_then_size_then_the_generator():
    clock = Clock()
    strain = Strain(clock)
    watch(strain, clock, 1.4, late_every=5)
    assert strain.relief is Relief.NONE
    watch(strain, clock, 0.3, late_every=5)
    assert strain.relief is Relief.HALF_RATE
    watch(strain, clock, 1.6, late_every=5)
    assert strain.relief is Relief.HALF_SIZE
    watch(strain, clock, 1.6, late_every=5)
    assert strain.relief is Relief.BANK
    watch(strain, clock, 3, late_every=5)
    assert strain.relief is Relief.BANK


def test_a_frame_now_and_then_changes_nothing():
    clock = Clock()
    strain = Strain(clock)
    watch(strain, clock, 20, late_every=30)
    assert strain.relief is Relief.NONE


def test_it_comes_back_slowly():
    clock = Clock()
    strain = Strain(clock)
    watch(strain, clock, 4.8, late_every=4)
    assert strain.relief is Relief.BANK
    watch(strain, clock, CALM_S - 0.2, late_every=0)
    assert strain.relief is Relief.BANK
    watch(strain, clock, 0.6, late_every=0)
    assert strain.relief is Relief.HALF_SIZE
    watch(strain, clock, CALM_S + 0.4, late_every=0)
    assert strain.relief is Relief.HALF_RATE
    watch(strain, clock, CALM_S + 0.4, late_every=0)
    assert strain.relief is Relief.NONE
