"""Characters who do not exist: what a drawing needs to know of one, drawn from a seed.

`character(seed)` gives the same one for ever. Held-out seeds are in `held_out.yaml`; their voices and
sentences are those that the realistic corpus holds out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from training.data.synthetic_faces import identities
from training.data.synthetic_faces.parameters import Identity
from training.data.synthetic_faces.plan import Seeds

Colour = tuple[float, float, float]  # sRGB, 0…1
Style = Literal["soft", "ink"]
Hair = Literal["short", "bob", "long", "buzz", "swept", "curls", "bun", "none"]
STYLES: tuple[Style, ...] = ("soft", "ink")
HAIR: tuple[Hair, ...] = ("short", "bob", "long", "buzz", "swept", "curls", "bun", "none")
TRAINED = range(100_000)
AVATAR_SHARE = 0.3  # of what is learnt from
HELD_OUT_FILE = Path(__file__).parent / "held_out.yaml"

SKIN = ("#f9dcc4", "#f6cfae", "#eebd94", "#dda376", "#c48456", "#a3653f", "#7f4a2f", "#5f3524")
NATURAL_HAIR = (
    "#2b2024",
    "#3b2a2c",
    "#5a3a2a",
    "#7c4e2e",
    "#a86b38",
    "#d9a756",
    "#b5482f",
    "#8d8a91",
    "#cfc9c4",
)
BRIGHT_HAIR = ("#3f5f8a", "#7a4a82", "#c45a70", "#2f7f78")
CLOTHES = (
    "#2f8f83", "#c8553d", "#3d5a80", "#e0a030", "#6d597a",
    "#588157", "#b56576", "#45505f", "#d9d0c1", "#8c3f3f",
)  # fmt: skip
BACKGROUNDS = (
    ("#f7e3c4", "#f2b98f"), ("#d5e8ee", "#9cc4d4"), ("#e6e0f0", "#b9a9d6"), ("#dcebd7", "#a3c9a0"),
    ("#fbe0dd", "#eea79f"), ("#f3efe6", "#cfc6b4"), ("#fff0c9", "#f0c869"), ("#35506b", "#1f3348"),
)  # fmt: skip
IRIS = ("#4d7a4f", "#4a7fa5", "#6b4a2f", "#3a2a22", "#7a6a3a", "#5b6f7a")
FRAMES = ("#2c2a33", "#6b3f2a", "#a33d3d", "#2f5f6f", "#b8933f")


def colour(code: str) -> Colour:
    """Of "#rrggbb"."""
    r, g, b = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return r, g, b


INK: Colour = colour("#2b1f2a")


@dataclass(frozen=True, slots=True)
class Character:
    """Who is drawn.

    Attributes:
        style: "soft": no outlines, gentle shades; "ink": outlines, flat colours.
        wide: Of the face, factor.
        long: Of the chin, -1 short … 1 long.
        jaw: -1 pointed … 1 square.
        cheeks: How round, 0…1.
        eyes: Their size, factor.
        apart: Of the eyes, factor.
        slant: Of the eyes, -1…1.
        brows: Their thickness, factor.
        brow_height: -1…1.
        nose: Its size, factor.
        nose_kind: 0 a line, 1 a dot, 2 a shade.
        mouth: Its width, factor.
        lips: How full and red, 0…1.
        hair: See `Hair`.
        volume: Of the hair, factor.
        parting: -1 left … 1 right.
        beard: 0 none … 1 full.
        glasses: 0 none, 1 round, 2 square.
        freckles: 0…1.
        lashes: 0…1.
        collar: 0 round, 1 V, 2 shirt, 3 high.
        colours: skin, hair, iris, cloth, trim, back_top, back_bottom, frame.
    """

    style: Style
    wide: float
    long: float
    jaw: float
    cheeks: float
    eyes: float
    apart: float
    slant: float
    brows: float
    brow_height: float
    nose: float
    nose_kind: int
    mouth: float
    lips: float
    hair: Hair
    volume: float
    parting: float
    beard: float
    glasses: int
    freckles: float
    lashes: float
    collar: int
    colours: dict[str, Colour]


JUNO = Character(
    style="soft",
    wide=1.0,
    long=-0.1,
    jaw=-0.35,
    cheeks=0.75,
    eyes=1.07,
    apart=1.0,
    slant=0.25,
    brows=0.85,
    brow_height=0.35,
    nose=0.9,
    nose_kind=0,
    mouth=1.03,
    lips=0.55,
    hair="bob",
    volume=1.02,
    parting=0.7,
    beard=0.0,
    glasses=0,
    freckles=0.62,
    lashes=0.7,
    collar=2,
    colours={
        "skin": colour("#eec09a"),
        "hair": colour("#7a3b34"),
        "iris": colour("#4f7d62"),
        "cloth": colour("#e0a030"),
        "trim": colour("#fbf1dc"),
        "back_top": colour("#d9ecea"),
        "back_bottom": colour("#93c3c4"),
        "frame": colour("#2c2a33"),
    },
)
AVATARS = {"juno": JUNO}


class HeldOut(BaseModel):
    """Characters that training never sees."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    characters: Seeds


@lru_cache(maxsize=1)
def _held_out() -> HeldOut:
    return HeldOut.model_validate(yaml.safe_load(HELD_OUT_FILE.read_text(encoding="utf-8")))


def character(seed: int) -> Character:
    """The character of a seed (any non-negative integer)."""
    random = np.random.default_rng([seed, 0xCA47])
    feminine = float(np.clip(random.normal(0.8 if random.random() < 0.5 else -0.8, 0.4), -1.5, 1.5))
    age = float(random.beta(1.4, 2.0))
    style = STYLES[int(random.integers(len(STYLES)))]
    return _built(random, style, feminine, age, _colours(random, age), _hair(random, feminine, age))


def named(name: str) -> Character:
    """An avatar's, or the character of a seed ("seed-17").

    Raises:
        KeyError: Neither.
    """
    if name in AVATARS:
        return AVATARS[name]
    if name.startswith("seed-") and name[5:].isdigit():
        return character(int(name[5:]))
    raise KeyError(name)


def trained(random: np.random.Generator, avatars: float = AVATAR_SHARE) -> Character:
    """One that training may see: a default avatar in a share of cases, or of a seed."""
    if random.random() < avatars:
        return AVATARS[str(random.choice(sorted(AVATARS)))]
    return character(int(random.integers(TRAINED.start, TRAINED.stop)))


def held_out(index: int) -> Character:
    """Held-out character number `index`, again from the first after the last."""
    seeds = _held_out().characters
    return character(seeds.first + index % (seeds.last - seeds.first + 1))


def drawn_self(person: Identity, style: Style = "soft") -> Character:
    """A person of the realistic corpus, drawn: what their picture tells is theirs, all else the same for all.

    Nothing is left to chance: of two drawings of one face, a generator would learn the blur between them.
    """
    shape, numbers = person.shape, person.numbers
    feminine = float(np.clip(-2.5 * shape.get("jawWidth", 0.0), -1.2, 1.2))
    kinds: dict[int, Hair] = {
        identities.SHORT: "short",
        identities.LONG: "bob" if numbers.get("hairLength", 0.0) and numbers["hairLength"] < 7 else "long",
        identities.CROPPED: "buzz",
        identities.BACK: "swept" if feminine < 0.2 else "bun",
        identities.CURLS: "curls",
        identities.NONE: "none",
    }
    told = person.colours
    colours = {
        "skin": _brighter(told["skinColour"], 1.06),
        "hair": _brighter(told["hairColour"], 1.1),
        "iris": _brighter(told["irisColour"], 1.25),
        "cloth": _brighter(told["clothColour"], 1.2),
        "trim": _brighter(told.get("trimColour", told["clothColour"]), 1.2),
        "back_top": _brighter(told["backTop"], 1.1),
        "back_bottom": _brighter(told["backBottom"], 1.1),
        "frame": told.get("glassColour", (0.1, 0.1, 0.1)),
    }

    def follows(name: str, middle: float, factor: float, low: float, high: float) -> float:
        return float(np.clip(middle + factor * shape.get(name, 0.0), low, high))

    return Character(
        style=style,
        wide=follows("faceWidth", 1, 0.12, 0.88, 1.12),
        long=follows("chinHeight", 0, -1.5, -1, 1),
        jaw=follows("jawWidth", 0, 2.0, -1, 1),
        cheeks=follows("cheek", 0.5, 1.0, 0, 1),
        eyes=follows("eyeOpen", 1.02, 0.8, 0.84, 1.16),
        apart=follows("eyeGap", 1, 0.25, 0.92, 1.08),
        slant=follows("eyeSlant", 0.1, 4.0, -1, 1),
        brows=float(np.clip(shape.get("browThick", 1.0), 0.55, 1.6)),
        brow_height=follows("browHeight", 0.2, 2.5, -1, 1),
        nose=float(np.clip(shape.get("noseWidth", 1.0), 0.7, 1.35)),
        nose_kind=0,
        mouth=follows("mouthWidth", 1, 0.4, 0.86, 1.14),
        lips=float(np.clip(0.45 + 0.3 * feminine + 2 * shape.get("lowerLip", 0.0), 0.05, 1)),
        hair=kinds[int(numbers.get("hairStyle", 0.0))],
        volume=1.0,
        parting=0.6,
        beard=float(numbers.get("beard", 0.0)),
        glasses=0 if not numbers.get("glasses", 0.0) else 1 if numbers.get("glassRound", 1.0) > 0.9 else 2,
        freckles=float(numbers.get("freckles", 0.0)),
        lashes=float(np.clip(0.3 + 0.6 * feminine, 0, 1)),
        collar=0,
        colours=colours,
    )


def _built(
    random: np.random.Generator,
    style: Style,
    feminine: float,
    age: float,
    colours: dict[str, Colour],
    hair: Hair,
) -> Character:
    def drawn(spread: float, share: float = 0.0) -> float:
        return float(np.clip(random.normal(), -2, 2) * spread + share * feminine)

    bearded = float(random.uniform(0.4, 1.0)) if feminine < 0 and random.random() < 0.35 else 0.0
    spectacles = int(random.integers(1, 3)) if random.random() < 0.16 + 0.2 * age else 0
    freckled = float(random.uniform(0.4, 1.0)) if random.random() < 0.15 else 0.0
    width, length = 1 + drawn(0.05, -0.015), float(np.clip(drawn(0.5, -0.2), -1, 1))
    return Character(
        style=style,
        wide=width,
        long=length,
        jaw=float(np.clip(drawn(0.4, -0.45), -1, 1)),
        cheeks=float(np.clip(0.5 + drawn(0.25), 0, 1)),
        eyes=float(np.clip(1 + drawn(0.06, 0.05), 0.84, 1.16)),
        apart=float(np.clip(1 + drawn(0.04), 0.92, 1.08)),
        slant=float(np.clip(drawn(0.4, 0.15), -1, 1)),
        brows=float(np.clip(1 + drawn(0.18, -0.22), 0.55, 1.6)),
        brow_height=float(np.clip(drawn(0.4, 0.3), -1, 1)),
        nose=float(np.clip(1 + drawn(0.12, -0.08), 0.7, 1.35)),
        nose_kind=int(random.integers(3)),
        mouth=float(np.clip(1 + drawn(0.07), 0.86, 1.14)),
        lips=float(np.clip(0.45 + drawn(0.15, 0.3), 0.05, 1)),
        hair=hair,
        volume=float(np.clip(1 + drawn(0.06), 0.88, 1.12)),
        parting=float(random.choice((-1, 1)) * random.uniform(0.2, 1)),
        beard=bearded,
        glasses=spectacles,
        freckles=freckled,
        lashes=float(np.clip(0.3 + 0.6 * feminine, 0, 1)),
        collar=int(random.integers(4)),
        colours=colours,
    )


def _hair(random: np.random.Generator, feminine: float, age: float) -> Hair:
    shares = (
        (0.10, 0.26, 0.26, 0.03, 0.04, 0.15, 0.16, 0.0)
        if feminine > 0
        else (0.34, 0.02, 0.04, 0.20, 0.20, 0.14, 0.0, 0.06)
    )
    return HAIR[int(random.choice(len(HAIR), p=shares))]


def _colours(random: np.random.Generator, age: float) -> dict[str, Colour]:
    tone = float(random.uniform(0, len(SKIN) - 1))
    skin = between(colour(SKIN[int(tone)]), colour(SKIN[min(int(tone) + 1, len(SKIN) - 1)]), tone % 1)
    natural = NATURAL_HAIR[:4] if tone > 4 else NATURAL_HAIR[:7]
    hair = _pick(random, BRIGHT_HAIR if random.random() < 0.08 else natural)
    if age > 0.55:
        hair = between(hair, colour(_pick_code(random, NATURAL_HAIR[7:])), min(1.0, (age - 0.5) * 2.5))
    cloth = _pick(random, CLOTHES)
    top, bottom = BACKGROUNDS[int(random.integers(len(BACKGROUNDS)))]
    varied = {
        "skin": skin,
        "hair": hair,
        "iris": _pick(random, IRIS[2:4] if tone > 4.5 else IRIS),
        "cloth": cloth,
        "trim": _pick(random, CLOTHES) if random.random() < 0.4 else _brighter(cloth, 0.8),
        "back_top": colour(top),
        "back_bottom": colour(bottom),
        "frame": _pick(random, FRAMES),
    }
    return {name: _varied(random, value) for name, value in varied.items()}


def _varied(random: np.random.Generator, value: Colour) -> Colour:
    r, g, b = np.clip(np.array(value) + random.normal(0, 0.015, 3), 0.02, 0.99)
    return float(r), float(g), float(b)


def _pick_code(random: np.random.Generator, codes: Sequence[str]) -> str:
    return codes[int(random.integers(len(codes)))]


def _pick(random: np.random.Generator, codes: Sequence[str]) -> Colour:
    return colour(_pick_code(random, codes))


def between(a: Colour, b: Colour, share: float) -> Colour:
    """A colour `share` of the way from `a` to `b`."""
    r, g, b_ = ((1 - share) * x + share * y for x, y in zip(a, b, strict=True))
    return r, g, b_


def _brighter(value: Colour, factor: float) -> Colour:
    r, g, b = (min(channel * factor, 0.98) for channel in value)
    return r, g, b
