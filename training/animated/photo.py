# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Photos into the space of styles: what the exported weights make of a framed photo."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from parley.engines import Picture
from training.animated.config import Model
from training.animated.model import Animator, Encoder
from training.sda.evaluate import bytes_of
from training.sda.train import pictures


def restored(weights: Path) -> tuple[Animator, Encoder]:
    """Generator and photos' encoder of an exported folder; the noise is always the same, so not kept."""
    model = Model.model_validate(json.loads((weights / "config.json").read_text(encoding="utf-8"))["model"])
    tensors = {name: value.float() for name, value in load_file(weights / "model.safetensors").items()}
    net, photo = Animator(model), Encoder(model)
    kept = {name: value for name, value in tensors.items() if not name.startswith("photo.")}
    net.load_state_dict(net.state_dict() | kept)
    photo.load_state_dict({name.removeprefix("photo."): v for name, v in tensors.items() if name not in kept})
    return net.eval().requires_grad_(False), photo.eval().requires_grad_(False)


@torch.no_grad()
def draw(photo: Picture, weights: Path) -> Picture:
    """The drawn self, RGB uint8 [size, size, 3], of a framed photo of that size."""
    net, encoder = restored(weights)
    (whole,) = bytes_of(
        net.portray(encoder(pictures(np.array(photo)[None], torch.device("cpu")))).clamp(-1, 1)
    )
    return whole
