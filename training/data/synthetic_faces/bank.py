"""Renders an avatar's bank: every picture that the `visemes` engine needs.

    python -m training.data.synthetic_faces.bank --avatar mira

744 small renders (5 to 10 minutes of CPU per avatar with llvmpipe). Finished ones are kept, so that
an interrupted run goes on where it stopped. Writes avatars/{name}/face/{bank.npz,portrait.png,manifest.json}.
"""

import argparse
import hashlib
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from services.sda.face import bank as banks
from services.sda.face.bank import Grid
from services.sda.face.motion import FIELDS
from training.data.synthetic_faces.parameters import IDENTITIES, Mouth, Upper
from training.data.synthetic_faces.renderer import FOLDER, Rect, Renderer

SIZE, OUTPUT, QUALITY = 384, 256, 92
FIELD_OF_VIEW, CAMERA = 0.205, (0.0, -2.5, 78.0)
Doubles = NDArray[np.float64]
PIVOT = np.array([0.0, -9.0, -2.0])
RECTS: dict[str, Rect] = {
    "mouth": (98, 184, 190, 166),
    "eyes": (114, 141, 158, 32),
    "brows": (98, 88, 190, 53),
}
FEATHER = {
    "mouth": (14, 12),
    "eyes": (4, 2),
    "brows": (10, 4),
}  # pixels over which a patch's edge joins the base: x, y

OPEN = (-1.0, -0.5, 0.0, 0.05, 0.11, 0.17, 0.24, 0.31, 0.38, 0.46, 0.54, 0.62, 0.71, 0.81, 0.92)
WIDTH = (-1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.25, 0.5, 0.8)
LIFT = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Chart:
    """A grid to render: its kind of patch, its axes, and the expression at a node."""

    kind: str
    axes: tuple[tuple[float, ...], ...]

    def expression(self, name: str, node: tuple[float, ...]) -> tuple[Mouth, Upper]:
        """The face at a node of the chart `name`."""
        if name == "eyes":
            lid, x, y = node
            return Mouth(), Upper(lid=lid, gazeX=x * (lid < 1), gazeY=y * (lid < 1))
        if name == "brows":
            return Mouth(), Upper(brow=node[0])
        if name == "mouth":
            return articulation(node[0], node[1], node[2] if node[0] >= 0 else 0.0), Upper()
        if name == "tuck":
            return articulation(0.10, node[1], 0.5, tuck=node[0]), Upper()
        tip = {"tongue": 1.0} if name == "tongue" else {"thrust": 1.0}
        return articulation(node[0], node[1], 0.55, **tip), Upper()


LIDS = (-0.12, 0.0, 0.17, 0.34, 0.52, 0.70, 0.85, 1.0)
GAZE_X = (-0.2, -0.133, -0.067, 0.0, 0.067, 0.133, 0.2)
GAZE_Y = (-0.12, -0.06, 0.0, 0.06, 0.12)
BROWS = (-0.3, -0.15, 0.0, 0.2, 0.4, 0.6, 0.8)
CHARTS = {
    "mouth": Chart("mouth", (OPEN, WIDTH, LIFT)),
    "tongue": Chart("mouth", (OPEN[3:11], WIDTH[1:])),
    "thrust": Chart("mouth", (OPEN[4:9], WIDTH[1:])),
    "tuck": Chart("mouth", ((0.33, 0.67, 1.0), WIDTH[2:8])),
    "eyes": Chart("eyes", (LIDS, GAZE_X, GAZE_Y)),
    "brows": Chart("brows", (BROWS,)),
}


def articulation(
    opened: float, width: float, lift: float, *, tuck: float = 0.0, tongue: float = 0.0, thrust: float = 0.0
) -> Mouth:
    """The head's articulators for the engine's controls (`services.sda.face.controls`)."""
    return Mouth(
        jaw=max(opened, 0.0),
        press=max(-opened, 0.0),
        wide=max(width, 0.0),
        pucker=max(-width, 0.0),
        upperRaise=0.45 * lift,
        lowerDrop=0.55 * lift,
        tuck=tuck,
        tongueUp=max(tongue, thrust),
        tongueOut=0.15 * tongue + 1.0 * thrust,
    )


def to_bytes(picture: NDArray[np.float32]) -> Picture:
    """sRGB 0…1 to uint8."""
    out: Picture = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    return out


def feather(rect: Rect, kind: str) -> NDArray[np.float32]:
    """Weight of a patch over the base, float32 [height, width, 1]: 0 at its edge, 1 inside."""
    _, _, width, height = rect
    planes = []
    for length, soft in ((height, FEATHER[kind][1]), (width, FEATHER[kind][0])):
        x = np.arange(length) + 0.5
        edge = np.clip(np.minimum(x, length - x) / soft, 0, 1)
        planes.append(edge * edge * (3 - 2 * edge))
    return np.outer(planes[0], planes[1]).astype(np.float32)[..., None]


class Studio:
    """Renders with a memory: each shot is kept on disk under the name of all that determines it."""

    def __init__(self, avatar: str, cache: Path) -> None:
        self.identity = IDENTITIES[avatar]
        shaders = b"".join(p.read_bytes() for p in sorted(FOLDER.glob("*.glsl")))
        told = json.dumps([asdict(self.identity), SIZE, RECTS], sort_keys=True).encode()
        self.key = hashlib.sha256(shaders + told).hexdigest()[:16]
        self._folder = cache / f"{avatar}-{self.key}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._renderer = Renderer(self.identity, size=SIZE, supersample=2)

    def shot(self, mouth: Mouth, upper: Upper, rect: Rect) -> Picture:
        """uint8 [height, width, 3] of `rect`."""
        name = hashlib.sha256(json.dumps([asdict(mouth), asdict(upper), rect]).encode()).hexdigest()[:20]
        path = self._folder / f"{name}.png"
        if path.is_file():
            return banks.decode(np.fromfile(path, np.uint8))
        picture = to_bytes(self._renderer.render(mouth, upper, rect=rect)[0])
        part = path.with_suffix(".part.png")
        cv2.imwrite(str(part), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        part.rename(path)
        return picture

    def base(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The resting head and its depth."""
        return self._renderer.render()

    def portrait(self) -> Picture:
        """A still for people to pick by, 512 pixels."""
        return to_bytes(Renderer(self.identity, size=512, supersample=2).render()[0])


def displacement(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """How each pixel moves per unit of each of `FIELDS`: float32 [len(FIELDS), 2, size, size] in pixels.

    The background has no depth: there the fields fade out smoothly from the head's outline, so that nothing
    tears.
    """
    size = depth.shape[0]
    seen = (depth > -50).astype(np.float32)
    u = (np.arange(size) + 0.5) / size * 2 - 1
    ux, uy = np.meshgrid(u, -u)
    z = np.where(seen > 0, depth, 0.0)
    reach = (CAMERA[2] - z) * FIELD_OF_VIEW
    point = np.stack([CAMERA[0] + ux * reach, CAMERA[1] + uy * reach, z], -1)
    y = point[..., 1]
    head = _smoothstep(-17.0, -9.0, y)[..., None]
    arm = (point - PIVOT) * head
    zero = np.zeros_like(y)
    chest = _smoothstep(-11.0, -17.0, y)
    moves = {  # velocity of the point, cm per unit
        "yaw": np.stack([arm[..., 2], zero, -arm[..., 0]], -1),
        "pitch": np.stack([zero, arm[..., 2], -arm[..., 1]], -1),
        "roll": np.stack([arm[..., 1], -arm[..., 0], zero], -1),
        "sway": np.stack([head[..., 0], zero, zero], -1),
        "bob": np.stack([zero, head[..., 0], zero], -1),
        "breath": np.stack([zero, 0.16 * chest + 0.05 * head[..., 0], zero], -1),
    }

    def project(p: Doubles) -> Doubles:
        far = (CAMERA[2] - p[..., 2]) * FIELD_OF_VIEW
        screen: Doubles = np.stack([p[..., 0] - CAMERA[0], CAMERA[1] - p[..., 1]], -1) / far[..., None]
        screen *= size / 2
        return screen

    step = 0.02
    distance = cv2.distanceTransform((seen < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    fade = np.exp(-((distance / (size / 7)) ** 2))
    fields = []
    for name in FIELDS:
        flow = (project(point + moves[name] * step) - project(point)) / step
        planes = []
        for plane in np.moveaxis(flow, -1, 0):
            known = plane.astype(np.float32) * seen
            near = cv2.GaussianBlur(known, (0, 0), 3.0) / np.maximum(
                cv2.GaussianBlur(seen, (0, 0), 3.0), 1e-3
            )
            wide = cv2.GaussianBlur(known, (0, 0), 18.0) / np.maximum(
                cv2.GaussianBlur(seen, (0, 0), 18.0), 1e-3
            )
            blend = cv2.GaussianBlur(seen, (0, 0), 3.0)
            planes.append((blend * near + (1 - blend) * wide) * fade)
        fields.append(np.stack(planes))
    return np.stack(fields).astype(np.float32)


def _smoothstep(low: float, high: float, x: Doubles) -> Doubles:
    t: Doubles = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def nodes(name: str) -> Iterator[tuple[tuple[int, ...], Mouth, Upper]]:
    """Grid indices and expressions of a chart."""
    chart = CHARTS[name]
    for index in itertools.product(*(range(len(a)) for a in chart.axes)):
        mouth, upper = chart.expression(name, tuple(a[i] for a, i in zip(chart.axes, index, strict=True)))
        yield index, mouth, upper


def build(avatar: str, *, out: Path, cache: Path) -> None:
    """Renders what is missing and writes the bank, the portrait and the manifest into `out`."""
    studio = Studio(avatar, cache)
    picture, depth = studio.base()
    base = to_bytes(picture)
    total = len({(CHARTS[n].kind, m, u) for n in CHARTS for _, m, u in nodes(n)})
    grids: dict[str, Grid] = {}
    done, began, told = 0, time.monotonic(), 0.0
    for name, chart in CHARTS.items():
        rect = RECTS[chart.kind]
        left, top, width, height = rect
        weight, under = (
            feather(rect, chart.kind),
            base[top : top + height, left : left + width].astype(np.float32),
        )
        patches: list[Picture] = []
        known: dict[tuple[Mouth, Upper], int] = {}
        index = np.zeros([len(a) for a in chart.axes], np.int32)
        for node, mouth, upper in nodes(name):
            if (mouth, upper) not in known:
                known[mouth, upper] = len(patches)
                raw = studio.shot(mouth, upper, rect).astype(np.float32)
                patches.append((under + (raw - under) * weight + 0.5).astype(np.uint8))
                done += 1
            index[node] = known[mouth, upper]
            if time.monotonic() - told > 2:
                told = time.monotonic()
                print(f"\r{avatar}: {done}/{total} renders, {told - began:.0f} s", end="", flush=True)
        grids[name] = Grid(chart.axes, index, np.stack(patches))
    print(f"\r{avatar}: {done}/{total} renders, {time.monotonic() - began:.0f} s")
    fields = np.stack(
        [[cv2.resize(p, (96, 96), interpolation=cv2.INTER_AREA) for p in f] for f in displacement(depth)]
    )
    out.mkdir(parents=True, exist_ok=True)
    corners = {kind: (rect[0], rect[1]) for kind, rect in RECTS.items()}
    banks.save(
        out / "bank.npz",
        base=base,
        grids=grids,
        corners=corners,
        fields=fields,
        output=OUTPUT,
        quality=QUALITY,
    )
    cv2.imwrite(str(out / "portrait.png"), cv2.cvtColor(studio.portrait(), cv2.COLOR_RGB2BGR))
    manifest = {
        "made_by": f"python -m training.data.synthetic_faces.bank --avatar {avatar}",
        "renders": done,
        "inputs": studio.key,
        "licence": "Apache-2.0; rendered by this project's own code, nobody's likeness",
        "sha256": {
            n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in ("bank.npz", "portrait.png")
        },
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--avatar", choices=sorted(IDENTITIES), required=True)
    parser.add_argument("--out", type=Path, help="folder to write to (default: avatars/NAME/face)")
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "parley" / "faces", help="finished renders"
    )
    args = parser.parse_args()
    build(args.avatar, out=args.out or Path("avatars") / args.avatar / "face", cache=args.cache)


if __name__ == "__main__":
    main()
