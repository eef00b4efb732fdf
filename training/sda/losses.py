# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What the generator is asked for, and what the judges are."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.sda.config import Config, Regions, Weights
from training.sda.discriminators import SYNC_FRAMES, Judges, mouths
from training.sda.faces import EYES, MOUTH, box


@dataclass(frozen=True)
class Material:
    """A batch as tensors: pictures in -1…1."""

    video: Tensor  # [B, T, 3, size, size]
    still: Tensor  # [B, 3, size, size]
    mel: Tensor  # [B, T, MELS, CONTEXT]
    wrong: Tensor  # likewise, out of step
    mouth: Tensor  # [B, T, 6]
    controls: Tensor  # [B, T, 7]
    lid: Tensor  # [B, T]


def importance(size: int, lid: Tensor, regions: Regions) -> Tensor:
    """Weight of each pixel of each frame, mean about 1: [B, T, 1, size, size]."""
    weight = torch.ones(*lid.shape, 1, size, size, device=lid.device)
    weight[..., size // 2 :, :] = regions.lower
    rows, columns = box(MOUTH, size)
    weight[..., rows, columns] = regions.mouth
    rows, columns = box(EYES, size)
    blink = 1 + (regions.blink - 1) * (lid > 0.1).float()[..., None, None, None]
    weight[..., rows, columns] = weight[..., rows, columns] * blink
    return weight / weight.mean()


def reconstruction(
    made: Tensor, mouth: Tensor, real: Material, weights: Weights, regions: Regions
) -> dict[str, Tensor]:
    """Weighted parts that compare with the truth."""
    near = (made - real.video).abs() * importance(made.shape[-1], real.lid, regions)
    moved = mouths(made).diff(dim=1) - mouths(real.video).diff(dim=1)
    return {
        "l1": weights.l1 * near.mean(),
        "motion": weights.motion * moved.abs().mean(),
        "visemes": weights.visemes * visemes(mouth, real.mouth),
    }


def visemes(heard: Tensor, truth: Tensor) -> Tensor:
    """Mouth controls read from sound against the truth."""
    return F.smooth_l1_loss(heard, truth, beta=0.1)


@dataclass(frozen=True)
class Looks:
    """Which frames the judges of single frames and of five frames look at, one each a clip."""

    frame: Tensor  # [B]
    first: Tensor  # [B]

    @classmethod
    def draw(cls, batch: int, frames: int) -> "Looks":
        """At random, by torch's own numbers."""
        return cls(torch.randint(frames, (batch,)), torch.randint(frames - SYNC_FRAMES + 1, (batch,)))


def verdicts(
    judges: Judges, video: Tensor, mel: Tensor, still: Tensor, looks: Looks, weights: Weights
) -> dict[str, Tensor]:
    """Logits of the judges that are not left out."""
    clip = torch.arange(len(video))
    said = {}
    if weights.frame:
        said["frame"] = judges.frame(video[clip, looks.frame], still)
    if weights.sequence:
        said["sequence"] = judges.sequence(video, mel)
    if weights.sync:
        said["sync"] = sync_verdict(judges, video, mel, looks)
    return said


def sync_verdict(judges: Judges, video: Tensor, mel: Tensor, looks: Looks) -> Tensor:
    """The sync judge's logits."""
    clip = torch.arange(len(video))
    at = looks.first[:, None] + torch.arange(SYNC_FRAMES)
    five = mouths(video)[clip[:, None], at]
    return judges.sync(five, mel[clip, looks.first + SYNC_FRAMES // 2])


def judging(judges: Judges, made: Tensor, real: Material, looks: Looks, config: Config) -> dict[str, Tensor]:
    """What each judge is to make small (non-saturating loss; Goodfellow et al., 2014)."""
    weights = config.weights
    good = verdicts(judges, real.video, real.mel, real.still, looks, weights)
    bad = verdicts(judges, made.detach(), real.mel, real.still, looks, weights)
    parts = {
        name: F.softplus(-good[name].float()).mean() + F.softplus(bad[name].float()).mean() for name in good
    }
    if weights.sync:  # real pictures out of step with the sound are as wrong as made ones
        wrong = sync_verdict(judges, real.video, real.wrong, looks)
        parts["sync"] = (
            F.softplus(-good["sync"].float()).mean()
            + 0.5 * F.softplus(bad["sync"].float()).mean()
            + 0.5 * F.softplus(wrong.float()).mean()
        )
    return parts


def persuasion(
    judges: Judges, made: Tensor, real: Material, looks: Looks, weights: Weights
) -> dict[str, Tensor]:
    """Weighted parts that the judges add to the generator's loss."""
    said = verdicts(judges, made, real.mel, real.still, looks, weights)
    return {
        f"fool_{name}": getattr(weights, name) * F.softplus(-logit.float()).mean()
        for name, logit in said.items()
    }
