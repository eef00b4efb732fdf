# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found"
"""What every trainer's run shows: losses and rates in TensorBoard, and a line for people."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from torch.utils.tensorboard import SummaryWriter

EVERY: Final = 10  # steps between two points of a curve
LINE_S: Final = 5.0  # between two lines


class RunBoard:
    """A run's events; a context manager. Trainers add what they show of held-out material."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))
        self._stage, self._told, self._began, self._first = "", 0.0, time.monotonic(), 0

    def progress(
        self,
        stage: str,
        step: int,
        total: int,
        told: Mapping[str, float],
        *,
        rates: Mapping[str, float] | None = None,
        done: int | None = None,
    ) -> None:
        """Notes a step.

        Args:
            stage: Of the training.
            step: In the stage, from 1.
            total: Steps of the stage.
            told: Losses.
            rates: Learning rates.
            done: Steps of the whole run, for the curves; None: `step`.
        """
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, step - 1
        if step % EVERY == 0:
            at = step if done is None else done
            for name, value in told.items():
                self._writer.add_scalar(f"{stage}/{name}", value, at)
            for name, value in (rates or {}).items():
                self._writer.add_scalar(f"rates/{name}", value, at)
        if now - self._told > LINE_S:
            self._told = now
            pace = (step - self._first) / max(now - self._began, 1e-9)
            line = " ".join(f"{name} {value:.4f}" for name, value in told.items())
            print(f"\r{stage} {step}/{total}, {pace:.2f} steps/s: {line} ", end="", flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
