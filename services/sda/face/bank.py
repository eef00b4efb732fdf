"""The face's bank: pictures rendered ahead of time, and how a frame is put together from them.

A frame is the resting head, onto which a mouth, a pair of eyes and a pair of brows are pasted (each blended
from close neighbours on a grid of renders, so that nothing ghosts), then bent by the head's motion: a smooth
displacement field per degree of freedom, computed from the render's depth.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from parley.errors import EngineUnavailable, MediaError
from services.sda.face.controls import Mouth
from services.sda.face.motion import Bend, Floats, Pose, Upper

VERSION = 1


class Grid:
    """Patches on a rectangular grid of parameters.

    Args:
        axes: Ascending node positions of each parameter.
        index: int [len(axis) …]: which patch stands at each node (a patch may serve several).
        patches: uint8 [count, height, width, 3].
    """

    def __init__(
        self, axes: Sequence[Sequence[float]], index: NDArray[np.int32], patches: NDArray[np.uint8]
    ) -> None:
        self.axes = [np.asarray(axis, np.float64) for axis in axes]
        self.index, self.patches = index, patches

    def sample(self, *point: float) -> Picture:
        """Multilinear blend at `point` (clamped to the grid): uint8 [height, width, 3]."""
        cell: list[tuple[int, int, float]] = []
        for axis, value in zip(self.axes, point, strict=True):
            at = float(min(max(value, axis[0]), axis[-1]))
            low = min(int(np.searchsorted(axis, at, "right")) - 1, len(axis) - 2)
            cell.append((low, low + 1, (at - axis[low]) / (axis[low + 1] - axis[low])))
        return self._blend(cell, ())

    def _blend(self, cell: list[tuple[int, int, float]], node: tuple[int, ...]) -> Picture:
        if len(node) == len(cell):
            patch: Picture = self.patches[self.index[node]]
            return patch
        low, high, share = cell[len(node)]
        if share < 1 / 128:
            return self._blend(cell, (*node, low))
        if share > 127 / 128:
            return self._blend(cell, (*node, high))
        return mix(self._blend(cell, (*node, low)), self._blend(cell, (*node, high)), share)


def mix(a: Picture, b: Picture, share: float) -> Picture:
    """`share` of b over a."""
    if a is b or share <= 0:
        return a
    out: Picture = cv2.addWeighted(a, 1 - share, b, share, 0)  # type: ignore[assignment]
    return out


@dataclass(frozen=True, slots=True)
class Bank:
    """Everything that draws one avatar. Immutable: shared by all streams.

    Attributes:
        base: The resting head, uint8 [size, size, 3].
        grids: "mouth" (OPEN, WIDTH, LIFT), "tuck" (TUCK, WIDTH), "tongue" and "thrust" (OPEN, WIDTH),
            "eyes" (lid, gaze x, gaze y), "brows" (brow).
        corners: Left and top of each kind of patch on `base`.
        bend: How a pose bends the base.
    """

    base: Picture
    grids: Mapping[str, Grid]
    corners: Mapping[str, tuple[int, int]]
    bend: Bend

    def draw(self, mouth: Mouth, upper: Upper, pose: Pose) -> Picture:
        """One frame, RGB uint8 [output, output, 3]."""
        canvas = self.base.copy()
        self._paste(canvas, "mouth", self._mouth(mouth))
        self._paste(canvas, "eyes", self.grids["eyes"].sample(upper.lid, upper.gaze_x, upper.gaze_y))
        self._paste(canvas, "brows", self.grids["brows"].sample(upper.brow))
        return self.bend(canvas, pose)

    def _mouth(self, m: Mouth) -> Picture:
        opened, width, lift, tuck, tongue, thrust = m.tolist()
        patch = self.grids["mouth"].sample(opened, width, lift)
        if thrust > 0.01:
            patch = mix(patch, self.grids["thrust"].sample(opened, width), min(thrust, 1.0))
        if tongue > 0.01:
            patch = mix(patch, self.grids["tongue"].sample(opened, width), min(tongue, 1.0))
        if tuck > 0.01:
            chart = self.grids["tuck"]
            first = chart.axes[0][0]  # below the first depth, blend from the mouth as it is
            patch = mix(patch, chart.sample(tuck, width), min(tuck / first, 1.0))
        return patch

    def _paste(self, canvas: Picture, kind: str, patch: Picture) -> None:
        left, top = self.corners[kind]
        canvas[top : top + patch.shape[0], left : left + patch.shape[1]] = patch


def encode(picture: Picture, quality: int) -> bytes:
    """WebP file of an RGB picture."""
    ok, data = cv2.imencode(
        ".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality]
    )
    if not ok:
        raise ValueError("OpenCV cannot write WebP here")
    return data.tobytes()


def decode(data: NDArray[np.uint8]) -> Picture:
    """RGB picture of a WebP file."""
    raw = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if raw is None:
        raise MediaError("A picture of the bank cannot be read.", fix="Render the bank again.")
    picture: Picture = cv2.cvtColor(raw, cv2.COLOR_BGR2RGB)  # type: ignore[assignment]
    return picture


def save(
    path: Path,
    *,
    base: Picture,
    grids: Mapping[str, Grid],
    corners: Mapping[str, tuple[int, int]],
    fields: Floats,
    output: int,
    quality: int,
) -> None:
    """Writes a bank. `fields`: float [len(FIELDS), 2, n, n], any n; scaled to `output` when loaded."""
    arrays: dict[str, NDArray[np.generic]] = {"fields": fields.astype(np.float16)}
    files = [encode(base, 97)]
    told = {}
    for name, grid in grids.items():
        axes = [axis.tolist() for axis in grid.axes]
        told[name] = {"axes": axes, "first": len(files), "count": len(grid.patches)}
        arrays[f"index_{name}"] = grid.index
        files += [encode(patch, quality) for patch in grid.patches]
    meta = {"version": VERSION, "output": output, "grids": told, "corners": dict(corners)}
    arrays["sizes"] = np.array([len(f) for f in files], np.int32)
    arrays["pictures"] = np.frombuffer(b"".join(files), np.uint8)
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load(path: Path, *, avatar: str) -> Bank:
    """Reads a bank; well under a second.

    Raises:
        EngineUnavailable: The file is missing or of another version.
    """
    fix = f"Run `make banks` (or `python -m training.data.synthetic_faces.bank --avatar {avatar}`)."
    if not path.is_file():
        raise EngineUnavailable(f"The face of {avatar!r} has not been rendered: {path} is missing.", fix=fix)
    with np.load(path) as arrays:
        meta = json.loads(arrays["meta"].tobytes())
        if meta["version"] != VERSION:
            raise EngineUnavailable(
                f"{path} is of version {meta['version']}, this engine reads {VERSION}.", fix=fix
            )
        ends = np.cumsum(arrays["sizes"])
        pictures = [decode(p) for p in np.split(arrays["pictures"], ends[:-1])]
        grids = {
            name: Grid(
                g["axes"], arrays[f"index_{name}"], np.stack(pictures[g["first"] : g["first"] + g["count"]])
            )
            for name, g in meta["grids"].items()
        }
        base, output = pictures[0], int(meta["output"])
        bend = Bend(arrays["fields"], base.shape[0], output)
    return Bank(base, grids, {k: (v[0], v[1]) for k, v in meta["corners"].items()}, bend)
