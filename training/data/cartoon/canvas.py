"""Smooth shapes on a picture: what the cartoon is drawn with. Lengths in units of a 256 picture."""

from collections.abc import Sequence
from copy import copy
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from training.data.cartoon.characters import Colour

UNITS = 256
OVERSAMPLING = 2
_SHIFT = 4  # bits of a pixel's fraction that OpenCV takes
_STEPS = 8  # straight pieces of a curve between two points
Points = NDArray[np.float64]
Mask = NDArray[np.uint8]


@lru_cache(maxsize=1)
def _basis() -> Points:
    """Catmull-Rom weights of four points, [_STEPS, 4]."""
    t = np.arange(_STEPS) / _STEPS
    powers = np.stack([np.ones_like(t), t, t * t, t**3], 1)
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights: Points = powers @ matrix
    return weights


def curve(points: Sequence[tuple[float, float]] | Points, *, closed: bool = True) -> Points:
    """A smooth curve through points [n, 2]: [n * _STEPS, 2], or [(n - 1) * _STEPS + 1, 2] when open."""
    p = np.asarray(points, np.float64)
    if closed:
        around = np.concatenate([p[-1:], p, p[:2]])
    else:
        around = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    four = np.lib.stride_tricks.sliding_window_view(around, 4, axis=0)  # [n, 2, 4]
    out = np.einsum("sk,nck->nsc", _basis(), four).reshape(-1, 2)
    return out if closed else np.concatenate([out, p[-1:]])


def ellipse(x: float, y: float, rx: float, ry: float) -> Points:
    """Its outline."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], 1)


def stroke(line: Points, width: float, *, taper: float = 0.35) -> Points:
    """The outline of a line [n, 2] that is `width` wide in its middle and `taper` of it at its ends."""
    along = np.gradient(line, axis=0)
    along /= np.hypot(*along.T)[:, None] + 1e-9
    side = np.stack([-along[:, 1], along[:, 0]], 1)
    swell = taper + (1 - taper) * np.sin(np.linspace(0, np.pi, len(line))) ** 0.7
    half = side * (swell * width / 2)[:, None]
    return np.concatenate([line + half, (line - half)[::-1]])


def _rgb(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (round(255 * channel) for channel in colour)
    return r, g, b


class Canvas:
    """A picture in the making.

    Args:
        size: Of the picture, pixels.
        top: Colour of the background above.
        bottom: And below.
    """

    def __init__(self, size: int, top: Colour, bottom: Colour) -> None:
        self.size, n = size, size * OVERSAMPLING
        self._scale = n / UNITS
        share = (np.arange(n) / n)[:, None]
        rows = (1 - share) * np.array(top) + share * np.array(bottom)
        column = (255 * rows).round().astype(np.uint8)[:, None]
        self.picture: Picture = cv2.repeat(column, 1, n)

    def copy(self) -> "Canvas":
        """An independent one."""
        other = copy(self)
        other.picture = self.picture.copy()
        return other

    def done(self) -> Picture:
        """RGB uint8 [size, size, 3]."""
        out: Picture = cv2.resize(self.picture, (self.size, self.size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return out

    def mask(self, outline: Points) -> Mask:
        """Where a shape covers, uint8 [n, n]."""
        out = np.zeros(self.picture.shape[:2], np.uint8)
        cv2.fillPoly(out, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        return out

    def fill(
        self, outline: Points, colour: Colour, alpha: float = 1.0, *, inside: Mask | None = None
    ) -> None:
        """Paints a shape, perhaps see-through, perhaps only inside of another."""
        if alpha >= 1 and inside is None:
            cv2.fillPoly(self.picture, [self._fixed(outline)], _rgb(colour), cv2.LINE_AA, _SHIFT)
            return
        n = self.picture.shape[0]
        low = np.clip(np.floor(outline.min(0) * self._scale).astype(int) - 2, 0, n)
        high = np.clip(np.ceil(outline.max(0) * self._scale).astype(int) + 3, 0, n)
        if (high <= low).any():
            return
        share = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(share, [self._fixed(outline, low)], 255, cv2.LINE_AA, _SHIFT)
        self._blend(share, colour, alpha, (int(low[0]), int(low[1])), inside)

    def line(
        self, points: Points, colour: Colour, width: float, alpha: float = 1.0, *,
        taper: float = 0.35, inside: Mask | None = None,
    ) -> None:  # fmt: skip
        """A stroke along points [n, 2] that thins at its ends."""
        self.fill(stroke(points, width, taper=taper), colour, alpha, inside=inside)

    def around(self, outline: Points, colour: Colour, width: float) -> None:
        """The outline of a closed shape, evenly thick."""
        cv2.polylines(
            self.picture, [self._fixed(outline)], True, _rgb(colour), max(1, round(width * self._scale)),
            cv2.LINE_AA, _SHIFT,
        )  # fmt: skip

    def glow(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, alpha: float, *,
        inside: Mask | None = None,
    ) -> None:  # fmt: skip
        """A spot that fades outwards."""
        n, s = self.picture.shape[0], self._scale
        left, right = (int(np.clip(v, 0, n)) for v in ((x - rx) * s, (x + rx) * s + 1))
        top, bottom = (int(np.clip(v, 0, n)) for v in ((y - ry) * s, (y + ry) * s + 1))
        if right <= left or bottom <= top:
            return
        across = ((np.arange(left, right) + 0.5) / s - x) / rx
        down = ((np.arange(top, bottom) + 0.5) / s - y) / ry
        far = np.clip(1 - across[None] ** 2 - down[:, None] ** 2, 0, 1)
        self._blend((255 * far * far).astype(np.uint8), colour, alpha, (left, top), inside)

    def _blend(
        self, share: Mask, colour: Colour, alpha: float, corner: tuple[int, int], inside: Mask | None
    ) -> None:
        left, top = corner
        place = self.picture[top : top + share.shape[0], left : left + share.shape[1]]
        weight = share.astype(np.float32) * (alpha / 255)
        if inside is not None:
            weight *= inside[top : top + share.shape[0], left : left + share.shape[1]] * np.float32(1 / 255)
        paint = np.empty_like(place)
        paint[:] = _rgb(colour)
        place[:] = cv2.blendLinear(paint, place, weight, 1 - weight)

    def _fixed(self, outline: Points, corner: NDArray[np.int_] | None = None) -> NDArray[np.int32]:
        moved = outline * self._scale - 0.5 - (0 if corner is None else corner)
        return (moved * (1 << _SHIFT)).round().astype(np.int32)
