"""A character as numbers that a network can tell, and back: what a photo's styles say of its drawn self."""

from dataclasses import replace
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from training.data.cartoon.characters import HAIR, JUNO, Character, Hair, Style

Floats = NDArray[np.float32]
COLOURS: Final = ("skin", "hair", "iris", "cloth", "trim", "back_top", "back_bottom", "frame")
GLASSES: Final = (0, 1, 2)
# Of proportions: the usual, and the spread that a unit stands for.
SHAPES: Final[dict[str, tuple[float, float]]] = {
    "wide": (1.0, 0.05),
    "long": (0.0, 0.4),
    "jaw": (0.0, 0.5),
    "cheeks": (0.5, 0.25),
    "eyes": (1.0, 0.06),
    "apart": (1.0, 0.04),
    "slant": (0.1, 0.4),
    "brows": (1.0, 0.25),
    "brow_height": (0.2, 0.4),
    "nose": (1.0, 0.12),
    "mouth": (1.0, 0.06),
    "lips": (0.45, 0.25),
    "lashes": (0.3, 0.4),
    "beard": (0.3, 0.3),
    "freckles": (0.2, 0.3),
}
LOWEST: Final = {"beard": 0.25, "freckles": 0.3}  # less is none: half a beard is a stain
_ENDS: Final = tuple(np.cumsum([3 * len(COLOURS), len(HAIR), len(GLASSES), len(SHAPES)]).tolist())
NUMBERS: Final[int] = _ENDS[3]
CHANNELS: Final[int] = _ENDS[0]  # of colours, which come first
MEASURES: Final = (slice(0, _ENDS[0]), slice(_ENDS[2], _ENDS[3]))  # colours, proportions
KINDS: Final = (slice(_ENDS[0], _ENDS[1]), slice(_ENDS[1], _ENDS[2]))  # of hair, of glasses
_LIMITS: Final = {
    "wide": (0.88, 1.12),
    "eyes": (0.84, 1.16),
    "apart": (0.92, 1.08),
    "brows": (0.55, 1.6),
    "nose": (0.7, 1.35),
    "mouth": (0.86, 1.14),
    **dict.fromkeys(("long", "jaw", "slant", "brow_height"), (-1.0, 1.0)),
    **dict.fromkeys(("cheeks", "lips", "lashes", "beard", "freckles"), (0.0, 1.0)),
}


def numbers(who: Character) -> Floats:
    """Colours in -1…1, one of each kind of hair and glasses, proportions in units: float32 [NUMBERS]."""
    colours = [2 * channel - 1 for name in COLOURS for channel in who.colours[name]]
    kinds = [float(who.hair == hair) for hair in HAIR] + [float(who.glasses == kind) for kind in GLASSES]
    shapes = [(getattr(who, name) - usual) / unit for name, (usual, unit) in SHAPES.items()]
    return np.array([*colours, *kinds, *shapes], np.float32)


def character(told: Floats, style: Style = "soft") -> Character:
    """The character of numbers [NUMBERS], whose kinds may be told with any certainty.

    Raises:
        ValueError: `style` is none of the styles.
    """
    if style not in get_args(Style):
        raise ValueError(f"There is no style {style!r}; there are {', '.join(get_args(Style))}.")
    channels = np.clip((told[MEASURES[0]] + 1) / 2, 0.02, 0.98).reshape(-1, 3)
    hair: Hair = HAIR[int(told[KINDS[0]].argmax())]
    shapes: dict[str, Any] = {}
    for (name, (usual, unit)), value in zip(SHAPES.items(), told[MEASURES[1]], strict=True):
        shown = float(np.clip(usual + unit * float(value), *_LIMITS[name]))
        shapes[name] = 0.0 if shown < LOWEST.get(name, -1.0) else shown
    colours = {
        name: (float(r), float(g), float(b)) for name, (r, g, b) in zip(COLOURS, channels, strict=True)
    }
    return replace(
        JUNO,
        style=style,
        hair=hair,
        glasses=GLASSES[int(told[KINDS[1]].argmax())],
        volume=1.0,
        parting=0.6,
        collar=0,
        colours=colours,
        **shapes,
    )
