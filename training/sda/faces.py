"""Finds the face in a picture and brings it to one place: for rendered and scraped video alike.

Five points that speech does not move (eye corners, tip of the nose) are brought to fixed places of a square
by a similarity, as in Vougioukas et al., 2019. Landmarks come from mediapipe's face mesh (0.10.21 has it).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from parley.errors import EngineUnavailable, MediaError

Floats = NDArray[np.float32]

STABLE: Final = (33, 133, 362, 263, 1)  # outer, inner, inner, outer corner of the eyes; tip of the nose
# High enough that the chin of a wide open mouth is still inside.
TEMPLATE: Final = np.array([[0.26, 0.28], [0.415, 0.295], [0.585, 0.295], [0.74, 0.28], [0.5, 0.53]])
OUTER_LIPS: Final = (
    61,
    146,
    91,
    181,
    84,
    17,
    314,
    405,
    321,
    375,
    291,
    409,
    270,
    269,
    267,
    0,
    37,
    39,
    40,
    185,
)
INNER_LIPS: Final = (
    78,
    95,
    88,
    178,
    87,
    14,
    317,
    402,
    318,
    324,
    308,
    415,
    310,
    311,
    312,
    13,
    82,
    81,
    80,
    191,
)
LIDS: Final = (159, 145, 386, 374)  # upper and lower, left and right
KEPT: Final = (*OUTER_LIPS, *INNER_LIPS, *LIDS)
LIPS: Final = len(OUTER_LIPS) + len(INNER_LIPS)  # the first of `KEPT`
# Regions of the aligned square: left, top, right, bottom.
MOUTH: Final = (0.25, 0.46875, 0.75, 0.84375)
EYES: Final = (0.1875, 0.15625, 0.8125, 0.375)
STEADY_FRAMES: Final = 1.5  # width of the smoothing of the alignment over time
_FIX: Final = "Use a picture of one face, from the front."


class NoFace(MediaError):
    """A picture without a face, or a video with too few of them."""

    code = "no_face"


class SeveralFaces(MediaError):
    """More than one face: whose mouth is it?"""

    code = "several_faces"


class Landmarker:
    """Mediapipe's face mesh over the consecutive frames of one video; a context manager.

    Raises:
        EngineUnavailable: mediapipe is not installed.
    """

    def __init__(self) -> None:
        try:
            from mediapipe.python.solutions.face_mesh import FaceMesh
        except ImportError as error:
            raise EngineUnavailable(
                "mediapipe is not installed.",
                fix="pip install --no-deps mediapipe==0.10.21 absl-py attrs flatbuffers",
            ) from error
        self._mesh = FaceMesh(static_image_mode=False, max_num_faces=2, refine_landmarks=True)

    def find(self, picture: Picture) -> Floats:
        """Landmarks in pixels, float32 [478, 2].

        Raises:
            NoFace: None is seen.
            SeveralFaces: More than one is.
        """
        found = self._mesh.process(picture).multi_face_landmarks or []
        if not found:
            raise NoFace("No face is seen in the picture.", fix=_FIX)
        if len(found) > 1:
            raise SeveralFaces("Several faces are seen in the picture.", fix=_FIX)
        height, width = picture.shape[:2]
        return np.array([[p.x * width, p.y * height] for p in found[0].landmark], np.float32)

    def __enter__(self) -> "Landmarker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mesh.close()


def similarity(points: Floats) -> NDArray[np.float64]:
    """The similarity that brings points [5, 2] nearest to `TEMPLATE`, as (a, b, x, y).

    It maps p to (a p.x - b p.y + x, b p.x + a p.y + y), in units of the square (least squares).
    """
    rows = np.zeros((10, 4))
    rows[0::2] = np.stack([points[:, 0], -points[:, 1], np.ones(5), np.zeros(5)], 1)
    rows[1::2] = np.stack([points[:, 1], points[:, 0], np.zeros(5), np.ones(5)], 1)
    solved: NDArray[np.float64] = np.linalg.lstsq(rows, TEMPLATE.ravel(), rcond=None)[0]
    return solved


def matrix(transform: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[2, 3]: from pixels of the picture to pixels of a square of `size`."""
    a, b, x, y = transform * size
    return np.array([[a, -b, x], [b, a, y]])


def steadied(transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transforms [frames, 4], smoothed over time: landmarks tremble, heads do not."""
    reach = int(3 * STEADY_FRAMES)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / STEADY_FRAMES) ** 2)
    padded = np.pad(transforms, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, i], weights / weights.sum(), "valid") for i in range(4)], 1)


@dataclass(frozen=True, slots=True)
class Aligned:
    """A video's face, brought to one place.

    Attributes:
        squares: uint8 [frames, size, size, 3].
        landmarks: `KEPT` in units of the square, float32 [frames, k, 2].
        matrices: From picture to square, pixels, [frames, 2, 3].
        seen: All landmarks, pixels of the pictures, float32 [frames, 478, 2].
    """

    squares: NDArray[np.uint8]
    landmarks: Floats
    matrices: NDArray[np.float64]
    seen: Floats


def aligned(pictures: Iterable[Picture], size: int) -> Aligned:
    """Brings a video's face to one place.

    Args:
        pictures: RGB uint8 [height, width, 3], consecutive.
        size: Of the square.

    Raises:
        NoFace: A frame shows none (or there is no frame).
        SeveralFaces: A frame shows more than one.
    """
    taken, found = [], []
    with Landmarker() as landmarker:
        for picture in pictures:
            taken.append(picture)
            found.append(landmarker.find(picture))
    if not taken:
        raise NoFace("The video has no frames.")
    steady = steadied(np.stack([similarity(points[list(STABLE)]) for points in found]))
    matrices = np.stack([matrix(t, size) for t in steady])
    squares = np.stack(
        [
            cv2.warpAffine(p, m, (size, size), flags=_filter(m), borderMode=cv2.BORDER_REPLICATE)
            for p, m in zip(taken, matrices, strict=True)
        ]
    )
    kept = np.stack([f[list(KEPT)] @ m[:, :2].T + m[:, 2] for f, m in zip(found, matrices, strict=True)])
    return Aligned(squares.astype(np.uint8), (kept / size).astype(np.float32), matrices, np.stack(found))


def _filter(m: NDArray[np.float64]) -> int:
    return cv2.INTER_AREA if np.hypot(m[0, 0], m[1, 0]) < 0.8 else cv2.INTER_LINEAR


def box(region: tuple[float, float, float, float], size: int) -> tuple[slice, slice]:
    """Rows and columns of a region in a square of `size`."""
    left, top, right, bottom = (round(v * size) for v in region)
    return slice(top, bottom), slice(left, right)
