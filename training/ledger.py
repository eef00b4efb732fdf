"""What stages did, on disk: one append-only ledger per stage and shard. See docs/training-data.md."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import orjson

from parley.errors import ConfigError
from training.data import jsonl
from training.data.workspace import guarded

Row = dict[str, Any]
Status = Literal["done", "rejected", "failed"]

_SYNC_EVERY_S = 1.0


def key_of(stage: str, version: int, config: Row, item: Row) -> str:
    """The key of one piece of work: 32 hex digits of BLAKE2b over everything that decides its result."""
    work = orjson.dumps([stage, version, config, item], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(work, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Shard:
    """The `index`-th of `count` parts of the work, by key: no shard needs to know what others do."""

    index: int = 0
    count: int = 1

    def mine(self, key: str) -> bool:
        """Whether this shard does that item."""
        return int(key[:8], 16) % self.count == self.index

    @classmethod
    def parse(cls, text: str = "") -> Shard:
        """`i/n`; empty: as SLURM (job arrays, tasks of a job, or both) or a Kubernetes indexed Job says,
        else everything.

        Raises:
            ConfigError: not 0 ≤ i < n.
        """
        env = os.environ
        if not text and ("SLURM_PROCID" in env or "SLURM_ARRAY_TASK_ID" in env):
            tasks = int(env.get("SLURM_NTASKS", "1"))
            job = int(env.get("SLURM_ARRAY_TASK_ID", "0")) - int(env.get("SLURM_ARRAY_TASK_MIN", "0"))
            job //= int(env.get("SLURM_ARRAY_TASK_STEP", "1"))
            jobs = int(env.get("SLURM_ARRAY_TASK_COUNT", "1"))
            text = f"{job * tasks + int(env.get('SLURM_PROCID', '0'))}/{jobs * tasks}"
        elif not text and "JOB_COMPLETION_INDEX" in env:
            text = f"{env['JOB_COMPLETION_INDEX']}/{env.get('JOB_COMPLETIONS', '')}"
        if not text:
            return cls()
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None or not int(match[1]) < int(match[2]):
            raise ConfigError(
                f"{text!r} is no shard.",
                fix="Use i/n with 0 <= i < n; in a Kubernetes indexed Job set JOB_COMPLETIONS, too.",
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.index}of{self.count}"


def stage_folder(root: Path, stage: str) -> Path:
    """Where a stage's ledgers lie."""
    return root / "stages" / stage


def entries(root: Path, stage: str) -> Iterator[Row]:
    """Every line of every shard's ledger of a stage, shard by shard in the order written."""
    for path in sorted(stage_folder(root, stage).glob("ledger.*.jsonl")):
        for entry, _ in jsonl.read(path):
            yield entry


def statuses(root: Path, stage: str) -> dict[bytes, Status]:
    """How each item ended, by key; an item that was tried again counts as it ended last."""
    return {bytes.fromhex(entry["key"]): entry["status"] for entry in entries(root, stage)}


class LedgerWriter:
    """One shard's ledger of one stage, open for writing. Lines reach the disk within a second.

    Raises:
        jsonl.Busy: another process runs this shard of this stage.
        StorageStopped: the disk cannot be written.
    """

    def __init__(self, root: Path, stage: str, shard: Shard) -> None:
        self._root = root
        self._by = f"{os.uname().nodename}/{shard}"
        self._synced = time.monotonic()
        with guarded(root):
            self._file = jsonl.Appender(stage_folder(root, stage) / f"ledger.{shard}.jsonl")

    def add(
        self, key: str, status: Status, reason: str, rows: list[Row], *, media_s: float, took_s: float
    ) -> None:
        """Appends one item's end."""
        entry = {
            "key": key,
            "status": status,
            "reason": reason,
            "rows": rows,
            "media_s": round(media_s, 3),
            "took_s": round(took_s, 4),
            "at": round(time.time(), 3),
            "by": self._by,
        }
        due = time.monotonic() - self._synced > _SYNC_EVERY_S
        with guarded(self._root):
            self._file.append([entry], sync=due)
        if due:
            self._synced = time.monotonic()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with guarded(self._root):
            self._file.sync()
        self._file.close()
