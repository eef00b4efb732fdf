"""Stage 4a, cut: the target's speech in clips of 3 to 15 s that begin and end in silences."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict

from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "cut"
VERSION = 1
AFTER = ("speakers",)


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
    clips = [clip for clip in group(own, others, config) if clip[1] - clip[0] >= config.min_s]
    if not clips:
        raise Rejected("no stretch of the target is long enough")
    everyone = sorted((a, b) for a, b, _ in item["turns"])
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
        own: the target's, in order.
        others: everyone else's and nobody's; a clip never contains any.
        config: see there.
    """
    clips: list[tuple[float, float]] = []
    for a, b in (piece for stretch in own for piece in _halved(*stretch, config.max_s)):
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


def _halved(a: float, b: float, max_s: float) -> list[tuple[float, float]]:
    """Speech without a pause for longer than a clip may last is cut in equal parts."""
    parts = int(-(-(b - a) // max_s)) or 1
    step = (b - a) / parts
    return [(a + index * step, a + (index + 1) * step) for index in range(parts)]


def _padded(
    a: float, b: float, everyone: list[tuple[float, float]], total_s: float, pad_s: float
) -> tuple[float, float]:
    """Widens a clip by silence, at most to midway to the neighbouring speech."""
    before = max((end for _, end in everyone if end <= a), default=-a)
    after = min((start for start, _ in everyone if start >= b), default=2 * total_s - b)
    start = max(0.0, a - min(pad_s, (a - before) / 2))
    end = min(total_s, b + min(pad_s, (after - b) / 2))
    return round(start, 3), round(end, 3)
