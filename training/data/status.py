"""What a corpus' stages have done, counted from their ledgers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from training.ledger import Row, entries
from training.runner import Runner


@dataclass
class StageStatus:
    """One line of the table. Entries made with other settings than those in force are not counted.

    Attributes:
        stage: its name.
        items: known so far: as long as an earlier stage works, more may come.
        done: with rows for the next stage.
        rejected: unfit material.
        failed: could not be done.
        pending: to do.
        rows: given to the next stage.
        media_s: seconds of media in items that ended.
        took_s: time that they took.
        reasons: for rejected and failed ones, most frequent first.
    """

    stage: str
    items: int = 0
    done: int = 0
    rejected: int = 0
    failed: int = 0
    pending: int = 0
    rows: int = 0
    media_s: float = 0.0
    took_s: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def speed(self) -> float:
        """Seconds of media a second of work; 0 where there is no media."""
        return self.media_s / self.took_s if self.took_s else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"speed": round(self.speed, 2)}


def collect(runner: Runner) -> list[StageStatus]:
    """Every stage's status, as things stand."""
    return [
        _count(runner, name, survey.live, len(survey.pending)) for name, survey in runner.survey().items()
    ]


@dataclass(frozen=True)
class Unfit:
    """An item that ended without rows.

    Attributes:
        stage: which turned it down or could not do it.
        name: the recording's file, page or title, and for clips where it begins.
        status: `rejected` or `failed`.
        reason: with its figures.
    """

    stage: str
    name: str
    status: str
    reason: str


def unfit(runner: Runner) -> list[Unfit]:
    """Every item that was turned down or failed, by stage and name."""
    runner.survey()
    found = []
    for stage in runner.stages:
        last = {entry["key"]: entry for entry in entries(runner.root, stage.name)}
        for item in runner.items(stage):
            entry = last.get(stage.key(item))
            if entry is not None and entry["status"] != "done":
                found.append(Unfit(stage.name, _name(item), entry["status"], entry["reason"]))
    return found


def _name(item: Row) -> str:
    path = item.get("path") or item.get("file")
    name = (
        str(path).rpartition("/")[2]
        if path
        else str(item.get("title") or item.get("url") or item.get("id", ""))
    )
    return f"{name} {item['start_s']:.1f} s" if "start_s" in item else name


def _count(runner: Runner, stage: str, live: set[bytes], pending: int) -> StageStatus:
    found = StageStatus(stage, items=len(live), pending=pending)
    last: dict[bytes, tuple[str, str]] = {}
    for entry in entries(runner.root, stage):
        key = bytes.fromhex(entry["key"])
        if key not in live:
            continue
        last[key] = (entry["status"], entry["reason"].partition(":")[0])
        found.media_s += entry["media_s"]
        found.took_s += entry["took_s"]
        found.rows += len(entry["rows"])
    ends = Counter(status for status, _ in last.values())
    found.done, found.rejected, found.failed = ends["done"], ends["rejected"], ends["failed"]
    reasons = Counter(reason for status, reason in last.values() if status != "done")
    found.reasons = dict(reasons.most_common())
    return found
