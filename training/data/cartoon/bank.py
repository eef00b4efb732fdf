"""Draws an avatar's bank: every picture that the `visemes` engine needs, the cheaper face under load.

    python -m training.data.cartoon.bank --avatar juno     # some seconds

The grids are those of the rendered avatars (`training/data/synthetic_faces/bank.py`). Writes
avatars/{name}/face/{bank.npz,portrait.png,manifest.json}.
"""

import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from parley.engines import Picture
from services.sda.face import bank as banks
from services.sda.face.bank import Grid
from training.animated.still import PORTRAIT, SIZE, depth
from training.data.cartoon.characters import Character, named
from training.data.cartoon.drawing import Face, draw
from training.data.synthetic_faces.bank import CHARTS, QUALITY, displacement, feather
from training.data.synthetic_faces.renderer import Rect
from training.sda.still import COARSE

RECTS: dict[str, Rect] = {"mouth": (66, 145, 124, 78), "eyes": (66, 106, 124, 38), "brows": (66, 70, 124, 36)}


def face(chart: str, node: tuple[float, ...]) -> Face:
    """What is drawn at a node of a chart."""
    if chart == "eyes":
        lid, x, y = node
        return Face(lid=max(lid, 0.0), gaze_x=x, gaze_y=y)
    if chart == "brows":
        return Face(brow=node[0])
    if chart == "mouth":
        return Face((node[0], node[1], node[2] if node[0] >= 0 else 0.0, 0.0, 0.0, 0.0))
    if chart == "tuck":
        return Face((0.10, node[1], 0.5, node[0], 0.0, 0.0))
    return Face((node[0], node[1], 0.55, 0.0, float(chart == "tongue"), float(chart == "thrust")))


def patch(who: Character, shown: Face, kind: str, base: Picture, weight: NDArray[np.float32]) -> Picture:
    """What is pasted onto the resting picture."""
    left, top, width, height = RECTS[kind]
    place = slice(top, top + height), slice(left, left + width)
    under = base[place].astype(np.float32)
    made: Picture = (under + (draw(who, shown, SIZE)[place] - under) * weight + 0.5).astype(np.uint8)
    return made


def grid(who: Character, name: str, base: Picture) -> Grid:
    """All pictures of a chart; equal ones once."""
    chart = CHARTS[name]
    weight = feather(RECTS[chart.kind], chart.kind)
    patches: list[Picture] = []
    known: dict[Face, int] = {}
    index = np.zeros([len(axis) for axis in chart.axes], np.int32)
    for at in itertools.product(*(range(len(axis)) for axis in chart.axes)):
        shown = face(name, tuple(axis[i] for axis, i in zip(chart.axes, at, strict=True)))
        if shown not in known:
            known[shown] = len(patches)
            patches.append(patch(who, shown, chart.kind, base, weight))
        index[at] = known[shown]
    return Grid(chart.axes, index, np.stack(patches))


def build(who: Character, out: Path, made_by: str) -> None:
    """Draws a character's bank, portrait and manifest into `out`."""
    base = draw(who, Face(), SIZE)
    fields = np.stack(
        [
            [cv2.resize(plane, (COARSE, COARSE), interpolation=cv2.INTER_AREA) for plane in field]
            for field in displacement(depth(SIZE))
        ]
    )
    out.mkdir(parents=True, exist_ok=True)
    banks.save(
        out / "bank.npz",
        base=base,
        grids={name: grid(who, name, base) for name in CHARTS},
        corners={kind: (rect[0], rect[1]) for kind, rect in RECTS.items()},
        fields=fields,
        output=SIZE,
        quality=QUALITY,
    )
    portrait = cv2.cvtColor(draw(who, Face(), PORTRAIT), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "portrait.png"), portrait)
    manifest = {
        "made_by": made_by,
        "inputs": hashlib.sha256(json.dumps(asdict(who), sort_keys=True).encode()).hexdigest()[:16],
        "licence": "Apache-2.0; drawn by this project's own code, nobody's likeness",
        "sha256": {
            name: hashlib.sha256((out / name).read_bytes()).hexdigest()
            for name in ("bank.npz", "portrait.png")
        },
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main(
    avatar: Annotated[str, typer.Option(help="Folder in avatars/.")],
    character: Annotated[str, typer.Option(help='"juno" or "seed-17"; empty: as the avatar.')] = "",
    avatars: Annotated[Path, typer.Option(help="Folder of avatars.")] = Path("avatars"),
) -> None:
    """Draw an avatar's bank."""
    made_by = f"python -m training.data.cartoon.bank --avatar {avatar}"
    build(named(character or avatar), avatars / avatar / "face", made_by)


if __name__ == "__main__":
    typer.run(main)
