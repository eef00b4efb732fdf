# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Three judges with spectral normalisation and no batch normalisation (which ruins the third).

- frame: is this picture of this person real? (picture and still)
- sequence: do these pictures move as people do who say this? (all frames and the sound)
- sync: do these five pictures of a mouth belong to this sound?
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from services.sda.face.mel import CONTEXT, MELS
from training.sda.faces import MOUTH, box
from training.sda.model import leaky

SYNC_FRAMES = 5
_SEQUENCE_SIZE = 64


def mouths(video: Tensor) -> Tensor:
    """The mouth region of [..., size, size]."""
    rows, columns = box(MOUTH, video.shape[-1])
    return video[..., rows, columns]


def _narrowing(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(channels):
        layers += [spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), leaky()]
    return nn.Sequential(*layers)


def _ear(width: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv1d(MELS, 96, 3, 2, 1)), leaky(),
        spectral_norm(nn.Conv1d(96, 128, 3, 2, 1)), leaky(),
        nn.Flatten(), spectral_norm(nn.Linear(128 * (CONTEXT // 4), width)),
    )  # fmt: skip


class FrameJudge(nn.Module):
    """Patch logits: each looks at a part of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = _narrowing(6, 32, 64, 96, 128)
        self.verdict = spectral_norm(nn.Conv2d(128, 1, 3, 1, 1))

    def forward(self, picture: Tensor, still: Tensor) -> Tensor:
        """[N, 3, size, size] each to logits [N, 1, size / 16, size / 16]."""
        return self.verdict(self.layers(torch.cat([picture, still], 1)))


class SequenceJudge(nn.Module):
    """A logit a frame, knowing all frames before it."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.layers = _narrowing(3, 16, 32, 64, 96)
        self.seen = spectral_norm(nn.Linear(96 * (_SEQUENCE_SIZE // 16) ** 2, width))
        self.heard = _ear(64)
        self.remember = nn.GRU(width + 64, width, batch_first=True)
        self.verdict = spectral_norm(nn.Linear(width, 1))

    def forward(self, video: Tensor, mel: Tensor) -> Tensor:
        """[B, T, 3, size, size] and [B, T, MELS, CONTEXT] to [B, T, 1]."""
        small = F.adaptive_avg_pool2d(video.flatten(0, 1), _SEQUENCE_SIZE)
        seen = self.seen(self.layers(small).flatten(1))
        heard = self.heard(mel.flatten(0, 1))
        both = torch.cat([seen, heard], 1).unflatten(0, video.shape[:2])
        return self.verdict(self.remember(both)[0])


class SyncJudge(nn.Module):
    """A logit for five mouths and the sound about the middle one, from how far apart they are."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.layers = _narrowing(3 * SYNC_FRAMES, 48, 64, 96)
        self.seen = spectral_norm(nn.Linear(96 * 6 * 8, width))
        self.heard = _ear(width)
        self.verdict = nn.Linear(width, 1)

    def forward(self, five: Tensor, mel: Tensor) -> Tensor:
        """[N, 5, 3, h, w] (mouths) and [N, MELS, CONTEXT] to [N, 1]."""
        small = F.interpolate(five.flatten(1, 2), (48, 64), mode="bilinear", antialias=True)
        apart = self.seen(self.layers(small).flatten(1)) - self.heard(mel)
        return self.verdict(apart**2)


class Judges(nn.Module):
    """All three; which of them speak is the loss weights' affair."""

    def __init__(self) -> None:
        super().__init__()
        self.frame, self.sequence, self.sync = FrameJudge(), SequenceJudge(), SyncJudge()
