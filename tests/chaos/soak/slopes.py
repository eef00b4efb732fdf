"""How fast something grows: robust lines through what was sampled, and how much growth is allowed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import median
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Bound:
    """How much something may grow.

    Attributes:
        unit: Of what is sampled.
        an_hour: Growth in an hour that is still called flat.
    """

    unit: str
    an_hour: float


BOUNDS = {
    "memory": Bound("MiB", 60.0),  # of one process; half a day until a limit of 1 GiB is near
    # Steps of one: a pool's last thread is no leak; one for each call would be a hundred an hour.
    "files": Bound("descriptors", 12.0),
    "threads": Bound("threads", 12.0),
    "redis keys": Bound("keys", 12.0),
    "redis memory": Bound("MiB", 6.0),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One thing, sampled again and again.

    Attributes:
        what: A key of `BOUNDS`.
        of: The process, or "redis".
        points: (minutes since the start, value).
    """

    what: str
    of: str
    points: Sequence[tuple[float, float]]

    def by_minute(self) -> list[tuple[float, float]]:
        """The median of each minute: requests come and go, and are no growth."""
        minutes: dict[int, list[float]] = {}
        for at, value in self.points:
            minutes.setdefault(int(at), []).append(value)
        return [(float(minute), median(values)) for minute, values in sorted(minutes.items())]


@dataclass(frozen=True, slots=True)
class Growth:
    """What a series did after the warm-up.

    Attributes:
        what: As in `Series`.
        of: As in `Series`.
        unit: Of `first`, `last` and `an_hour`.
        first: Median of the first fifth.
        last: Median of the last fifth.
        an_hour: The slope.
        allowed: The bound.
    """

    what: str
    of: str
    unit: str
    first: float
    last: float
    an_hour: float
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether it grows no faster than is allowed."""
        return self.an_hour <= self.allowed

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "flat": self.flat}


def growth(series: Series, *, warm_up_min: float) -> Growth:
    """Fits the line.

    The slope is the median of the slopes between all pairs of minutes (Theil 1950, Sen 1968): a collection or
    a burst does not turn it.

    Args:
        series: What was sampled.
        warm_up_min: Left out at the start: caches and pools fill once.

    Raises:
        ValueError: Fewer than two minutes are left.
    """
    points = [(at, value) for at, value in series.by_minute() if at >= warm_up_min]
    if len(points) < 2:
        raise ValueError(f"{series.what} of {series.of} was sampled for too short a time.")
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2)]
    fifth = max(1, len(points) // 5)
    bound = BOUNDS[series.what]
    return Growth(
        series.what,
        series.of,
        bound.unit,
        median(value for _, value in points[:fifth]),
        median(value for _, value in points[-fifth:]),
        60 * median(slopes),
        bound.an_hour,
    )
