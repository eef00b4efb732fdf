# mypy: disable-error-code="import-not-found, no-any-return"
"""Spoils pictures before the judge sees them, as often as it needs, so that few pictures teach it for long.

Differentiable operations on real and made pictures alike (Zhao et al., arXiv 2006.10738), each with a
probability that follows how sure the judge is of real pictures (ADA: Karras et al., arXiv 2006.06676).
"""

import torch
from torch import Tensor

STEP = 0.01  # by which the probability may change a step
MOST = 0.8


class Adaptive:
    """The probability p.

    Args:
        target: Mean sign of the judge's logits on real pictures that p holds.
    """

    def __init__(self, target: float, probability: float = 0.0) -> None:
        self.target, self.probability = target, probability

    def follow(self, real: Tensor) -> None:
        """Logits of real pictures: surer than the target means more spoiling."""
        sure = float(real.detach().sign().mean())
        self.probability = min(max(self.probability + (STEP if sure > self.target else -STEP), 0.0), MOST)

    def __call__(self, pictures: Tensor) -> Tensor:
        """[N, 3, n, n] in -1…1, some of them mirrored, moved, recoloured or partly covered."""
        p = self.probability
        return pictures if p == 0 else _covered(_moved(_coloured(_mirrored(pictures, p), p), p), p)


def _chosen(pictures: Tensor, p: float) -> Tensor:
    """1 for the pictures that an operation changes: [N, 1, 1, 1]."""
    return (torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < p).to(pictures.dtype)


def _mirrored(pictures: Tensor, p: float) -> Tensor:
    return torch.where(_chosen(pictures, p / 2) > 0, pictures.flip(3), pictures)


def _coloured(pictures: Tensor, p: float) -> Tensor:
    chosen = _chosen(pictures, p)
    light, rich = (torch.rand_like(chosen) - 0.5 for _ in range(2))
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (pictures - grey) * (1 + chosen * rich)
    middle = pictures.mean((1, 2, 3), keepdim=True)
    contrast = 1 + chosen * (torch.rand_like(chosen) - 0.5)
    return middle + (pictures - middle) * contrast + chosen * light * 0.6


def _moved(pictures: Tensor, p: float) -> Tensor:
    """By up to an eighth of the side, the edge repeated."""
    n = pictures.shape[-1]
    shift = torch.randint(-(n // 8), n // 8 + 1, (len(pictures), 2, 1), device=pictures.device)
    shift = shift * _chosen(pictures, p)[:, :, :, 0].long()
    line = torch.arange(n, device=pictures.device)
    rows, columns = (line + shift).clamp(0, n - 1).unbind(1)
    each = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return pictures.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _covered(pictures: Tensor, p: float) -> Tensor:
    n = pictures.shape[-1]
    middle = torch.rand(len(pictures), 2, 1, device=pictures.device) * n
    line = torch.arange(n, device=pictures.device)
    rows, columns = ((line - middle).abs() < n / 6).unbind(1)
    inside = (rows[:, :, None] & columns[:, None, :])[:, None].to(pictures.dtype)
    return pictures * (1 - inside * _chosen(pictures, p / 2))
