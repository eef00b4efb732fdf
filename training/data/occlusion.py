"""Frames in which something is before the lower face: a hand, a cup, a microphone that comes and goes.

The landmarks of a covered mouth are guesses, and nothing in them says so. But in pictures that are brought to
one place the cheeks, chin and upper lip hardly change while somebody speaks, whatever the lips do between
them: where a good part of that region is unlike what it is in most of the clip, it is covered. What is there
all the time (a beard) belongs to the face.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture

_SIZE = 32
_TOP, _BOTTOM, _LEFT, _RIGHT = 0.52, 0.86, 0.3, 0.7  # of the crop: below the eyes, inside the cheeks
_UNLIKE = 26.0  # of 255, in the channel that differs most


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
    """How much of the lower face is unlike what it is in most of the clip.

    Args:
        crops: RGB [frames, 32, 32, 3], the face in one place.

    Returns:
        Shares 0…1, [frames]. A change of light over the whole of a picture does not count.
    """
    pictures = crops.astype(np.float32)
    usual = np.median(pictures, 0)
    apart = pictures - usual
    apart -= np.median(apart, (1, 2), keepdims=True)
    rows, columns = (slice(round(a * _SIZE), round(b * _SIZE)) for a, b in ((_TOP, _BOTTOM), (_LEFT, _RIGHT)))
    region = np.abs(apart[:, rows, columns]).max(-1)
    shares: NDArray[np.float32] = (region > _UNLIKE).mean((1, 2), dtype=np.float32)
    return shares
