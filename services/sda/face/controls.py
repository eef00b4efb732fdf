"""What a drawn mouth can do: six controls, the visemes of English on them, and the phones that take them.

A mouth is a float vector [6] in the order of `Control`:

- OPEN: -1 lips pressed together, 0 lips touching, 1 jaw fully open
- WIDTH: -1 rounded, 1 spread
- LIFT: 0…1, how far the lips draw back from the teeth
- TUCK: 0…1, lower lip under the upper teeth
- TONGUE: 0…1, tongue tip up behind the teeth
- THRUST: 0…1, tongue tip between the teeth
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Mouth = NDArray[np.float64]


class Control(IntEnum):
    """Index into a mouth vector."""

    OPEN = 0
    WIDTH = 1
    LIFT = 2
    TUCK = 3
    TONGUE = 4
    THRUST = 5


REST: Mouth = np.zeros(6)
LOWEST: Mouth = np.array([-1.0, -1.0, 0.0, 0.0, 0.0, 0.0])
HIGHEST: Mouth = np.array([0.92, 0.8, 1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Viseme:
    """A mouth shape and how firmly it is reached.

    Attributes:
        mouth: Target vector [6].
        dominance: Weight against its neighbours (Cohen and Massaro, 1993); high for what must be seen.
        holds: Weight of each control relative to `dominance`: what a sound leaves free, its neighbours shape.
    """

    mouth: Mouth
    dominance: float = 1.2
    holds: Mouth = field(default_factory=lambda: np.ones(6))


def _shape(
    opened: float, width: float, lift: float, *, tuck: float = 0.0, tongue: float = 0.0, thrust: float = 0.0
) -> Mouth:
    return np.array([opened, width, lift, tuck, tongue, thrust])


_FREE_WIDTH = np.array([1.0, 0.3, 0.8, 1.0, 1.0, 1.0])  # said with the tongue: the lips follow the vowels

VISEMES: dict[str, Viseme] = {
    "sil": Viseme(_shape(0, 0, 0), 1.0),
    "PBM": Viseme(_shape(-0.8, 0.05, 0), 1.9, np.array([1.0, 0.25, 1.0, 1.0, 1.0, 1.0])),
    "FV": Viseme(_shape(0.10, 0.10, 0.50, tuck=1), 2.0, np.array([0.7, 0.4, 1.0, 1.0, 1.0, 1.0])),
    "TH": Viseme(_shape(0.26, 0.10, 0.50, thrust=1), 2.0, _FREE_WIDTH),
    "TDN": Viseme(_shape(0.18, 0.15, 0.55, tongue=1), 0.9, _FREE_WIDTH),
    "KG": Viseme(_shape(0.24, 0.15, 0.50), 0.5, _FREE_WIDTH),
    "CHSH": Viseme(_shape(0.14, -0.60, 0.95), 2.4),
    "SZ": Viseme(_shape(0.07, 0.35, 0.85), 1.5, np.array([1.0, 0.45, 1.0, 1.0, 1.0, 1.0])),
    "R": Viseme(_shape(0.18, -0.50, 0.45), 1.0),
    "L": Viseme(_shape(0.30, 0.12, 0.55, tongue=1), 1.0, _FREE_WIDTH),
    "AA": Viseme(_shape(0.90, 0.05, 0.65), 1.6),
    "AE": Viseme(_shape(0.66, 0.38, 0.75), 1.5),
    "EH": Viseme(_shape(0.47, 0.30, 0.65), 1.4),
    "IY": Viseme(_shape(0.17, 0.70, 0.80)),
    "IH": Viseme(_shape(0.27, 0.42, 0.65)),
    "OW": Viseme(_shape(0.46, -0.75, 0.20), 1.7),
    "UW": Viseme(_shape(0.15, -1.00, 0.12), 2.0),
    "AO": Viseme(_shape(0.70, -0.45, 0.45), 1.5),
    "AH": Viseme(_shape(0.44, 0.05, 0.55)),
    "ER": Viseme(_shape(0.26, -0.45, 0.50), 1.3),
}

# One viseme, or two in succession for a diphthong.
PHONES: dict[str, tuple[str, ...]] = {
    "pau": ("sil",), "p": ("PBM",), "b": ("PBM",), "m": ("PBM",), "f": ("FV",), "v": ("FV",), "th": ("TH",),
    "dh": ("TH",), "t": ("TDN",), "d": ("TDN",), "n": ("TDN",), "dx": ("TDN",), "en": ("TDN",), "k": ("KG",),
    "g": ("KG",), "ng": ("KG",), "hh": ("KG",), "ch": ("CHSH",), "jh": ("CHSH",), "sh": ("CHSH",),
    "zh": ("CHSH",), "s": ("SZ",), "z": ("SZ",), "r": ("R",), "er": ("ER",), "axr": ("ER",), "l": ("L",),
    "el": ("L",), "w": ("UW",), "y": ("IY",), "aa": ("AA",), "ao": ("AO",), "ae": ("AE",), "ah": ("AH",),
    "ax": ("AH",), "eh": ("EH",), "ih": ("IH",), "ix": ("IH",), "iy": ("IY",), "uh": ("ER",), "uw": ("UW",),
    "em": ("PBM",), "ay": ("AA", "IH"), "ey": ("EH", "IY"), "ow": ("OW", "UW"), "aw": ("AA", "UW"),
    "oy": ("AO", "IH"),
}  # fmt: skip
LIP_CLOSERS = frozenset({"p", "b", "m", "em"})
