"""The mouth of a drawing: six controls and a smile to lips, teeth and tongue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.sda.face.controls import Control
from training.data.cartoon.canvas import UNITS, Points, curve, ellipse
from training.data.cartoon.characters import INK, Character, Colour, between, colour

if TYPE_CHECKING:
    from training.data.cartoon.drawing import Face, Sheet

HEIGHT = 173.0  # of the shut mouth
INSIDE: Colour = colour("#5a1a24")
TEETH: Colour = colour("#fffaf2")
TONGUE: Colour = colour("#d9696c")
RED: Colour = colour("#c24a4a")
SHUT = 0.03  # openings below are a line
_TURN = np.linspace(np.pi, 0, 25)  # from the left corner to the right one
ACROSS, ARCH = np.cos(_TURN), np.sin(_TURN)


@dataclass(frozen=True)
class Lips:
    """Where a mouth's edges run, from the left corner to the right one. All [25], units of a 256 picture.

    Attributes:
        x: Of all the others.
        seam: Where shut lips meet.
        over: Edge of the upper lip towards the mouth.
        under: And of the lower lip.
        top: Edge of the upper lip towards the skin.
        bottom: And of the lower lip.
        half: Half the mouth's width.
        gape: How far it is open, 0…1.
    """

    x: Points
    seam: Points
    over: Points
    under: Points
    top: Points
    bottom: Points
    half: float
    gape: float


def lips(who: Character, face: Face) -> Lips:
    """The mouth that a face shows."""
    opened, width, lift, tuck, *_ = face.mouth
    narrow, wide = max(-width, 0.0), max(width, 0.0)
    gape, pressed = max(opened, 0.0), max(-opened, 0.0)
    happy = 0.5 + 0.5 * face.smile
    half = 19.5 * who.mouth * (1 + 0.2 * wide - 0.46 * narrow + 0.13 * max(face.smile, 0)) * (1 - 0.05 * gape)
    corners = 7.5 * happy * (1 - 0.7 * narrow) * (1 - 0.3 * gape)
    seam = HEIGHT - corners * (ACROSS**2 - 0.3)
    up = (1.6 * lift + 2.6 * gape + 1.0 * narrow * (gape > SHUT)) * (1 - 0.6 * tuck)
    down = (20.0 + 3 * narrow) * gape * (1 - 0.55 * tuck)
    over = seam - up * ARCH**0.8
    under = seam + down * ARCH ** (0.75 + 0.25 * (1 - narrow))
    full = 0.25 + 0.75 * who.lips
    thick_up = (1.5 + 2.3 * full + 1.2 * narrow) * (1 - 0.6 * pressed)
    thick_down = (1.9 + 3.0 * full + 1.6 * narrow) * (1 - 0.6 * pressed) * (1 - 0.75 * tuck)
    bow = 1 - 0.28 * np.exp(-((ACROSS / 0.16) ** 2))  # the dip of the upper lip
    top, bottom = over - thick_up * ARCH**0.7 * bow, under + thick_down * ARCH**0.7
    return Lips(128 + half * ACROSS, seam, over, under, top, bottom, half, gape)


def landmarks(who: Character, face: Face) -> Points:
    """Corners, three points of each inner edge, middles of the outer edges: [10, 2], units of the picture."""
    found = lips(who, face)
    points = [(found.x[k], found.seam[k]) for k in (0, -1)]
    points += [(found.x[k], edge[k]) for edge in (found.over, found.under) for k in (6, 12, 18)]
    points += [(found.x[12], edge[12]) for edge in (found.top, found.bottom)]
    return np.array(points) / UNITS


def draw(sheet: Sheet) -> None:
    """Draws it."""
    who, face, canvas = sheet.who, sheet.face, sheet.canvas
    found = lips(who, face)
    outer = np.concatenate([_edge(found.x, found.top), _edge(found.x, found.bottom)[::-1]])
    red = between(sheet.shade, RED, 0.25 + 0.6 * who.lips)
    canvas.fill(outer, red, 0.35 + 0.55 * who.lips if sheet.ink else 0.45 + 0.5 * who.lips)
    dark = INK if sheet.ink else between(INSIDE, who.colours["skin"], 0.12)
    curl = 0.4 + 0.5 * face.smile  # of the corners
    if found.gape <= SHUT and face.mouth[Control.TUCK] < 0.5:
        seam = _edge(found.x, found.seam)
        line = np.concatenate([[seam[0] + (-1.6, -curl)], seam, [seam[-1] + (1.6, -curl)]])
        canvas.line(line, dark, 2.6 + 0.7 * min(face.mouth[Control.OPEN], 0), taper=0.3)
    else:
        hole = np.concatenate([_edge(found.x, found.over), _edge(found.x, found.under)[::-1]])
        _hole(sheet, hole, found)
        if sheet.ink:
            canvas.around(hole, dark, 1.9)
        for side, end in ((-1, 0), (1, -1)):
            x, y = found.x[end], found.seam[end]
            corner = np.array([[x - side * 1.2, y + 0.6], [x + side * 1.4, y - curl]])
            canvas.line(corner, dark, 2.0, taper=0.6)
    y = float(found.bottom[12]) + 5
    below = curve([(128 - 0.38 * found.half, y), (128, y + 1.5), (128 + 0.38 * found.half, y)], closed=False)
    canvas.line(below, sheet.shade, 2.2, 0.75)


def _edge(x: Points, y: Points) -> Points:
    return np.stack([x, y], 1)


def _hole(sheet: Sheet, hole: Points, found: Lips) -> None:
    """Teeth and tongue."""
    canvas, x, half, gape = sheet.canvas, 128.0, found.half, found.gape
    _, _, lift, tuck, tongue, thrust = sheet.face.mouth
    top, bottom = float(found.over[12]), float(found.under[12])
    height, inside = bottom - top, canvas.mask(hole)
    canvas.fill(hole, INSIDE)
    if gape > 0.16 or tongue > 0.3 or thrust > 0.3:
        y = bottom + 3.5 - 0.18 * height - 0.55 * tongue * height
        canvas.fill(ellipse(x, y + 3, half * 0.62, 5 + 0.26 * height), TONGUE, inside=inside)
        groove = curve([(x - 2, y - 0.12 * height), (x, y + 3), (x + 1, y + 8)], closed=False)
        canvas.line(groove, between(TONGUE, INSIDE, 0.35), 1.4, 0.5, inside=inside)
    low = top + (4.2 + 2.6 * lift + 1.5 * gape) * (1 - 0.15 * tongue)
    low = bottom + 1.0 if tuck > 0.3 else min(low, top + 0.92 * height)
    edge = 0.86 * half
    upper = [(x - edge, top - 9), (x, top - 9), (x + edge, top - 9)]
    lower = [(x + edge * 0.94, low - 1.6), (x, low), (x - edge * 0.94, low - 1.6)]
    canvas.fill(curve(upper + lower), TEETH, inside=inside)
    if thrust > 0.3:
        tip = ellipse(x, max(low, top + 0.55 * height) + 1.5, half * 0.5, 3.6 + 0.12 * height)
        canvas.fill(tip, TONGUE, min(1.0, thrust * 1.2), inside=inside)
