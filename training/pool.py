"""Does items, in this process or in others; a process that dies costs the item that killed it, no more."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from parley.errors import EngineUnavailable
from training.data.workspace import Rejected, StorageStopped, Workspace
from training.ledger import Row, Status, key_of

log = logging.getLogger(__name__)

_DIED = "the process that did it died (crash or out of memory)"


@dataclass(frozen=True)
class StageRun:
    """A stage with its settings, as the subject's file has them."""

    module: ModuleType
    config: BaseModel

    @property
    def name(self) -> str:
        """The stage's name."""
        return str(self.module.NAME)

    @property
    def after(self) -> tuple[str, ...]:
        """Stages that it reads."""
        return tuple(self.module.AFTER)

    @property
    def gathers(self) -> bool:
        """Whether it takes all rows as one item."""
        return bool(getattr(self.module, "GATHER", False))

    def key(self, item: Row) -> str:
        """The item's key."""
        return key_of(self.name, self.module.VERSION, self.config.model_dump(mode="json"), item)


@dataclass(frozen=True)
class Outcome:
    """How one item ended."""

    status: Status
    reason: str
    rows: list[Row]
    took_s: float


def outcomes(
    stage: StageRun, items: Iterator[tuple[str, Row]], root: Path, workers: int
) -> Iterator[tuple[str, Row, Outcome]]:
    """Does the items, in this process or in others; order is not kept."""
    if workers == 0 or stage.gathers:
        for key, item in items:
            yield key, item, perform(stage.module.__name__, stage.config, key, item, root)
        return
    suspects: list[tuple[str, Row]] = []
    while True:
        crashed: list[tuple[str, Row]] = []
        yield from _pool(stage, items, root, workers, crashed)
        if not crashed:
            break
        suspects += crashed
    # A process died while these were in hand: each alone, to find whose fault it was.
    for suspect in suspects:
        died: list[tuple[str, Row]] = []
        yield from _pool(stage, iter([suspect]), root, 1, died)
        for key, item in died:
            yield key, item, Outcome("failed", _DIED, [], 0.0)


def _pool(
    stage: StageRun,
    items: Iterator[tuple[str, Row]],
    root: Path,
    workers: int,
    crashed: list[tuple[str, Row]],
) -> Iterator[tuple[str, Row, Outcome]]:
    """Does items until none are left or a worker dies; what was in hand then goes into `crashed`."""
    running: dict[Future[Outcome], tuple[str, Row]] = {}
    # As many processes as cores: more threads in each would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        more = True
        while more or running:
            while more and len(running) < workers + 1 and not crashed:
                following = next(items, None)
                if following is None:
                    more = False
                    break
                key, item = following
                try:
                    future = pool.submit(perform, stage.module.__name__, stage.config, key, item, root)
                except BrokenProcessPool:
                    crashed.append(following)
                    break
                running[future] = following
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                key, item = running.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    crashed.append((key, item))
                    continue
                yield key, item, outcome


def _end_with_parent() -> None:
    """Ends this worker when the process that started it is gone, were it by SIGKILL: nothing else would."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def perform(module: str, config: BaseModel, key: str, item: Row, root: Path) -> Outcome:
    """Does one item. Whatever goes wrong with it is its outcome.

    Raises:
        StorageStopped: the disk cannot be written.
        EngineUnavailable: something is not installed: every item would fail alike.
    """
    run = importlib.import_module(module).run
    status: Status
    began = time.perf_counter()
    try:
        rows = run(item, config, Workspace(root, key))
        status, reason = "done", ""
    except (StorageStopped, EngineUnavailable):
        raise
    except Rejected as rejected:
        rows, status, reason = [], "rejected", str(rejected)
    except MemoryError:
        rows, status, reason = [], "failed", "out of memory"
    except Exception as error:  # the item's top level: one bad recording must not stop forty hours of others
        log.warning("item failed", exc_info=error, extra={"stage": module, "key": key})
        rows, status, reason = [], "failed", f"{type(error).__name__}: {error}"
    return Outcome(status, reason[:500], rows, time.perf_counter() - began)
