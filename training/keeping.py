# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What every trainer needs beside its lessons: checkpoints that are whole, and averaged weights."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes `state`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, *, decay: float, step: int) -> None:
    """An averaged network comes nearer; in its first steps faster, or it would hold chance."""
    decay = min(decay, (1 + step) / (10 + step))
    for average, current in zip(slow.parameters(), fast.parameters(), strict=True):
        average.lerp_(current, 1 - decay)
