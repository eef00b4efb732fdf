# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What generator and judges are asked for."""

import torch
from torch import Tensor
from torch.nn import functional as F

from training.animated import sketch
from training.animated.discriminators import EYES, MOUTH, region

MOUTH_COUNTS, EYES_COUNT = 8.0, 4.0  # how much more an error counts there
MOVED, MOVED_COUNTS = 0.06, 8.0  # difference from the still that is motion; how much more it counts


def importance(size: int) -> Tensor:
    """Weight of each pixel of a window, mean 1: [1, size, size]."""
    weight = torch.ones(1, size, size)
    region(weight, EYES)[:] = EYES_COUNT
    region(weight, MOUTH)[:] = MOUTH_COUNTS
    return weight / weight.mean()


def pixels(made: Tensor, real: Tensor, still: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean distance of windows [N, 3, n, n].

    What differs from the still counts more: it is little, and a face that never moves is nearly right
    everywhere.
    """
    moved = ((real - still).abs().mean(1, keepdim=True) > MOVED).float()
    return ((made - real).abs() * weight * (1 + MOVED_COUNTS * moved)).mean()


def contours(made: Tensor, real: Tensor, weight: Tensor | None = None) -> Tensor:
    """Distance of the differences of neighbouring pixels, of pictures [N, 3, n, n]: a blur has none.

    Weight [1, n, n]: how much each pixel counts, mean 1; None: all the same.
    """
    apart = made - real
    across, down = apart.diff(dim=3).abs(), apart.diff(dim=2).abs()
    if weight is not None:
        across, down = across * weight[..., :, 1:], down * weight[..., 1:, :]
    return across.mean() + down.mean()


def likeness(said: Tensor, told: Tensor) -> Tensor:
    """Distance of what is said of characters [N, NUMBERS] from the truth; kinds are logits."""
    parts = [F.smooth_l1_loss(said[:, part], told[:, part], beta=0.1) for part in sketch.MEASURES]
    kinds = [F.cross_entropy(said[:, part], told[:, part].argmax(1)) for part in sketch.KINDS]
    return sum([2 * parts[0], 0.3 * parts[1], *(0.3 * kind for kind in kinds)], said.new_zeros(()))


def moved(made: Tensor, real: Tensor) -> Tensor:
    """Distance of what changes from frame to frame about the mouth, of windows [B, T, 3, n, n]."""
    return (region(made, MOUTH).diff(dim=1) - region(real, MOUTH).diff(dim=1)).abs().mean()


def judging(good: Tensor, bad: Tensor) -> Tensor:
    """A judge's loss from logits (non-saturating; Goodfellow et al., 2014)."""
    return F.softplus(-good.float()).mean() + F.softplus(bad.float()).mean()


def persuasion(bad: Tensor) -> Tensor:
    """The generator's."""
    return F.softplus(-bad.float()).mean()


def r1(judge: torch.nn.Module, pictures: Tensor) -> Tensor:
    """Half the squared gradient on real pictures (Mescheder et al., arXiv 1801.04406)."""
    pictures = pictures.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(pictures).sum(), pictures, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()
