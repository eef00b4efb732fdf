"""Draws a character: the same face controls as the realistic head, about two milliseconds a picture.

`draw(character, Face(...))` is deterministic; mouth, eyes, brows and jaw move, everything else stands still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from parley.engines import Picture
from training.data.cartoon import hair, mouth
from training.data.cartoon.canvas import Canvas, Mask, Points, curve, ellipse, stroke
from training.data.cartoon.characters import INK, Character, Colour, between, colour

MIDDLE, EYES = 128.0, 122.0
WHITE: Colour = (1.0, 0.995, 0.98)
BLUSH: Colour = colour("#e8705f")
REST = (0.0,) * 6


@dataclass(frozen=True, slots=True)
class Face:
    """What a face does in a picture.

    Attributes:
        mouth: The six controls of `services/sda/face/controls.py`.
        lid: 0 open … 1 shut.
        gaze_x: In tangents.
        gaze_y: Likewise, up is positive.
        brow: -0.3 lowered … 0.8 raised.
        smile: -1 sad … 1 a broad smile; 0 the friendly face that a character has at rest.
        brows: -1 … 1, where the brows rest.
        eyes: -1 narrow … 1 wide open.
    """

    mouth: tuple[float, ...] = REST
    lid: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    brow: float = 0.0
    smile: float = 0.0
    brows: float = 0.0
    eyes: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """A picture in the making, and what all of its parts need.

    Attributes:
        canvas: What is drawn on.
        who: Whose picture.
        face: What it does.
        ink: Whether there are outlines.
        shade: The skin's.
    """

    canvas: Canvas
    who: Character
    face: Face
    ink: bool
    shade: Colour

    def at(self, dx: float, y: float) -> tuple[float, float]:
        """A point of the head, `dx` from its middle for a face of usual width."""
        return MIDDLE + dx * self.who.wide, y

    def both(self, points: Sequence[tuple[float, float]]) -> Points:
        """A closed curve from its right half, from top to bottom, given from the head's middle."""
        right = [self.at(dx, y) for dx, y in points]
        left = [self.at(-dx, y) for dx, y in reversed(points) if dx > 1e-6]
        return curve(right + left)


def draw(who: Character, face: Face, size: int) -> Picture:
    """A picture.

    Args:
        who: Whose.
        face: What it does.
        size: Pixels.

    Returns:
        RGB uint8 [size, size, 3].
    """
    canvas = _behind(_Key(who), size).copy()
    sheet = _sheet(canvas, who, face)
    head = _head(sheet)
    _beard(sheet, head)
    _nose(sheet)
    _eyes(sheet)
    mouth.draw(sheet)
    hair.front(sheet)
    _brows(sheet)
    _glasses(sheet)
    return canvas.done()


class _Key:
    """A character as a key: characters are equal only to themselves."""

    def __init__(self, who: Character) -> None:
        self.who = who

    def __hash__(self) -> int:
        return id(self.who)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.who is self.who


@lru_cache(maxsize=4)
def _behind(key: _Key, size: int) -> Canvas:
    """All that the head is drawn over, which no face moves."""
    told = key.who.colours
    canvas = Canvas(size, told["back_top"], told["back_bottom"])
    sheet = _sheet(canvas, key.who, Face())
    for x, y, r in ((38, 56, 36), (222, 40, 24), (214, 158, 40)):
        canvas.fill(ellipse(x, y, r, r), WHITE, 0.10)
    hair.back(sheet)
    _body(sheet)
    return canvas


def _sheet(canvas: Canvas, who: Character, face: Face) -> Sheet:
    shade = between(who.colours["skin"], (0.62, 0.25, 0.22), 0.25 if who.style == "soft" else 0.32)
    return Sheet(canvas, who, face, who.style == "ink", shade)


def jaw_drop(face: Face) -> float:
    """How far the chin is lowered."""
    opened = face.mouth[0]
    return 9.0 * opened if opened > 0 else 1.2 * opened


def _body(sheet: Sheet) -> None:
    canvas, who = sheet.canvas, sheet.who
    cloth, trim, skin = (who.colours[name] for name in ("cloth", "trim", "skin"))
    body = curve(
        [
            (16, 268),
            (24, 240),
            (60, 224),
            (102, 214),
            (154, 214),
            (196, 224),
            (232, 240),
            (240, 268),
            (128, 290),
        ]
    )
    canvas.fill(body, cloth)
    if sheet.ink:
        canvas.around(body, INK, 2.2)
    neck = curve([(105, 178), (151, 178), (152, 208), (160, 222), (128, 240), (96, 222), (104, 208)])
    inside = canvas.mask(neck)
    canvas.fill(neck, skin)
    below = curve([(98, 182), (158, 182), (156, 208 + 3), (128, 222 + 3), (100, 208 + 3)])
    canvas.fill(below, sheet.shade, 0.75, inside=inside)
    if sheet.ink:
        for side in (-1, 1):
            line = curve(
                [(128 + side * 24, 190), (128 + side * 24.5, 208), (128 + side * 31, 221)], closed=False
            )
            canvas.line(line, INK, 2.2)
    dark = between(cloth, (0, 0, 0), 0.22)
    if who.collar == 0:
        band = curve([(94, 219), (108, 231), (128, 236), (148, 231), (162, 219)], closed=False)
        canvas.line(band, trim, 7, taper=0.9)
    elif who.collar == 1:
        canvas.fill(
            np.array([(95.0, 219.0), (128, 252), (161, 219), (168, 222), (128, 266), (88, 222)]), trim
        )
    elif who.collar == 2:
        for side in (-1, 1):
            flap = [
                (128 + side * 26, 212.0),
                (128 + side * 2, 238),
                (128 + side * 18, 252),
                (128 + side * 40, 222),
            ]
            canvas.fill(np.array(flap), trim)
            canvas.line(np.array([flap[1], flap[2], flap[3]]), dark, 1.6, 0.8)
    else:
        band = curve([(99, 204), (128, 213), (157, 204), (160, 226), (128, 238), (96, 226)])
        canvas.fill(band, trim)
        canvas.line(curve([(97, 226), (128, 238), (159, 226)], closed=False), dark, 1.8, 0.7)


def _head(sheet: Sheet) -> Mask:
    canvas, who, skin = sheet.canvas, sheet.who, sheet.who.colours["skin"]
    drop = jaw_drop(sheet.face)
    for side in (-1, 1):
        x, y = sheet.at(side * 55.5, EYES + 9)
        canvas.fill(ellipse(x, y, 8.5, 12), skin)
        if sheet.ink:
            canvas.around(ellipse(x, y, 8.5, 12), INK, 2.2)
        canvas.fill(ellipse(x - side * 0.5, y + 1, 4.4, 7), sheet.shade, 0.7)
    low = 201 + 5 * who.long
    outline = sheet.both(
        [
            (0, 50), (31, 56), (50, 76), (55, 104), (54, 132),
            (48 + 2.5 * who.jaw + 2 * who.cheeks, 160 + 0.35 * drop),
            (27 + 6 * who.jaw, low - 12 + 0.8 * drop), (0, low + drop),
        ]
    )  # fmt: skip
    canvas.fill(outline, skin)
    inside = canvas.mask(outline)
    edge = curve(  # the light comes from the left
        [sheet.at(38, 60), sheet.at(70, 80), sheet.at(70, 210), sheet.at(0, 222 + drop),
         sheet.at(22, 196 + drop), sheet.at(42, 164 + 0.4 * drop), sheet.at(47, 126)]
    )  # fmt: skip
    canvas.fill(edge, sheet.shade, 0.55 if sheet.ink else 0.32, inside=inside)
    for s in (-1, 1):
        x, y = sheet.at(s * 33, 153)
        canvas.glow(x, y, 17, 12, BLUSH, 0.26 + 0.2 * who.cheeks - (0.1 if sheet.ink else 0), inside=inside)
    if who.freckles:
        random = np.random.default_rng(round(1000 * who.freckles))
        for _ in range(22):
            dx, y = random.normal(0, 21), 147 + random.normal(0, 5)
            canvas.fill(ellipse(*sheet.at(float(dx), float(y)), 1.1, 1.0), sheet.shade, 0.8, inside=inside)
    if sheet.ink:
        canvas.around(outline, INK, 2.4)
    return inside


def _beard(sheet: Sheet, head: Mask) -> None:
    who, drop = sheet.who, jaw_drop(sheet.face)
    if not who.beard:
        return
    tint = between(who.colours["hair"], who.colours["skin"], 0.12)
    low = 206 + 5 * who.long + drop
    shape = sheet.both(
        [(0, 171), (22, 162), (36, 161), (47, 142), (58, 122), (60, 160), (36, low), (0, low + 6)]
    )
    sheet.canvas.fill(shape, tint, 0.35 + 0.65 * min(who.beard, 1.0), inside=head)


def _nose(sheet: Sheet) -> None:
    canvas, who, n = sheet.canvas, sheet.who, sheet.who.nose
    dark = between(sheet.shade, (0.35, 0.1, 0.1), 0.35 if sheet.ink else 0.12)
    if who.nose_kind == 0:
        line = curve(
            [sheet.at(1, 134), sheet.at(6 * n, 148), sheet.at(1, 152.5), sheet.at(-5 * n, 150.5)],
            closed=False,
        )
        canvas.line(line, dark, 2.6)
    elif who.nose_kind == 1:
        line = curve(
            [sheet.at(-6.5 * n, 148), sheet.at(-3, 152.5), sheet.at(3, 152.5), sheet.at(6.5 * n, 148)],
            closed=False,
        )
        canvas.line(line, dark, 2.8)
    else:
        shape = curve(
            [
                sheet.at(1.5, 128),
                sheet.at(8 * n, 149),
                sheet.at(0, 153),
                sheet.at(-6 * n, 150),
                sheet.at(0, 146),
            ]
        )
        canvas.fill(shape, sheet.shade, 0.8)
    x, y = sheet.at(-1, 143)
    canvas.glow(x, y, 4 * n, 6, WHITE, 0.28)


def _eyes(sheet: Sheet) -> None:
    for side in (-1, 1):
        _eye(sheet, side)


def _eye(sheet: Sheet, side: int) -> None:
    canvas, who, face = sheet.canvas, sheet.who, sheet.face
    x, y = sheet.at(side * 25 * who.apart, EYES)
    half, tilt = 13.2 * who.eyes, side * 1.6 * who.slant
    shut = float(np.clip(face.lid, 0, 1))
    high = 11.5 * who.eyes * (1 + 0.22 * face.eyes) * (1 + 0.25 * max(face.brow, 0))
    low = (6.8 - 1.6 * max(face.smile, 0)) * who.eyes
    across = np.array([-1, -0.62, 0, 0.58, 1.0])
    arch = np.array([0.0, 0.8, 1.06, 0.84, 0.0])
    slope = -tilt * across * side
    upper = y + slope - (high * (1 - shut) - (low * 0.75) * shut) * arch
    lower = y + slope + low * (1 - 0.25 * shut) * arch
    xs = x + half * across
    top = curve(np.stack([xs, upper], 1), closed=False)
    outline = np.concatenate([top, curve(np.stack([xs, lower], 1), closed=False)[::-1]])
    dark = INK if sheet.ink else between(INK, who.colours["hair"], 0.3)
    socket = curve(
        np.stack([xs, np.minimum(upper, y + slope - high * 0.9 * arch) - 2.6 * arch], 1), closed=False
    )
    lid = np.concatenate([socket, top[::-1]])
    canvas.fill(lid, sheet.shade, 0.55 if sheet.ink else 0.42)
    if shut < 0.93:
        canvas.fill(outline, WHITE)
        _iris(sheet, (x, y), outline, high)
    canvas.line(top, dark, (3.4 if sheet.ink else 3.0) + 0.8 * who.lashes, taper=0.45)
    if who.lashes > 0.25:
        outer = -1 if side < 0 else 1
        end = np.array([x + outer * half, upper[0 if outer < 0 else -1]])
        for out, up in ((5.2, -3.2), (4.2, -6.0)):
            tip = (outer * out * who.lashes, up * (1 - 1.35 * shut))
            lash = np.stack([end - (outer * 2.5, 0.8), end + tip])
            canvas.fill(stroke(lash, 2.0, taper=0.5), dark)
    if sheet.ink:
        under = curve(np.stack([xs, lower], 1), closed=False)
        canvas.line(under[8:-8], between(INK, who.colours["skin"], 0.45), 1.3)


def _iris(sheet: Sheet, middle: tuple[float, float], outline: Points, high: float) -> None:
    canvas, who, face = sheet.canvas, sheet.who, sheet.face
    inside = canvas.mask(outline)
    x = middle[0] + float(np.clip(face.gaze_x, -0.2, 0.2)) * 46
    y = middle[1] - 1.2 - float(np.clip(face.gaze_y, -0.2, 0.2)) * 36
    r, iris = 8.4 * who.eyes, who.colours["iris"]
    canvas.fill(ellipse(x, y, r, r * 1.06), between(iris, (0, 0, 0), 0.35), inside=inside)
    canvas.fill(ellipse(x, y + 0.8, r * 0.84, r * 0.88), iris, inside=inside)
    if not sheet.ink:
        canvas.glow(x, y + 4.2, r * 0.8, r * 0.7, WHITE, 0.35, inside=inside)
    canvas.fill(ellipse(x, y, 4.3 * who.eyes, 4.6 * who.eyes), (0.08, 0.06, 0.09), inside=inside)
    canvas.fill(ellipse(x - 2.7, y - 3.1, 2.3, 2.4), (1, 1, 1), inside=inside)
    canvas.fill(ellipse(x + 2.6, y + 3.2, 1.1, 1.1), (1, 1, 1), 0.75, inside=inside)
    left, right, top, bottom = middle[0] - 16, middle[0] + 16, middle[1] - 20, middle[1] - high * 0.52
    under = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])  # the lid's shadow
    canvas.fill(under, sheet.shade, 0.22, inside=inside)


def _brows(sheet: Sheet) -> None:
    canvas, who, face = sheet.canvas, sheet.who, sheet.face
    light = sum(who.colours["hair"]) / 3
    tint = between(who.colours["hair"], (0.1, 0.06, 0.06), 0.25 + 0.3 * light)
    up = 2.5 * who.brow_height + 9.5 * face.brow + 4.5 * face.brows
    for side in (-1, 1):
        x = side * 25 * who.apart
        inner = 1.8 * min(face.brow + face.brows, 0)  # lowered brows draw together
        points = ((-13.0, 102.5 - up - inner), (1.0, 97 - up), (14.5, 101.5 - up))
        line = curve([sheet.at(x + side * dx, y) for dx, y in points], closed=False)
        canvas.line(line, tint, (5.0 if sheet.ink else 4.6) * who.brows, taper=0.3)


def _glasses(sheet: Sheet) -> None:
    canvas, who = sheet.canvas, sheet.who
    if not who.glasses:
        return
    frame = who.colours["frame"]
    for side in (-1, 1):
        x, y = sheet.at(side * 25.5 * who.apart, EYES + 1)
        if who.glasses == 1:
            rim = ellipse(x, y, 20, 19)
        else:
            rim = curve(
                [
                    (x - 19, y - 13),
                    (x, y - 15),
                    (x + 19, y - 13),
                    (x + 20, y + 4),
                    (x + 13, y + 15),
                    (x - 13, y + 15),
                    (x - 20, y + 4),
                ]
            )
        canvas.fill(rim, WHITE, 0.10)
        canvas.around(rim, frame, 2.6)
        ends = np.array([sheet.at(side * 45, EYES - 2), sheet.at(side * 56, EYES - 4)])
        canvas.line(ends, frame, 2.8, taper=0.9)
    bridge = curve([sheet.at(-6.5, EYES), sheet.at(0, EYES - 3.2), sheet.at(6.5, EYES)], closed=False)
    canvas.line(bridge, frame, 2.8, taper=0.9)
