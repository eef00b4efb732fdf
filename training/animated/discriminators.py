# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Who judges: single pictures, mouths, video with its sound, mouths against sound, and styles.

The judges of video and of synchronisation are the realistic face's (`training/sda/discriminators.py`).
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.animated.config import Model
from training.sda.discriminators import SYNC_FRAMES, SequenceJudge, SyncJudge
from training.sda.model import leaky

JUDGED = 128  # pixels of the pictures that the frame judge sees
# Of the window that speech moves: left, top, right, bottom.
MOUTH: Final = (0.15, 0.40, 0.85, 0.925)
EYES: Final = (0.08, 0.0, 0.92, 0.40)
GROUP = 4  # pictures that are compared for variety


def region(pictures: Tensor, place: tuple[float, float, float, float]) -> Tensor:
    """A part of windows [..., n, n]."""
    n = pictures.shape[-1]
    left, top, right, bottom = (round(edge * n) for edge in place)
    return pictures[..., top:bottom, left:right]


def mouths(pictures: Tensor) -> Tensor:
    """The mouth region of windows [..., n, n]."""
    return region(pictures, MOUTH)


class Residual(nn.Module):
    """A block of the StyleGAN2 judge: two convolutions beside a shortcut, half the size."""

    def __init__(self, takes: int, gives: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(takes, takes, 3, 1, 1), leaky())
        self.second = nn.Sequential(nn.Conv2d(takes, gives, 3, 2, 1), leaky())
        self.short = nn.Conv2d(takes, gives, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, takes, n, n] to [N, gives, n / 2, n / 2]."""
        return (self.second(self.first(x)) + self.short(F.avg_pool2d(x, 2))) * 0.5**0.5


class PictureJudge(nn.Module):
    """Is this a picture of the domain? Residual blocks, spread over a group, one logit."""

    def __init__(self, takes: int = 3, size: int = JUDGED) -> None:
        super().__init__()
        self.begin = nn.Sequential(nn.Conv2d(takes * 4, 32, 3, 1, 1), leaky())
        widths = [32, 48, 64, 96, 96]
        count = (size // 8).bit_length() - 1
        self.blocks = nn.ModuleList(Residual(widths[i], widths[i + 1]) for i in range(count))
        self.end = nn.Sequential(nn.Conv2d(widths[count] + 1, 96, 3, 1, 1), leaky(), nn.Flatten())
        self.verdict = nn.Sequential(nn.LazyLinear(96), leaky(), nn.Linear(96, 1))
        self(torch.zeros(GROUP, takes, size, size))  # sizes become known

    def forward(self, pictures: Tensor) -> Tensor:
        """[N, takes, size, size] to logits [N, 1]."""
        x = self.begin(F.pixel_unshuffle(pictures, 2))
        for block in self.blocks:
            x = block(x)
        group = GROUP if len(x) % GROUP == 0 else len(x)
        spread = x.unflatten(0, (group, -1)).float().var(0, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))
        spread = spread.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return self.verdict(self.end(torch.cat([x, spread.to(x.dtype)], 1)))


class Judges(nn.Module):
    """All of them; which of them speak is the stage's and the loss weights' affair."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.frame = PictureJudge()
        self.mouth = PictureJudge(size=64)
        self.sequence, self.sync = SequenceJudge(), SyncJudge()
        self.latent = nn.Sequential(
            nn.Linear(model.style, 128), leaky(), nn.Linear(128, 128), leaky(), nn.Linear(128, 1)
        )


def small(pictures: Tensor) -> Tensor:
    """Pictures [N, 3, n, n] at the size that the frame judge sees."""
    return F.adaptive_avg_pool2d(pictures, JUDGED)


def near(pictures: Tensor) -> Tensor:
    """The mouths of windows [N, 3, n, n] at the size that the mouth judge sees."""
    return F.interpolate(mouths(pictures), (64, 64), mode="bilinear", antialias=True)


def fives(video: Tensor, first: Tensor) -> Tensor:
    """Five mouths from frame `first` [B] on of windows [B, T, 3, n, n]."""
    at = first[:, None] + torch.arange(SYNC_FRAMES)
    return mouths(video)[torch.arange(len(video))[:, None], at]
