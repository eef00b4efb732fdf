# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What a run shows: TensorBoard (losses by judge, learning rate, pictures), and a line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from parley.engines import Picture
from training.animated import material
from training.animated.model import Animator, pasted
from training.board import RunBoard
from training.data.cartoon import characters, drawing
from training.sda.evaluate import bytes_of
from training.sda.train import pictures

if TYPE_CHECKING:
    from training.animated.train import Trainer

ROW = 6
DEVICE = torch.device("cpu")


class Board(RunBoard):
    """The run's events; a context manager."""

    def scalars(self, trainer: Trainer, told: dict[str, float]) -> None:
        """Losses and the learning rate of a step."""
        steps = trainer.config.steps.of(trainer.name)
        self.progress(trainer.name, trainer.step, steps, told, rates={trainer.name: trainer.rate()})

    @torch.no_grad()
    def show(self, trainer: Trainer) -> None:
        """Pictures of the averaged generator."""
        sheet = progress(trainer)
        self._writer.add_image(f"{trainer.name}/pictures", sheet, trainer.step, dataformats="HWC")


def sheet(rows: list[list[Picture]]) -> Picture:
    """Rows of pictures of one size as one picture."""
    return np.vstack([np.hstack(row) for row in rows])


def listed(video: Tensor) -> list[Picture]:
    """[N, 3, n, n] in -1…1 to N pictures."""
    return list(bytes_of(video.float().clamp(-1, 1)))


@torch.no_grad()
def sampled(net: Animator, count: int, seed: int = 1) -> Tensor:
    """Characters that nobody drew: [count, 3, size, size]."""
    z = torch.randn(count, net.model.z, generator=torch.Generator().manual_seed(seed))
    style = net.mapping(z)
    return net.synthesis(style[:, None].expand(-1, net.model.layers, -1))[0]


@torch.no_grad()
def progress(trainer: Trainer) -> Picture:
    """What a stage is learning, by the averaged generator."""
    net, config = trainer.average, trainer.config
    random = np.random.default_rng(7)
    if trainer.name == "base":
        photos = pictures(material.photo_batch(config.heads, random, ROW)[0], DEVICE)
        large = torch.nn.functional.interpolate(photos, (config.model.size,) * 2, mode="bilinear")
        rows = [large, net.portray(net.encoder(large)), sampled(net, ROW)]
        return sheet([listed(row) for row in rows])
    parameters = material.parameters(config.speech)
    faces, stills, told = [], [], []
    for index in range(ROW):
        who = characters.held_out(index) if index else characters.JUNO
        row = parameters[int(random.integers(len(parameters)))]
        stills.append(drawing.draw(who, drawing.Face(), config.model.size))
        faces.append(drawing.draw(who, material.face(row, np.zeros(3, np.float32)), config.model.size))
        told.append(material.told(row))
    mouth, controls = (torch.from_numpy(np.stack(part)) for part in zip(*told, strict=True))
    still, real = pictures(np.stack(stills), DEVICE), pictures(np.stack(faces), DEVICE)
    content = net.encoder(still)
    made = net.draw(content, net.posed(mouth, controls, torch.zeros(ROW, 3)), still)
    rows = [real, pasted(still, made.shown), pasted(still, made.painted), net.portray(content)]
    return sheet([listed(row) for row in [*rows, sampled(net, ROW)]])
