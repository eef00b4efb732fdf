# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""The network that finds lips in aligned pictures, real or made, to measure how far apart they are."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.sda.discriminators import mouths
from training.sda.faces import LIPS
from training.sda.model import leaky

PIXELS: Final = 256  # distances are told for a face of this size


class LipNet(nn.Module):
    """The forty lip landmarks, in units of the aligned square."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), leaky(), nn.Conv2d(24, 48, 3, 2, 1), leaky(),
            nn.Conv2d(48, 64, 3, 2, 1), leaky(), nn.Flatten(),
            nn.Linear(64 * 6 * 8, 128), leaky(), nn.Linear(128, LIPS * 2),
        )  # fmt: skip
        self.register_buffer("usual", torch.tensor([0.5, 0.73]))

    def forward(self, pictures: Tensor) -> Tensor:
        """[N, 3, size, size] in -1…1 to [N, LIPS, 2]."""
        small = F.interpolate(mouths(pictures), (48, 64), mode="bilinear", antialias=True)
        return self.usual + 0.1 * self.layers(small).unflatten(1, (LIPS, 2))

    def loss(self, pictures: Tensor, landmarks: Tensor) -> Tensor:
        """Mean distance in pixels of a 256 face; `landmarks` [N, LIPS, 2]."""
        return PIXELS * (self(pictures) - landmarks).norm(dim=-1).mean()


@torch.no_grad()
def lip_distance(net: LipNet, made: Tensor, real: Tensor) -> float:
    """Mean distance between the lips of two videos [T, 3, size, size], in pixels of a 256 face."""
    return float(PIXELS * (net(made) - net(real)).norm(dim=-1).mean())
