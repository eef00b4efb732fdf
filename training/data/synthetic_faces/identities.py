"""People drawn from a seed: `identity(seed)` gives the same likeness-free person for ever.

Proportions are normal around the mean head and share a few latent traits (build, age, how feminine a face
reads), as they do in people: drawn independently, they give caricatures.
"""

from collections.abc import Sequence

import numpy as np

from training.data.synthetic_faces.parameters import IDENTITIES, Colour, Identity

# sRGB, from very fair to very dark; undertone is added.
SKIN: Sequence[Colour] = (
    (0.94, 0.78, 0.69),
    (0.90, 0.71, 0.60),
    (0.84, 0.64, 0.51),
    (0.74, 0.53, 0.40),
    (0.62, 0.42, 0.30),
    (0.49, 0.32, 0.23),
    (0.36, 0.23, 0.17),
)
FAIR_HAIR: Sequence[Colour] = (
    (0.13, 0.095, 0.075),
    (0.24, 0.15, 0.10),
    (0.36, 0.21, 0.13),
    (0.50, 0.33, 0.19),
    (0.72, 0.54, 0.33),
    (0.55, 0.24, 0.11),
)
DARK_HAIR: Sequence[Colour] = ((0.07, 0.055, 0.05), (0.10, 0.07, 0.055), (0.17, 0.11, 0.08))
GREY: Colour = (0.66, 0.65, 0.64)
FAIR_IRIS: Sequence[Colour] = ((0.32, 0.45, 0.56), (0.34, 0.42, 0.30), (0.40, 0.46, 0.48), (0.33, 0.22, 0.11))
DARK_IRIS: Sequence[Colour] = ((0.22, 0.12, 0.06), (0.30, 0.17, 0.08), (0.16, 0.09, 0.05))
SHORT, LONG, CROPPED, BACK, CURLS, NONE = range(6)

# spread (cm, or a factor's) and its shares of the latent traits: feminine, heavy
_SPREAD: dict[str, tuple[float, float, float]] = {
    "eyeGap": (0.10, 0.02, 0.0),
    "eyeDepth": (0.08, 0.03, 0.0),
    "eyeOpen": (0.05, 0.05, -0.01),
    "eyeLength": (0.05, 0.02, 0.0),
    "eyeSlant": (0.07, 0.03, 0.0),
    "browHeight": (0.10, 0.09, 0.0),
    "browRidge": (0.07, -0.10, 0.0),
    "noseForward": (0.18, -0.12, 0.02),
    "mouthWidth": (0.13, -0.08, 0.03),
    "lipForward": (0.08, 0.0, 0.0),
    "upperLip": (0.05, 0.03, 0.0),
    "lowerLip": (0.05, 0.03, 0.0),
    "skullWidth": (0.18, -0.05, 0.05),
    "faceWidth": (0.20, -0.10, 0.20),
    "forehead": (0.12, 0.03, 0.0),
    "cheekbone": (0.12, 0.03, 0.0),
    "cheek": (0.12, 0.05, 0.16),
    "jawWidth": (0.26, -0.26, 0.22),
    "chinHeight": (0.22, 0.18, 0.05),
    "chinForward": (0.16, -0.09, -0.03),
    "chinWidth": (0.20, -0.26, 0.12),
    "neckWidth": (0.20, -0.45, 0.30),
    "shoulderWidth": (0.60, -1.10, 0.60),
    "jawSkew": (0.09, 0.0, 0.0),
    "noseSkew": (0.06, 0.0, 0.0),
    "eyeSkew": (0.009, 0.0, 0.0),
    "mouthSkew": (0.016, 0.0, 0.0),
}
_FACTOR_SPREAD: dict[str, tuple[float, float, float]] = {
    "noseWidth": (0.09, -0.06, 0.03),
    "noseTip": (0.07, -0.05, 0.02),
    "noseBridge": (0.07, -0.06, 0.0),
    "browThick": (0.16, -0.24, 0.0),
}


def named(name: str) -> Identity:
    """An avatar's hand-written identity, or the person of a seed ("seed-17").

    Raises:
        KeyError: Neither.
    """
    if name in IDENTITIES:
        return IDENTITIES[name]
    if name.startswith("seed-") and name[5:].isdigit():
        return identity(int(name[5:]))
    raise KeyError(name)


def identity(seed: int) -> Identity:
    """The person of a seed (any non-negative integer)."""
    random = np.random.default_rng([seed, 0xFACE])
    feminine = float(np.clip(random.normal(0.95 if random.random() < 0.5 else -0.75, 0.35), -1.5, 1.6))
    heavy = float(np.clip(random.normal(), -1.6, 2.0))
    age = float(np.clip(random.beta(1.5, 2.2), 0.02, 0.95))
    shape = {name: _drawn(random, *spread, feminine, heavy) for name, spread in _SPREAD.items()}
    shape |= {name: 1 + _drawn(random, *spread, feminine, heavy) for name, spread in _FACTOR_SPREAD.items()}
    tone = float(random.uniform(0, len(SKIN) - 1))
    if tone > 3.5:  # broader noses and fuller lips go with darker skin more often than not
        shape["noseWidth"] += 0.10
        shape["upperLip"] += 0.06
        shape["lowerLip"] += 0.07
    style = _style(random, feminine, age, tone)
    numbers = {
        "hairStyle": float(style),
        "hairVolume": float(random.uniform(-0.25, 0.45) if style != CURLS else random.uniform(0.0, 0.9)),
        "hairLength": float(random.uniform(4.5, 9.0) if style == LONG and random.random() < 0.45 else 0.0),
        "hairline": float(np.clip(random.normal(0.1 + 0.5 * max(-feminine, 0) * age, 0.3), -0.35, 1.1)),
        "hairMirror": float(random.random() < 0.5),
        "age": age,
        "makeup": float(random.uniform(0, 0.9)) if feminine > 0.2 else 0.0,
        "freckles": float(random.uniform(0.3, 1.0)) if tone < 2 and random.random() < 0.25 else 0.0,
        "seed": float(random.integers(1, 400)),
        **_facial_hair(random, feminine),
        **_spectacles(random, age),
    }
    key_side = -1 if random.random() < 0.5 else 1
    warm = float(random.uniform(-1, 1))
    return Identity(
        shape=shape,
        colours=_colours(random, tone, age, feminine),
        numbers=numbers,
        rest_smile=float(random.uniform(0.15, 0.65)),
        rest_squint=float(random.uniform(0.2, 0.45)),
        key=(key_side * float(random.uniform(0.25, 0.8)), float(random.uniform(0.35, 0.75)), 0.8),
        key_colour=(1.0, 0.965 - 0.02 * warm, 0.93 - 0.07 * warm),
    )


def _drawn(
    random: np.random.Generator, spread: float, feminine_share: float, heavy_share: float,
    feminine: float, heavy: float,
) -> float:  # fmt: skip
    own = float(np.clip(random.normal(), -2.0, 2.0))
    return spread * own + feminine_share * feminine + heavy_share * heavy


def _between(colours: Sequence[Colour], at: float) -> Colour:
    low = min(int(at), len(colours) - 2)
    share = at - low
    r, g, b = ((1 - share) * x + share * y for x, y in zip(colours[low], colours[low + 1], strict=True))
    return r, g, b


def _style(random: np.random.Generator, feminine: float, age: float, tone: float) -> int:
    curls = 0.28 if tone > 3.5 else 0.10
    if feminine > 0.2:
        shares = (0.10, 0.58 - curls, 0.04, 0.28, curls, 0.0)
    else:
        bald = 0.03 + 0.17 * age
        shares = (0.50 - bald, 0.03, 0.30 - 0.5 * curls, 0.17 - 0.5 * curls, curls, bald)
    return int(random.choice(6, p=np.array(shares) / sum(shares)))


def _facial_hair(random: np.random.Generator, feminine: float) -> dict[str, float]:
    if feminine > 0.0:
        return {"stubble": 0.0, "beard": 0.0}
    kind = random.random()
    if kind < 0.30:
        return {"stubble": float(random.uniform(0.3, 0.6)), "beard": float(random.uniform(0.6, 1.0))}
    return {"stubble": float(random.uniform(0.0, 0.55)) if kind < 0.8 else 0.05, "beard": 0.0}


def _spectacles(random: np.random.Generator, age: float) -> dict[str, float]:
    if random.random() > 0.14 + 0.16 * age:
        return {"glasses": 0.0}
    return {
        "glasses": float(random.uniform(0.6, 1.5)),
        "glassWidth": float(random.uniform(-0.25, 0.15)),
        "glassHeight": float(random.uniform(-0.35, 0.2)),
        "glassRound": float(random.uniform(0.5, 1.4)),
    }


def _colours(random: np.random.Generator, tone: float, age: float, feminine: float) -> dict[str, Colour]:
    def vary(colour: Colour, spread: float) -> Colour:
        r, g, b = np.clip(np.array(colour) + random.normal(0, spread, 3), 0.02, 0.97)
        return float(r), float(g), float(b)

    def any_colour(low: float, high: float, saturation: float) -> Colour:
        grey = random.uniform(low, high)
        r, g, b = np.clip(grey + saturation * random.uniform(-1, 1, 3), 0.03, 0.96)
        return float(r), float(g), float(b)

    skin = vary(_between(SKIN, tone), 0.012)
    dark = tone > 2.6 or random.random() < 0.25
    hair = vary(_pick(random, DARK_HAIR if dark else FAIR_HAIR), 0.012)
    grey = float(np.clip((age - 0.5) * 2.2 + random.normal(0, 0.25), 0, 0.95)) if age > 0.45 else 0.0
    r, g, b = ((1 - grey) * h + grey * w for h, w in zip(hair, GREY, strict=True))
    redness = 0.10 + 0.09 * max(feminine, 0.0)
    lips = (skin[0] * (0.88 - 0.02 * tone), skin[1] * (0.74 - redness), skin[2] * (0.78 - redness))
    back = any_colour(0.25, 0.8, 0.10)
    cloth = any_colour(0.12, 0.7, 0.22)
    return {
        "skinColour": skin,
        "lipColour": vary(lips, 0.015),
        "hairColour": (r, g, b),
        "irisColour": vary(_pick(random, DARK_IRIS if dark else FAIR_IRIS), 0.02),
        "clothColour": cloth,
        "trimColour": vary(cloth, 0.10),
        "backTop": vary(back, 0.04),
        "backBottom": vary((back[0] * 0.65, back[1] * 0.66, back[2] * 0.68), 0.04),
        "glassColour": _pick(
            random, ((0.06, 0.05, 0.05), (0.25, 0.14, 0.08), (0.5, 0.47, 0.42), (0.12, 0.13, 0.2))
        ),
    }


def _pick(random: np.random.Generator, colours: Sequence[Colour]) -> Colour:
    return colours[int(random.integers(len(colours)))]
