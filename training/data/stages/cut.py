"""Stage 4a, cut: the target's speech in clips of 3 to 15 s that begin and end in silences.

Who speaks on without a pause for longer is cut where it is quietest: between words, most likely.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from training.data import sound
from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "cut"
VERSION = 2
AFTER = ("speakers",)

RATE_HZ = 16_000
_AROUND_S = 1.5


class Config(BaseModel):
    """Settings, in seconds.

    Attributes:
        min_s: a shorter clip is left out.
        max_s: no clip is longer.
        aim_s: a pause ends the clip once it is this long.
        gap_s: a longer pause ends it in any case.
        pad_s: silence left on both sides, if there is that much.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_s: float = 3.0
    max_s: float = 15.0
    aim_s: float = 6.0
    gap_s: float = 0.8
    pad_s: float = 0.15


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    own = [(a, b) for a, b, who in item["turns"] if who == item["target"]]
    others = [(a, b) for a, b, who in item["turns"] if who != item["target"]]
    if not own:
        raise Rejected("the target does not speak")
    wav = work.path(item["audio"])
    pieces = [
        piece for stretch in own for piece in parts(*stretch, config.max_s, lambda a, b: quietest(wav, a, b))
    ]
    clips = [clip for clip in group(pieces, others, config) if clip[1] - clip[0] >= config.min_s]
    if not clips:
        raise Rejected("no stretch of the target is long enough")
    everyone = sorted([*pieces, *others])
    rows = []
    for a, b in clips:
        start, end = _padded(a, b, everyone, item["media_s"], config.pad_s)
        rows.append(
            {
                "id": hashlib.sha256(f"{item['id']} {start:.2f} {end:.2f}".encode()).hexdigest()[:16],
                "source": item["id"],
                **{name: item[name] for name in ("title", "audio", "video", "scenes")},
                "start_s": start,
                "end_s": end,
                "media_s": round(end - start, 3),
            }
        )
    return rows


def group(
    own: list[tuple[float, float]], others: list[tuple[float, float]], config: Config
) -> list[tuple[float, float]]:
    """Joins stretches of speech to clips.

    Args:
        own: the target's, in order, none longer than a clip may be.
        others: everyone else's and nobody's; a clip never contains any.
        config: see there.
    """
    clips: list[tuple[float, float]] = []
    for a, b in own:
        last = clips[-1] if clips else None
        if (
            last is not None
            and last[1] - last[0] < config.aim_s
            and a - last[1] <= config.gap_s
            and b - last[0] <= config.max_s
            and not any(start < a and end > last[1] for start, end in others)
        ):
            clips[-1] = (last[0], b)
        else:
            clips.append((a, b))
    return clips


def parts(
    a: float, b: float, max_s: float, quiet: Callable[[float, float], float]
) -> Iterator[tuple[float, float]]:
    """A stretch of speech in about equal parts of at most `max_s`.

    Args:
        a: its start, seconds.
        b: its end.
        max_s: longest part.
        quiet: the quietest time between two.
    """
    count = math.ceil((b - a) / max_s)
    while count > 1:
        ideal = a + (b - a) / count
        cut = quiet(max(ideal - _AROUND_S, b - (count - 1) * max_s), min(ideal + _AROUND_S, a + max_s))
        yield a, cut
        a, count = cut, count - 1
    yield a, b


def quietest(wav: Path, a: float, b: float) -> float:
    """The middle of the quietest 60 ms between two times, seconds."""
    frame = RATE_HZ // 50
    audio = sound.read(wav, a, b, RATE_HZ)
    power = np.square(audio[: len(audio) // frame * frame]).reshape(-1, frame).mean(1)
    if len(power) < 3:
        return (a + b) / 2
    return float(a + (np.convolve(power, np.ones(3), "valid").argmin() + 1.5) / 50)


def _padded(
    a: float, b: float, everyone: list[tuple[float, float]], total_s: float, pad_s: float
) -> tuple[float, float]:
    """Widens a clip by silence, at most to midway to the neighbouring speech."""
    before = max((end for _, end in everyone if end <= a), default=-a)
    after = min((start for start, _ in everyone if start >= b), default=2 * total_s - b)
    start = max(0.0, a - min(pad_s, (a - before) / 2))
    end = min(total_s, b + min(pad_s, (after - b) / 2))
    return round(start, 3), round(end, 3)
