# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Photos into the space of styles, and their drawn selves out of it, by exported weights.

The encoder that learnt from realistic heads puts a photo into W+. What it says there is read as the numbers
of a character (sketch.py), who is drawn as the training's characters are: sharp, in any style of drawing. The
generator paints the same styles by itself, too, more softly.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from parley.engines import Picture
from parley.errors import ConfigError
from training.animated import sketch
from training.animated.config import Model
from training.animated.likeness import Likeness
from training.animated.model import Animator, Content, Encoder
from training.data.cartoon import drawing
from training.data.cartoon.characters import Character, Style
from training.sda.evaluate import bytes_of
from training.sda.train import pictures

# Of a photo that is framed as the realistic face's are, the square that the encoder's heads fill (heads.py: a
# narrower view from a little higher): left, top, side, in units of its side.
NEARER: Final = (0.061, 0.033, 0.878)


@dataclass(frozen=True)
class Portraitist:
    """Exported weights that draw the selves of photos."""

    net: Animator
    photo: Encoder
    likeness: Likeness

    def content(self, photo: Picture) -> Content:
        """W+ of a photo of a head, framed as `training.animated.heads` frames them."""
        return self.photo(self._seen(photo))

    def _seen(self, photo: Picture) -> Tensor:
        size = self.net.model.size
        seen = cv2.resize(np.asarray(photo), (size, size), interpolation=cv2.INTER_AREA)
        return pictures(seen[None].astype(np.uint8), torch.device("cpu"))

    def character(self, photo: Picture, style: Style = "soft") -> Character:
        """Whom its styles tell of."""
        return self.read(self._seen(photo), style)

    @torch.no_grad()
    def read(self, seen: Tensor, style: Style = "soft") -> Character:
        """Likewise, of a photo [1, 3, size, size] in -1…1."""
        return sketch.character(self.likeness.read(self.photo(seen), seen)[0].numpy(), style)

    def draw(self, photo: Picture, style: Style = "soft") -> Picture:
        """The drawn self, RGB uint8 [size, size, 3]."""
        return drawing.draw(self.character(photo, style), drawing.Face(), self.net.model.size)

    @torch.no_grad()
    def paint(self, photo: Picture) -> Picture:
        """What the generator makes of the styles by itself, RGB uint8 [size, size, 3]."""
        (whole,) = bytes_of(self.net.portray(self.content(photo)).clamp(-1, 1))
        return whole


def restored(weights: Path) -> Portraitist:
    """From an exported folder; the noise is always the same, so not kept.

    Raises:
        ConfigError: The folder holds nothing that reads photos.
    """
    model = Model.model_validate(json.loads((weights / "config.json").read_text(encoding="utf-8"))["model"])
    tensors = {name: value.float() for name, value in load_file(weights / "model.safetensors").items()}
    if not any(name.startswith("likeness.") for name in tensors):
        raise ConfigError(
            f"{weights} was exported by an older trainer: it tells no drawn selves.", fix="make animated"
        )
    net, photo, likeness = Animator(model), Encoder(model), Likeness(model)
    parts: dict[str, torch.nn.Module] = {"photo": photo, "likeness": likeness}
    for prefix, part in parts.items():
        own = {name: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
        part.load_state_dict({name.removeprefix(f"{prefix}."): value for name, value in own.items()})
    painters = {name: value for name, value in tensors.items() if name.split(".")[0] not in parts}
    net.load_state_dict(net.state_dict() | painters)
    for each in (net, photo, likeness):
        each.eval().requires_grad_(False)
    return Portraitist(net, photo, likeness)


def draw(framed: Picture, weights: Path, style: Style = "soft", *, painted: bool = False) -> Picture:
    """The drawn self of whoever is in a photo.

    Args:
        framed: The photo, framed as `training.sda.still.framed` does.
        weights: Exported folder.
        style: How it is drawn.
        painted: By the generator alone, in its own style, softly.

    Returns:
        RGB uint8 [size, size, 3], the generator's size.
    """
    hand = restored(weights)
    return hand.paint(nearer(framed)) if painted else hand.draw(nearer(framed), style)


def nearer(framed: Picture) -> Picture:
    """The part of a framed photo [n, n, 3] that the encoder is shown."""
    left, top, side = (round(edge * len(framed)) for edge in NEARER)
    return framed[top : top + side, left : left + side]
