"""Realistic heads, a few pictures of each of many people: `python -m training.animated.heads OUT`.

Clips show few people for long; an encoder of photos needs many people for a moment. The people are those that
the synthetic corpus trains on and holds out; the realistic avatars are held out here, too, so that their
photos are strangers' to the generator.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from training.data.synthetic_faces.bank import articulation, to_bytes
from training.data.synthetic_faces.identities import named
from training.data.synthetic_faces.parameters import IDENTITIES, Upper
from training.data.synthetic_faces.plan import TRAINED, held_out
from training.data.synthetic_faces.renderer import CAMERA, Renderer

PIXELS = 128
Bytes = NDArray[np.uint8]
Split = Literal["train", "test"]


def people() -> dict[str, Split]:
    """Who is rendered, and what for."""
    kept = held_out().identities
    strangers = [*sorted(IDENTITIES), *(f"seed-{seed}" for seed in range(kept.first, kept.last + 1))]
    split: dict[str, Split] = {f"seed-{seed}": "train" for seed in TRAINED}
    return split | dict.fromkeys(strangers, "test")


def photographed(name: str, count: int) -> Iterator[Bytes]:
    """Pictures of a person, RGB uint8 [PIXELS, PIXELS, 3]: at rest first, then as one is in snapshots."""
    random = np.random.default_rng([*name.encode(), 0x4EAD])
    for number in range(count):
        lively = float(number > 0)
        view = float(random.uniform(0.165, 0.195))
        camera = (float(random.normal(0, 0.5)), CAMERA[1] + 0.9 + float(random.normal(0, 0.5)))
        yaw, pitch, roll = (float(v) for v in lively * random.normal(0, (0.08, 0.04, 0.02)))
        opened, width = lively * random.uniform((0.0, -0.4), (0.6, 0.8))
        upper = Upper(brow=lively * float(random.normal(0, 0.15)))
        mouth = articulation(float(opened), float(width), 0.0)
        with Renderer(named(name), size=PIXELS, supersample=1, field_of_view=view) as renderer:
            picture, _ = renderer.render(mouth, upper, turn=(yaw, pitch, roll), camera=camera)
        yield to_bytes(picture)


def main(
    out: Annotated[Path, typer.Argument(help="File to write, .npz.")],
    each: Annotated[int, typer.Option(help="Pictures of a person.")] = 2,
) -> None:
    """Render the heads: pictures uint8 [n, PIXELS, PIXELS, 3], whose they are, and their splits."""
    pictures, identities, splits, told = list[Bytes](), list[str](), list[Split](), 0.0
    among = people()
    for number, (name, split) in enumerate(among.items()):
        pictures += photographed(name, each)
        identities += [name] * each
        splits += [split] * each
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"{number}/{len(among)} people", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, pictures=np.stack(pictures), identities=identities, splits=splits)
    print(f"{out}: {len(pictures)} pictures of {len(among)} people")


if __name__ == "__main__":
    typer.run(main)
