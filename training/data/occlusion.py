"""Frames in which something is before the lower face: a hand, a cup, a microphone that comes and goes.

The landmarks of a covered mouth are guesses, and nothing in them says so. But in pictures that are brought to
one place, light and shade of the lower face keep their pattern while somebody speaks, whatever the lips do
in it: where the pattern is unlike that of most of the clip, something else is seen. What is there all the
time (a beard) belongs to the face.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture

_SIZE = 32
_TOP, _BOTTOM, _LEFT, _RIGHT = 0.52, 0.86, 0.3, 0.7  # of the crop: below the eyes, inside the cheeks


def small(picture: Picture, transform: NDArray[np.float64], size: int) -> Picture:
    """The crop that a transform to `size` pixels makes, at 32 x 32."""
    scale = _SIZE / size
    shrunk = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    matrix = np.hstack([transform[:, :2] * scale * 2, transform[:, 2:] * scale])
    return cast(
        Picture,
        cv2.warpAffine(shrunk, matrix, (_SIZE, _SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE),
    )


def unlike(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How unlike the lower face's light and shade are to what they are in most of the clip.

    Args:
        crops: RGB [frames, 32, 32, 3], the face in one place.

    Returns:
        One less the correlation with the median picture, [frames]: 0 the same, about 1 nothing in common.
        Light that grows or fades does not count.
    """
    rows, columns = (slice(round(a * _SIZE), round(b * _SIZE)) for a, b in ((_TOP, _BOTTOM), (_LEFT, _RIGHT)))
    shades = crops[:, rows, columns].mean(-1, dtype=np.float32).reshape(len(crops), -1)
    shades -= shades.mean(1, keepdims=True)
    usual = np.median(shades, 0)
    lengths = np.linalg.norm(shades, axis=1) * np.linalg.norm(usual)
    apart: NDArray[np.float32] = 1 - (shades @ usual) / np.maximum(lengths, 1e-6)
    return apart
