"""A visible badge: a few words on a dark plate, in a corner of every picture."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture

_HEIGHT = 1 / 13  # of the picture's shorter side; at 256 pixels the capitals are 9 pixels high
_LEAST_PX = 14
_MARGIN = 1 / 40
_PLATE = 0.62  # how opaque the plate is


class Badge:
    """Draws the same words on pictures of one size; drawn once, then laid over.

    Args:
        text: What it says.
        height: Of the pictures, pixels.
        width: Of the pictures, pixels. Words that do not fit are made smaller.
    """

    def __init__(self, text: str, height: int, width: int) -> None:
        margin = max(2, round(min(height, width) * _MARGIN))
        plate = _plate(text, max(_LEAST_PX, round(min(height, width) * _HEIGHT)))
        widest = width - 2 * margin
        if plate.shape[1] > widest:
            shrunk = max(1, round(plate.shape[0] * widest / plate.shape[1]))
            plate = cv2.resize(plate, (widest, shrunk), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        high, wide = plate.shape[:2]
        self._place = slice(height - margin - high, height - margin), slice(margin, margin + wide)
        self._keep = 1 - plate[..., 3:]
        self._paint = plate[..., :3] * plate[..., 3:]

    def on(self, picture: Picture) -> Picture:
        """A copy of RGB uint8 [height, width, 3] with the badge at the lower left."""
        out = picture.copy()
        out[self._place] = np.rint(picture[self._place] * self._keep + self._paint).astype(np.uint8)
        return out


def badged(frames: Iterable[tuple[int, Picture]], text: str) -> Iterator[tuple[int, Picture]]:
    """`frames` (pts_samples, RGB uint8 [height, width, 3]) with the badge on each."""
    badge: Badge | None = None
    shape: tuple[int, ...] = ()
    for pts, picture in frames:
        if badge is None or picture.shape != shape:
            shape = picture.shape
            badge = Badge(text, *shape[:2])
        yield pts, badge.on(picture)


def _plate(text: str, height: int) -> NDArray[np.float32]:
    """The words in white on a plate with round ends: colour 0…255 and opacity 0…1, float32 [height, n, 4]."""
    finer = 4
    font, size = cv2.FontFace("sans"), round(height * finer * 0.62)
    _, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), font, size, 500)
    high, radius = height * finer, height * finer // 2
    width = -(-(wide + 2 * radius) // finer) * finer
    shape = np.zeros((high, width), np.uint8)
    cv2.rectangle(shape, (radius, 0), (width - radius, high), 255, cv2.FILLED)
    for x in (radius, width - radius):
        cv2.circle(shape, (x, radius), radius, 255, cv2.FILLED)
    words = np.zeros((high, width, 3), np.uint8)
    cv2.putText(words, text, (radius, round(high * 0.73)), (255, 255, 255), font, size, 500)
    plate = np.zeros((high, width, 4), np.float32)
    ink = words[..., :1].astype(np.float32) / 255
    plate[..., :3] = 255 * ink
    plate[..., 3:] = np.maximum(ink, _PLATE) * (shape[..., None] > 0)
    out: NDArray[np.float32] = cv2.resize(plate, (width // finer, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return out
