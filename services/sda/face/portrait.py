"""A still picture that a generated face is put into: the `gan` engine's avatar.

The file is written by `training/sda/still.py`: the picture, where its face lies, and how it bends.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from parley.errors import EngineUnavailable
from services.sda.face.bank import decode, encode
from services.sda.face.motion import Bend, Pose

VERSION = 1
QUALITY = 97
# What of the aligned square is taken from a generated face: left, top, right, bottom of a superellipse whose
# edge fades over `FADE` of its radius. Around it stand the still's own hair, ears and shoulders.
REGION = (0.085, 0.03, 0.915, 0.99)
FADE = 0.2
ROUND = 2.6
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Portrait:
    """Immutable: shared by all streams.

    Attributes:
        picture: RGB uint8 [n, n, 3].
        matrix: [2, 3]: pixels of the picture to the unit square of the aligned face.
        bend: How a pose moves it.
    """

    picture: Picture
    matrix: Doubles
    bend: Bend
    _mask: NDArray[np.float32]
    _corner: tuple[int, int]

    def aligned(self, size: int) -> Picture:
        """The face, brought to its place: RGB uint8 [size, size, 3]."""
        there = self.matrix * size
        shrinks = np.hypot(there[0, 0], there[1, 0]) < 0.8
        out: Picture = cv2.warpAffine(
            self.picture,
            there,
            (size, size),
            flags=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # type: ignore[assignment]
        return out

    def halved(self) -> "Portrait":
        """The same at half the size, which is drawn in a third of the time."""
        height, width = self.picture.shape[:2]
        size = (width // 2, height // 2)
        small: Picture = cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        matrix = self.matrix * (2, 2, 1)
        matrix[:, 2] += self.matrix[:, :2].sum(1) / 2  # the middle of the first pixel moved by half a pixel
        return build(small, matrix, self.bend.fields / 2, self.bend.output // 2)

    def draw(self, face: Picture, pose: Pose) -> Picture:
        """A frame, RGB uint8 [output, output, 3], from an aligned face [size, size, 3] and a pose."""
        left, top = self._corner
        height, width = self._mask.shape
        back = cv2.invertAffineTransform(self.matrix * face.shape[0])
        back[:, 2] -= (left, top)
        patch = cv2.warpAffine(
            face, back, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        canvas = self.picture.copy()
        place = canvas[top : top + height, left : left + width]
        place[:] = cv2.blendLinear(patch, place, self._mask, 1 - self._mask)
        return self.bend(canvas, pose)


def build(picture: Picture, matrix: Doubles, fields: NDArray[np.floating], output: int) -> Portrait:
    """A portrait from its parts; see `Portrait` and `Bend`."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width) + 0.0, np.arange(height) + 0.0)
    left, top, right, bottom = REGION
    u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    across, down = (2 * u - left - right) / (right - left), (2 * v - top - bottom) / (bottom - top)
    radius = (np.abs(across) ** ROUND + np.abs(down) ** ROUND) ** (1 / ROUND)
    share = np.clip((1 - radius) / FADE, 0, 1)
    mask = (share * share * (3 - 2 * share)).astype(np.float32)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    first_row, first_column = int(rows[0]), int(columns[0])
    inside = np.ascontiguousarray(mask[first_row : rows[-1] + 1, first_column : columns[-1] + 1])
    return Portrait(picture, matrix, Bend(fields, width, output), inside, (first_column, first_row))


def save(path: Path, picture: Picture, matrix: Doubles, fields: NDArray[np.floating]) -> None:
    """Writes a portrait's file."""
    np.savez(
        path,
        version=np.int32(VERSION),
        picture=np.frombuffer(encode(picture, QUALITY), np.uint8),
        matrix=matrix,
        fields=fields.astype(np.float16),
    )


def load(path: Path, *, avatar: str, output: int, made_by: str = "training.sda.still") -> Portrait:
    """Reads a portrait; `made_by` is the module that makes it.

    Raises:
        EngineUnavailable: The file is missing or of another version; the message says how to make it.
    """
    fix = f"Run `python -m {made_by} --avatar {avatar}`."
    if not path.is_file():
        raise EngineUnavailable(f"The still of {avatar!r} has not been prepared: {path} is missing.", fix=fix)
    with np.load(path) as arrays:
        if int(arrays["version"]) != VERSION:
            raise EngineUnavailable(
                f"{path} is of version {int(arrays['version'])}, this engine reads {VERSION}.", fix=fix
            )
        return build(decode(arrays["picture"]), arrays["matrix"], arrays["fields"], output)
