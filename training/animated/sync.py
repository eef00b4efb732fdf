# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A network that knows when a drawn mouth and a sound belong together, to measure with:

    python -m training.animated.sync data/runs/animated/sync.pt

It is the realistic face's (`training/sda/syncnet.py`), trained on drawings of other characters than the
generator's, drawn by another seed; nothing is ever trained against it.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from parley.errors import ConfigError
from services.sda.face import mel
from training.animated import material
from training.animated.discriminators import mouths
from training.animated.material import Floats
from training.animated.model import window
from training.sda.clips import Clip
from training.sda.syncnet import Sync, SyncNet, chance, measure
from training.sda.train import pictures

FRAMES, CLIPS = 20, 4  # of a window; windows a step
PIXELS = 128  # of the drawings


class DrawnSync(SyncNet):
    """Sees the mouths of windows."""

    region = staticmethod(mouths)


def sync_of(path: Path) -> DrawnSync:
    """The trained network.

    Raises:
        ConfigError: There is none.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist.", fix=f"python -m training.animated.sync {path}")
    net = DrawnSync()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval().requires_grad_(False)


def heard(clip: Clip, count: int) -> Tensor:
    """What is heard of a clip's first frames, [count, MELS, CONTEXT]."""
    contexts: Floats = mel.contexts(mel.of_clip(clip.audio()), 0, count)
    return torch.from_numpy(contexts)


def in_step(net: DrawnSync, made: Tensor, clip: Clip) -> Sync:
    """Offset and confidence of windows [T, 3, h, w] with their clip's sound."""
    return measure(net, made, heard(clip, len(made)))


def main(
    out: Annotated[Path, typer.Argument(help="Where to.")],
    speech: Annotated[Path, typer.Option(help="See training.sda.speech.")] = Path("data/speech"),
    steps: Annotated[int, typer.Option(help=f"Of {CLIPS} windows each.")] = 400,
    seed: Annotated[int, typer.Option(help="Of characters and weights.")] = 3,
) -> None:
    """Train the network; prints its loss beside that of one that knows nothing."""
    torch.manual_seed(seed)
    net, random, told = DrawnSync(), np.random.default_rng([seed, 0x5C]), 0.0
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    source = material.Source(speech, Path(), PIXELS, FRAMES, seed)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-3 * max(1 - step / steps, 0.05)
        batch = material.spoken(source, CLIPS, step, random)
        loss = net.loss(window(pictures(batch.video, torch.device("cpu"))), torch.from_numpy(batch.mel))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"{step}/{steps} {loss.item():.3f} (chance {chance(FRAMES):.3f})", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), out)


if __name__ == "__main__":
    typer.run(main)
