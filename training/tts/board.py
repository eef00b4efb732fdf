# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What a run shows: TensorBoard (losses, rates, held-out samples, their mels and alignments)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.fastpitch.frames import Floats, mel
from services.tts.fastpitch.length import durations
from training.board import RunBoard
from training.tts.gate import aligned
from training.tts.measures import distortion_db

if TYPE_CHECKING:
    from training.tts.batches import Known
    from training.tts.config import Stage
    from training.tts.train import Trainer

SHOWN = 3


class Board(RunBoard):
    """The run's events; a context manager."""

    def scalars(self, trainer: Trainer, stage: Stage, told: dict[str, float]) -> None:
        """Losses of a step."""
        steps = trainer.config.steps.of(stage)
        self.progress(stage, trainer.step, steps, told, done=trainer.steps_done())

    def show(self, trainer: Trainer) -> None:
        """Held-out sentences at their true durations: sound, mel real above and made below, and alignment."""
        step, distances = trainer.steps_done(), []
        for index, each in enumerate(trainer.held_out[:SHOWN]):
            made = aligned(trainer.slow_acoustic, trainer.slow_vocoder, each)
            distances.append(distortion_db(made, each.clip.audio))
            both = np.concatenate([each.mel.T[::-1], mel(made).T[::-1]])
            self._writer.add_image(f"held_out/mel_{index}", _picture(both), step)
            self._writer.add_image(f"held_out/alignment_{index}", alignment(trainer, each), step)
            sound = torch.from_numpy(np.clip(made, -1, 1))
            self._writer.add_audio(f"held_out/{index}", sound[None], step, SAMPLE_RATE_HZ)
        self._writer.add_scalar("held_out/distortion_db", float(np.mean(distances)), step)


def _picture(values: Floats) -> Tensor:
    """float32 [rows, columns], -2 to 2, as a grey picture [1, rows, columns]."""
    return torch.from_numpy(np.ascontiguousarray(values / 4 + 0.5)).clamp(0, 1)[None]


@torch.no_grad()
def alignment(trainer: Trainer, each: Known) -> Tensor:
    """Phones (rows) over frames: red as recorded, green as predicted, [3, phones, frames]."""
    clip = each.clip
    _, logs, _ = trainer.slow_acoustic.encode(torch.from_numpy(clip.codes)[None])
    said = durations(logs[0].numpy(), speed=1.0)
    picture = np.zeros((3, len(clip.codes), max(int(said.sum()), int(clip.durations.sum()))), np.float32)
    for channel, frames in enumerate((clip.durations, said)):
        rows = np.repeat(np.arange(len(frames)), frames)
        picture[channel, rows, np.arange(len(rows))] = 1
    return torch.from_numpy(picture)
