# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What styles tell of whose face it is."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.animated import material, sketch
from training.animated.config import Model
from training.animated.model import Content, Encoder, enlarged
from training.sda.model import leaky
from training.sda.train import pictures

PATCHES, RIDGE = 8, 10.0  # of a photo, a side; how much its colours are held to be like others'
TOGETHER = 16


class Likeness(nn.Module):
    """What content says of whose face it is: the numbers of a drawn character (sketch.py), colours first.

    The first `colours` of them are read again beside a photo's own patches, linearly, once all else is learnt
    (`fit`): what a style tells of a colour is near, what the picture shows of it is exact.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        colours, numbers = sketch.CHANNELS, sketch.NUMBERS
        self.palette = nn.Linear(colours + 3 * PATCHES**2, colours).requires_grad_(False)
        nn.init.eye_(self.palette.weight)  # until it is fitted: as the styles tell
        nn.init.zeros_(self.palette.bias)
        takes = (1 + model.layers) * model.style
        self.layers = nn.Sequential(
            nn.Linear(takes, 2 * model.style), leaky(), nn.Linear(2 * model.style, numbers)
        )

    def forward(self, content: Content) -> Tensor:
        """Of B pictures: [B, numbers]."""
        return self.layers(torch.cat([content.style, content.offsets.flatten(1)], 1))

    def read(self, content: Content, photos: Tensor) -> Tensor:
        """Likewise, with the colours of photos [B, 3, n, n]."""
        said = self(content)
        return torch.cat([self.palette(self._shown(said, photos)), said[:, sketch.CHANNELS :]], 1)

    def _shown(self, said: Tensor, photos: Tensor) -> Tensor:
        patches = F.adaptive_avg_pool2d(photos, PATCHES).flatten(1)
        return torch.cat([said[:, : sketch.CHANNELS], patches], 1)

    @torch.no_grad()
    def fit(self, said: Tensor, photos: Tensor, told: Tensor) -> None:
        """Finds the palette by ridge regression.

        Args:
            said: What `forward` says of N photos, [N, numbers].
            photos: Them, [N, 3, n, n].
            told: The truth, [N, numbers].
        """
        shown, colours = self._shown(said, photos).double(), told[:, : sketch.CHANNELS].double()
        usual, middle = shown.mean(0), colours.mean(0)
        x = shown - usual
        square = x.T @ x + RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
        weight = torch.linalg.solve(square, x.T @ (colours - middle)).T
        self.palette.weight.copy_(weight)
        self.palette.bias.copy_(middle - weight @ usual)


@torch.no_grad()
def fit_palette(likeness: Likeness, encoder: Encoder, heads: Path) -> None:
    """Fits the palette of what an encoder says of all training heads; see `Likeness`."""
    seen, told = material.all_heads(heads)
    photos = pictures(seen, torch.device("cpu"))
    said = [likeness(encoder(enlarged(some, encoder.model.size))) for some in photos.split(TOGETHER)]
    likeness.fit(torch.cat(said), photos, torch.from_numpy(told))
