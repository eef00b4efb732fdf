"""Runs stages over items, resumably, on one machine or as one shard of many.

A stage is a module:

    NAME, VERSION     VERSION grows when the same input would give another output
    AFTER             names of the stages whose rows are its items; () for the first
    GATHER            True: one item that holds all rows of the stages before, for work across all of them
    Config            a strict pydantic model, the stage's block in the subject's YAML
    run(item, config, work) -> list[Row]   raises `Rejected` for unfit material
    context(root, config) -> Row           (GATHER only, optional) what else its result depends on

Nothing else is kept about progress than the ledgers (`training/ledger.py`): killed at any moment, the next
run goes on at the first item without a line. A failure is a line with a reason, never a stop; only a disk
that cannot be written stops a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from parley.errors import ParleyError
from training.data.workspace import check_space
from training.ledger import LedgerWriter, Row, Shard, entries, statuses
from training.pool import StageRun, outcomes

_CHECK_SPACE_EVERY_S = 5.0
_POLL_S = 1.0
ALL = Shard()


def _place(row: Row) -> tuple[str, bytes]:
    """Orders rows whatever order they were made in; twins by the rest of them."""
    return str(row.get("id", "")), orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def _latest(root: Path, stage: str) -> bytes | None:
    # Of lines of the same millisecond the later one in the ledger: `max` alone would take the first.
    numbered = enumerate(entries(root, stage))
    _, last = max(numbered, key=lambda each: (float(each[1]["at"]), each[0]), default=(0, None))
    return bytes.fromhex(last["key"]) if last else None


class NotReady(ParleyError):
    """Other shards have not finished what this stage gathers."""


@dataclass
class Survey:
    """What is there to do: keys of all items in order of discovery, and which of them have no line yet."""

    live: set[bytes] = field(default_factory=set)
    pending: set[bytes] = field(default_factory=set)
    elsewhere: int = 0


Progress = Callable[[str, int, int, float], None]


def silent(stage: str, done: int, total: int, media_s: float) -> None:
    """Shows nothing."""


class Runner:
    """Runs the stages of one subject.

    Args:
        root: the corpus folder.
        stages: in order; each reads only stages before it.
        inputs: items of the first stage.
        shard: the part of the items that this process does.
        workers: processes that do them; 0 does them in this one.
        reserve_mb: free space that is never used up.
        wait_s: how long to wait for other shards where a stage gathers everything.
        retry: do items again that ended as `failed`.
        progress: told after each item.
    """

    def __init__(
        self,
        root: Path,
        stages: Sequence[StageRun],
        inputs: Callable[[], Iterable[Row]],
        *,
        shard: Shard = ALL,
        workers: int = 0,
        reserve_mb: int = 200,
        wait_s: float = 0.0,
        retry: bool = False,
        progress: Progress = silent,
    ) -> None:
        self.root = root
        self.stages = stages
        self._inputs = inputs
        self._shard = shard
        self._workers = workers
        self._reserve_mb = reserve_mb
        self._wait_s = wait_s
        self._retry = retry
        self._progress = progress
        self._live: dict[str, set[bytes]] = {}

    def run(self, only: str = "", until: str = "") -> None:
        """Runs the stages in order.

        Args:
            only: this stage alone; those before it are read, not run.
            until: this stage last.

        Raises:
            StorageStopped: the disk cannot be written.
            NotReady: a gathering stage waits for other shards, longer than `wait_s`.
        """
        for stage in self.stages:
            if only and stage.name != only:
                self._live[stage.name] = self._survey(stage).live
                continue
            self._run_stage(stage)
            if stage.name in (only, until):
                return

    def rows(self, stage: str) -> Iterator[Row]:
        """Rows that a stage gave with the settings in force; `run` or `survey` must have passed it."""
        live, seen = self._live[stage], set[bytes]()
        for entry in entries(self.root, stage):
            key = bytes.fromhex(entry["key"])
            if entry["status"] == "done" and key in live and key not in seen:
                seen.add(key)
                yield from entry["rows"]

    def survey(self) -> dict[str, Survey]:
        """What each stage has to do as things stand, without doing it."""
        found = {}
        for stage in self.stages:
            found[stage.name] = self._survey(stage)
            self._live[stage.name] = found[stage.name].live
        return found

    def _run_stage(self, stage: StageRun) -> None:
        check_space(self.root, self._reserve_mb)
        if stage.gathers or self._shard.count > 1:
            self._await(self._ancestors(stage), f"{stage.name} needs all of what comes before it")
        survey = self._survey(stage, retry=self._retry)
        self._live[stage.name] = survey.live
        mine = {key for key in survey.pending if stage.gathers or self._shard.mine(key.hex())}
        self._progress(stage.name, len(survey.live) - len(survey.pending), len(survey.live), 0.0)
        if mine and stage.gathers and self._shard.index:
            self._await([stage], "shard 0 does it")
        elif mine:
            with LedgerWriter(self.root, stage.name, self._shard) as ledger:
                self._do(stage, mine, len(survey.live), ledger)

    def _do(self, stage: StageRun, mine: set[bytes], total: int, ledger: LedgerWriter) -> None:
        before = total - len(mine)
        done, media_s, checked = 0, 0.0, time.monotonic()
        for key, item, outcome in outcomes(stage, self._pending(stage, mine), self.root, self._workers):
            # The first stages' items do not know their length yet; what came of them does.
            seconds = float(item.get("media_s") or sum(row.get("media_s", 0.0) for row in outcome.rows))
            ledger.add(
                key,
                outcome.status,
                outcome.reason,
                outcome.rows,
                media_s=seconds,
                took_s=outcome.took_s,
            )
            done, media_s = done + 1, media_s + seconds
            self._progress(stage.name, before + done, total, media_s)
            if time.monotonic() - checked > _CHECK_SPACE_EVERY_S:
                check_space(self.root, self._reserve_mb)
                checked = time.monotonic()

    def _pending(self, stage: StageRun, mine: set[bytes]) -> Iterator[tuple[str, Row]]:
        left = set(mine)
        for item in self.items(stage):
            key = stage.key(item)
            raw = bytes.fromhex(key)
            if raw in left:
                left.discard(raw)
                yield key, item
                if not left:
                    return

    def items(self, stage: StageRun) -> Iterator[Row]:
        """A stage's items, streamed from the ledgers before it; `run` or `survey` must have passed these."""
        if not stage.after:
            yield from self._inputs()
        elif stage.gathers:
            item: Row = {name: sorted(self.rows(name), key=_place) for name in stage.after}
            context = getattr(stage.module, "context", None)
            yield item | (context(self.root, stage.config) if context else {})
        else:
            (name,) = stage.after
            yield from self.rows(name)

    def _survey(self, stage: StageRun, *, retry: bool = False) -> Survey:
        survey = Survey()
        ended = statuses(self.root, stage.name)
        # A gathering stage also writes files of its own (hand-over, queue): of its lines only the latest says
        # what these hold, so that settings that were changed and changed back are work again.
        latest = _latest(self.root, stage.name) if stage.gathers else None
        for item in self.items(stage):
            key = bytes.fromhex(stage.key(item))
            if key in survey.live:
                continue
            survey.live.add(key)
            status = ended.get(key)
            if status is None or latest not in (None, key) or (retry and status == "failed"):
                survey.pending.add(key)
        return survey

    def _await(self, stages: Sequence[StageRun], why: str) -> None:
        """Waits until each of `stages`, in order, has a line for every item, by whichever shard."""
        deadline = time.monotonic() + self._wait_s
        while True:
            left = {}
            for stage in stages:
                survey = self._survey(stage)
                self._live[stage.name] = survey.live
                if survey.pending:
                    left[stage.name] = len(survey.pending)
            if not left:
                return
            if time.monotonic() > deadline:
                counts = ", ".join(f"{name}: {count}" for name, count in left.items())
                raise NotReady(
                    f"{why}; items that other shards have not done: {counts}.",
                    fix="Run the same command again when they have, or give --wait SECONDS.",
                )
            time.sleep(_POLL_S)

    def _ancestors(self, stage: StageRun) -> list[StageRun]:
        found = set(stage.after)
        for each in reversed(self.stages):
            if each.name in found:
                found.update(each.after)
        return [each for each in self.stages if each.name in found]
