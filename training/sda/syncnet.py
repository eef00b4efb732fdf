# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A network that knows when a mouth and a sound belong together: to measure with, never to train against.

After Chung and Zisserman, "Out of time" (2016), trained by InfoNCE over the shifts within a clip. It sees
only real mouths of clips; its figures on generated video are comparable with those on real video alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from services.sda.face.mel import CONTEXT, MELS
from training.sda.discriminators import SYNC_FRAMES, mouths
from training.sda.model import leaky

HALF = SYNC_FRAMES // 2
FARTHEST = 10  # frames by which an offset is looked for


class SyncNet(nn.Module):
    """Mouths and sounds to points of one sphere."""

    region: Callable[[Tensor], Tensor] = staticmethod(mouths)  # what of a picture is seen

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.seen = nn.Sequential(
            nn.Conv2d(3 * SYNC_FRAMES, 32, 3, 1, 1), leaky(), nn.Conv2d(32, 48, 3, 2, 1), leaky(),
            nn.Conv2d(48, 64, 3, 2, 1), leaky(), nn.Flatten(), nn.Linear(64 * 6 * 8, width),
        )  # fmt: skip
        self.heard = nn.Sequential(
            nn.Conv1d(MELS, 96, 3, 2, 1), leaky(), nn.Conv1d(96, 128, 3, 2, 1), leaky(), nn.Flatten(),
            nn.Linear(128 * (CONTEXT // 4), width),
        )  # fmt: skip
        self.sharpness = nn.Parameter(torch.tensor(2.5))

    def see(self, video: Tensor) -> Tensor:
        """Video [B, T, 3, size, size] in -1…1 to [B, T - 4, width]; the first is of frame 2."""
        small = F.interpolate(self.region(video).flatten(0, 1), (24, 32), mode="bilinear", antialias=True)
        small = small.unflatten(0, video.shape[:2])
        count = video.shape[1] - 2 * HALF
        fives = torch.cat([small[:, i : i + count] for i in range(SYNC_FRAMES)], 2)
        return F.normalize(self.seen(fives.flatten(0, 1)), dim=-1).unflatten(0, (len(video), count))

    def hear(self, mel: Tensor) -> Tensor:
        """[B, T, MELS, CONTEXT] to [B, T, width]."""
        return F.normalize(self.heard(mel.flatten(0, 1)), dim=-1).unflatten(0, mel.shape[:2])

    def loss(self, video: Tensor, mel: Tensor) -> Tensor:
        """Among the frames of its clip, each mouth must find its sound, and each sound its mouth."""
        seen, heard = self.see(video), self.hear(mel[:, HALF:-HALF])
        likeness = torch.einsum("bid,bjd->bij", seen, heard) * self.sharpness.exp().clamp(max=100)
        count = likeness.shape[1]
        right = torch.arange(count, device=video.device).expand(len(video), count).reshape(-1)
        return (
            F.cross_entropy(likeness.reshape(-1, count), right)
            + F.cross_entropy(likeness.transpose(1, 2).reshape(-1, count), right)
        ) / 2


def chance(frames: int) -> float:
    """The loss of a network that knows nothing."""
    return math.log(frames - 2 * HALF)


@dataclass(frozen=True, slots=True)
class Sync:
    """What a clip measures.

    Attributes:
        offset: Frames by which the sound must be moved to fit best; 0 is in step.
        confidence: Median over offsets of the mean distance, less the least; 0 is no relation.
    """

    offset: int
    confidence: float


@torch.no_grad()
def measure(net: SyncNet, video: Tensor, mel: Tensor) -> Sync:
    """Offset and confidence of one clip: [T, 3, size, size] and [T, MELS, CONTEXT]; T > 24."""
    seen, heard = net.see(video[None])[0], net.hear(mel[None, HALF:-HALF])[0]
    inner = slice(FARTHEST, len(seen) - FARTHEST)
    distances = torch.stack(
        [
            (seen[inner] - heard[FARTHEST + d : len(heard) - FARTHEST + d]).norm(dim=-1).mean()
            for d in range(-FARTHEST, FARTHEST + 1)
        ]
    )
    best = int(distances.argmin())
    return Sync(best - FARTHEST, float(distances.median() - distances[best]))
