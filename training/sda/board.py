# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What a run shows: TensorBoard (losses by judge, learning rates, held-out figures, strips with sound)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch

from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from training.board import RunBoard
from training.sda.evaluate import figures, speak

if TYPE_CHECKING:
    from training.sda.config import Stage
    from training.sda.train import Trainer

SHOWN_CLIPS, SHOWN_FRAMES, STRIP = 3, 75, 10


class Board(RunBoard):
    """The run's events; a context manager."""

    def scalars(self, trainer: Trainer, stage: Stage, told: dict[str, float]) -> None:
        """Losses and rates of a step."""
        steps = trainer.config.steps.of(stage)
        self.progress(stage, trainer.step, steps, told, rates=trainer.rates(), done=trainer.steps_done())

    def show(self, trainer: Trainer) -> None:
        """Strips of held-out clips (real above, made below), their sound, and figures."""
        if trainer.stage < 2:
            return
        step, sums = trainer.steps_done(), list[dict[str, float]]()
        sync, lips = (copy.deepcopy(net).cpu() for net in (trainer.sync, trainer.lips))
        for index, clip in enumerate(trainer.held_out()[:SHOWN_CLIPS]):
            shown = speak(trainer.average, clip, SHOWN_FRAMES, trainer.device)
            sums.append(figures(shown.made, shown.real, shown.mel, sync, lips))
            at = np.linspace(0, len(shown.made) - 1, STRIP).astype(int)
            rows = [torch.cat(list(video[at]), -1) for video in (shown.real, shown.made)]
            self._writer.add_image(f"held_out/{index}", (torch.cat(rows, -2) + 1) / 2, step)
            sound = torch.from_numpy(clip.audio()[: len(shown.made) * FRAME_SAMPLES])
            self._writer.add_audio(f"held_out/{index}", sound[None], step, SAMPLE_RATE_HZ)
        for name in sums[0]:
            self._writer.add_scalar(f"held_out/{name}", float(np.mean([s[name] for s in sums])), step)
