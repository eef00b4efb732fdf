# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Networks that read a drawing, trained on renders, whose truth is known:

    python -m training.animated.reader data/runs/animated/reader.pt             # teaches the generator
    python -m training.animated.reader data/runs/animated/gauge.pt --seed 2     # only measures it

The first sees the mouth and finds its landmarks: the generator's landmark loss. The second also reads whole
pictures: mouth controls, lids and brows (how well they come back from what was made), and who is drawn; its
features give the Fréchet distance. It is trained on other characters, by other numbers, and nothing is ever
trained against it.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from training.animated import material
from training.animated.discriminators import mouths
from training.animated.model import window
from training.data.cartoon import characters, drawing
from training.data.cartoon.characters import HAIR, STYLES, Character
from training.data.cartoon.drawing import Face
from training.data.cartoon.mouth import landmarks
from training.sda.model import leaky
from training.sda.train import pictures

LANDMARKS = 10  # of the lips
USUAL = (0.5, 0.68)  # where lips are, in units of the picture
DOES = ("open", "width", "lift", "tuck", "lid", "brow")  # what a face does, as the gauge reads it
COLOURS = ("skin", "hair", "cloth", "back_top", "iris")
WHO = 3 * len(COLOURS) + len(HAIR) + len(STYLES) + 4
FEATURES = 64  # of a picture, for the Fréchet distance
SEEN = 64  # pixels that the gauge sees of a whole picture
BATCH = 16


class Reader(nn.Module):
    """Lip landmarks of a drawing."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), leaky(), nn.Conv2d(24, 48, 3, 2, 1), leaky(),
            nn.Conv2d(48, 64, 3, 2, 1), leaky(), nn.Flatten(),
            nn.Linear(64 * 6 * 8, 128), leaky(), nn.Linear(128, LANDMARKS * 2),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        """Windows [N, 3, n, n] in -1…1 to [N, LANDMARKS * 2], in tenths of the picture from `USUAL`."""
        small = F.interpolate(mouths(pictures), (48, 64), mode="bilinear", antialias=True)
        return self.layers(small)


class Gauge(nn.Module):
    """Lip landmarks, what a face does, and who it is; all of it only to measure."""

    def __init__(self) -> None:
        super().__init__()
        self.lips = Reader()
        self.does = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), leaky(), nn.Conv2d(24, 48, 3, 2, 1), leaky(),
            nn.Conv2d(48, 64, 3, 2, 1), leaky(), nn.Flatten(),
            nn.Linear(64 * 10 * 10, 96), leaky(), nn.Linear(96, len(DOES)),
        )  # fmt: skip
        self.look = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), leaky(), nn.Conv2d(24, 48, 3, 2, 1), leaky(),
            nn.Conv2d(48, 64, 3, 2, 1), leaky(), nn.Conv2d(64, 64, 3, 2, 1), leaky(), nn.Flatten(),
            nn.Linear(64 * 4 * 4, FEATURES), leaky(),
        )  # fmt: skip
        self.who = nn.Linear(FEATURES, WHO)

    def features(self, whole: Tensor) -> Tensor:
        """Whole pictures [N, 3, n, n] to [N, FEATURES]."""
        return self.look(F.interpolate(whole, (SEEN, SEEN), mode="bilinear", antialias=True))

    def doing(self, windows: Tensor) -> Tensor:
        """Windows [N, 3, n, n] to [N, len(DOES)]."""
        return self.does(F.interpolate(windows, (80, 80), mode="bilinear", antialias=True))


def lips_of(who: Character, face: Face) -> material.Floats:
    """The truth of `Reader`: float32 [LANDMARKS * 2]."""
    told: material.Floats = (10 * (landmarks(who, face) - USUAL)).astype(np.float32).ravel()
    return told


def done(face: Face) -> material.Floats:
    """The truth of `Gauge.doing`: float32 [len(DOES)]."""
    return np.array([*face.mouth[:4], face.lid, face.brow], np.float32)


def likeness(who: Character) -> material.Floats:
    """The truth of `Gauge.who`: colours, kinds and shapes, float32 [WHO]."""
    kinds = [float(who.hair == kind) for kind in HAIR] + [float(who.style == style) for style in STYLES]
    shapes = [4 * (who.wide - 1), float(who.glasses > 0), float(who.beard > 0), 4 * (who.eyes - 1)]
    return np.array([*(c for name in COLOURS for c in who.colours[name]), *kinds, *shapes], np.float32)


def batch(speech: Path, size: int, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures [BATCH, 3, size, size] and the three truths."""
    columns = []
    rows = material.parameters(speech)
    for _ in range(BATCH):
        who = characters.trained(random)
        face = material.face(material.doing(rows, random), material.sliders(random))
        drawn = drawing.draw(who, face, size)
        columns.append((drawn, lips_of(who, face), done(face), likeness(who)))
    drawn, *truths = (np.stack(column) for column in zip(*columns, strict=True))
    shown = pictures(drawn, torch.device("cpu"))
    light, contrast = 0.1 * torch.randn(BATCH, 1, 1, 1), 1 + 0.1 * torch.randn(BATCH, 1, 1, 1)
    lips, does, who_ = (torch.from_numpy(truth) for truth in truths)
    return shown * contrast + light, lips, does, who_


def main(
    out: Annotated[Path, typer.Argument(help="Where to; named gauge….pt: the network that measures.")],
    speech: Annotated[Path, typer.Option(help="See training.sda.speech.")] = Path("data/speech"),
    steps: Annotated[int, typer.Option(help="Of 16 drawings each.")] = 350,
    seed: Annotated[int, typer.Option(help="Of characters and weights.")] = 1,
    size: Annotated[int, typer.Option(help="Of the drawings.")] = 256,
) -> None:
    """Train one of the reading networks."""
    torch.manual_seed(seed)
    net = Gauge() if out.stem.startswith("gauge") else Reader()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    random, told = np.random.default_rng([seed, 0x6A6]), 0.0
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1.5e-3 * max(1 - step / steps, 0.05)
        shown, lips, does, who = batch(speech, size, random)
        if isinstance(net, Reader):
            parts = [F.smooth_l1_loss(net(window(shown)), lips, beta=0.05)]
        else:
            parts = [
                F.smooth_l1_loss(net.lips(window(shown)), lips, beta=0.05),
                F.smooth_l1_loss(net.doing(window(shown)), does, beta=0.1),
                F.smooth_l1_loss(net.who(net.features(shown)), who, beta=0.1),
            ]
        optimiser.zero_grad(set_to_none=True)
        sum(parts, torch.zeros(())).backward()
        optimiser.step()
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"{step}/{steps}", *(f"{part.item():.4f}" for part in parts), flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), out)


if __name__ == "__main__":
    typer.run(main)
