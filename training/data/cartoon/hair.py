"""Hair of a drawing: what is behind the head, and what falls over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from training.data.cartoon.canvas import Points, curve, ellipse
from training.data.cartoon.characters import INK, Colour, between

if TYPE_CHECKING:
    from training.data.cartoon.drawing import Sheet


def _paint(sheet: Sheet, shape: Points) -> None:
    sheet.canvas.fill(shape, sheet.who.colours["hair"])
    if sheet.ink:
        sheet.canvas.around(shape, INK, 2.4)


def _lock(
    sheet: Sheet, points: Sequence[tuple[float, float]], *, light: bool = True, width: float = 3.0
) -> None:
    """A strand that catches the light, or lies in shadow."""
    tint = between(sheet.who.colours["hair"], (1, 0.95, 0.85) if light else (0, 0, 0), 0.22)
    line = curve([sheet.at(dx, y) for dx, y in points], closed=False)
    sheet.canvas.line(line, tint, width, 0.75, taper=0.1)


def back(sheet: Sheet) -> None:
    """Behind head and shoulders."""
    kind, v = sheet.who.hair, sheet.who.volume
    dark = between(sheet.who.colours["hair"], (0, 0, 0), 0.18)
    if kind == "long":
        shape = sheet.both(
            [
                (0, 30),
                (44 * v, 40),
                (70 * v, 84),
                (74 * v, 150),
                (80 * v, 214),
                (66, 252),
                (34, 262),
                (0, 262),
            ]
        )
    elif kind == "bob":
        shape = sheet.both(
            [(0, 30), (42 * v, 38), (68 * v, 78), (74 * v, 140), (70 * v, 190), (50, 206), (0, 206)]
        )
    elif kind == "curls":
        _cloud(sheet, dark)
        return
    elif kind == "bun":
        ball = ellipse(*sheet.at(8 * sheet.who.parting, 28), 24 * v, 21 * v)
        _paint(sheet, ball)
        shape = sheet.both([(0, 38), (40, 46), (62 * v, 84), (63, 124), (50, 150), (0, 150)])
    else:
        return
    sheet.canvas.fill(shape, dark)
    if sheet.ink:
        sheet.canvas.around(shape, INK, 2.4)


def _cloud(sheet: Sheet, tint: Colour) -> None:
    v = sheet.who.volume
    turn = np.linspace(-0.12, np.pi + 0.12, 11)
    spots = [(62 * v * float(np.cos(t)), 104 - 60 * v * float(np.sin(t))) for t in turn]
    for outline in (True, False):
        for dx, y in spots:
            ball = ellipse(*sheet.at(dx, y), 21, 21)
            if outline and sheet.ink:
                sheet.canvas.around(ball, INK, 4.4)
            elif not outline:
                sheet.canvas.fill(ball, tint)
    sheet.canvas.fill(sheet.both([(0, 40), (40, 52), (60, 90), (58, 130), (0, 130)]), tint)


def front(sheet: Sheet) -> None:
    """Over the head."""
    kind, p = sheet.who.hair, sheet.who.parting
    if kind == "none":
        x, y = sheet.at(-16, 68)
        sheet.canvas.glow(x, y, 16, 10, (1, 1, 1), 0.3)
        return
    {"short": _short, "buzz": _buzz, "swept": _swept, "curls": _curls, "bun": _pulled}.get(kind, _curtain)(
        sheet, p
    )


def _around(
    sheet: Sheet, inner: Sequence[tuple[float, float]], *, low: float, wide: float, top: float
) -> Points:
    """A cap from ear to ear over the top, its lower edge given from right to left."""
    v = sheet.who.volume
    crown = [
        (-56.5, low),
        (-wide, 92),
        (-54 * v, 60),
        (-30 * v, top + 6),
        (0, top),
        (30 * v, top + 6),
        (54 * v, 60),
        (wide, 92),
        (56.5, low),
    ]
    return curve([sheet.at(dx, y) for dx, y in [*crown, *inner]])


def _short(sheet: Sheet, p: float) -> None:
    s = 1 if p > 0 else -1
    edge = [(51, 104), (47, 88), (34, 78), (12 * s, 84), (-10 * s, 74), (-34, 80), (-47, 88), (-51, 104)]
    _paint(sheet, _around(sheet, edge, low=120, wide=59, top=36))
    _lock(sheet, [(-38, 62), (-20, 47), (4, 44)])
    _lock(sheet, [(30 * s, 56), (20 * s, 68), (4 * s, 78)], light=False)


def _buzz(sheet: Sheet, p: float) -> None:
    edge = [(52, 102), (48, 84), (36, 74), (0, 70), (-36, 74), (-48, 84), (-52, 102)]
    _paint(sheet, _around(sheet, edge, low=114, wide=57, top=46))
    _lock(sheet, [(-34, 64), (-18, 56), (2, 54)], width=2.4)


def _swept(sheet: Sheet, p: float) -> None:
    s = 1 if p > 0 else -1
    edge = [(52, 104), (48, 84), (34, 70), (0, 64), (-34, 70), (-48, 84), (-52, 104)]
    shape = _around(sheet, edge, low=118, wide=59, top=32)
    _paint(sheet, shape)
    for start, end in ((-26, -40), (-4, -12), (18, 18)):
        _lock(sheet, [(s * start, 62), (s * (start + end) / 2 + 4, 48), (s * end, 40)], width=2.6)
    _lock(sheet, [(s * 36, 70), (s * 44, 58), (s * 40, 48)], light=False)


def _curls(sheet: Sheet, p: float) -> None:
    v = sheet.who.volume
    spots = [
        (-50, 84, 15),
        (-40, 66, 17),
        (-22, 56, 18),
        (0, 52, 19),
        (22, 56, 18),
        (40, 66, 17),
        (50, 84, 15),
        (-54, 100, 10),
        (54, 100, 10),
    ]
    tint = sheet.who.colours["hair"]
    for dx, y, r in spots:
        sheet.canvas.fill(ellipse(*sheet.at(dx * v, y), r, r), tint)
    for dx, y, r in spots[1:6:2]:
        x, y_ = sheet.at(dx * v, y)
        arc = np.stack(
            [x + 0.6 * r * np.cos(np.linspace(3.4, 5.2, 9)), y_ + 0.6 * r * np.sin(np.linspace(3.4, 5.2, 9))],
            1,
        )
        sheet.canvas.line(arc, between(tint, (1, 0.95, 0.85), 0.25), 3.0, 0.8, taper=0.2)


def _pulled(sheet: Sheet, p: float) -> None:
    edge = [(52, 108), (50, 90), (30, 70), (10 * p, 62), (-30, 70), (-50, 90), (-52, 108)]
    _paint(sheet, _around(sheet, edge, low=122, wide=59, top=38))
    _lock(sheet, [(-44, 80), (-30, 58), (-6, 46)])
    _lock(sheet, [(40, 76), (26, 56), (10, 46)], light=False)


def _curtain(sheet: Sheet, p: float) -> None:
    """Long hair and the bob: parted, falling beside the face."""
    s, v = (1 if p > 0 else -1), sheet.who.volume
    low = 176.0 if sheet.who.hair == "bob" else 200.0
    part = 20 * p
    for side in (-1, 1):
        inner = [
            (part, 58),
            (part + side * (20 - 6 * side * s), 74),
            (side * 45, 92),
            (side * 50, 116),
            (side * 52, 150),
            (side * 58, low),
        ]
        outer = [
            (side * 72 * v, low - 6),
            (side * 71 * v, 130),
            (side * 66 * v, 84),
            (side * 44 * v, 46),
            (part, 32),
        ]
        _paint(sheet, curve([sheet.at(dx, y) for dx, y in inner + outer]))
    _lock(sheet, [(part - 8, 46), (-40, 66), (-57, 104), (-60, 140)])
    _lock(sheet, [(part + 10, 50), (42, 70), (59, 110), (62, 150)], light=False)
