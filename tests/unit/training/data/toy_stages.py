"""Toy stages for tests of the runner. Modules are what the runner takes, so these are made on the spot."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

from training.data.workspace import Rejected, Workspace
from training.ledger import Row
from training.pool import StageRun


class Config(BaseModel):
    """One knob."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    knob: int = 0


def stage(
    name: str,
    run: Callable[[Row, Any, Workspace], list[Row]],
    after: tuple[str, ...] = (),
    *,
    gather: bool = False,
    knob: int = 0,
) -> StageRun:
    """A stage made of a function."""
    module = ModuleType(f"tests.toy_{name}")
    module.NAME, module.VERSION, module.AFTER, module.GATHER = name, 1, after, gather  # type: ignore[attr-defined]
    module.Config, module.run = Config, run  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return StageRun(module, Config(knob=knob))


# Below: a real module, for worker processes, which import it by name.

NAME = "crashing"
VERSION = 1
AFTER: tuple[str, ...] = ()


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """Dies of item 3, turns down item 4, says who does item 99 and is long about it."""
    if item["n"] == 99:
        (Path(item["folder"]) / str(os.getpid())).touch()
        time.sleep(60)
    if item["n"] == 3:
        os._exit(9)
    if item["n"] == 4:
        raise Rejected("four")
    return [item]
