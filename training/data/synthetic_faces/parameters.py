"""What the head can do (expression) and who it is (identity). Lengths in cm, angles in radians."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mouth:
    """Articulation, each 0 (rest) to 1 (full); `wide` may be negative, `tongueOut` too (drawn back)."""

    jaw: float = 0.0
    wide: float = 0.0
    pucker: float = 0.0
    upperRaise: float = 0.0
    lowerDrop: float = 0.0
    press: float = 0.0
    tuck: float = 0.0
    tongueUp: float = 0.0
    tongueOut: float = 0.0
    smile: float = 0.0

    def toward(self, other: "Mouth", share: float) -> "Mouth":
        """The shape `share` of the way to `other`."""
        return Mouth(
            **{
                f.name: (1 - share) * getattr(self, f.name) + share * getattr(other, f.name)
                for f in fields(Mouth)
            }
        )


@dataclass(frozen=True, slots=True)
class Upper:
    """Eyes and brows. lid: 0 open, 1 shut; brow: raised 1; gaze in tangents (0.1 is a glance)."""

    lid: float = 0.0
    brow: float = 0.0
    gazeX: float = 0.0
    gazeY: float = 0.0
    squint: float = 0.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A person who does not exist.

    Attributes:
        shape: Offsets from the mean head (cm); factors for `noseWidth`, `noseTip`, `noseBridge`, `browThick`.
        colours: sRGB 0…1.
        numbers: `hairStyle` 0 short, 1 long, 2 cropped, 3 combed back, 4 curls, 5 none; `age`, `stubble`,
            `beard`, `makeup`, `freckles` 0…1; `glasses` 0 none, about 1 the frame's thickness; `seed` of all
            irregularities. What is missing is 0.
        rest_smile: Smile of the silent face.
        rest_squint: Lower-lid tension of the silent face: without it eyes stare.
        key: Direction to the key light.
        key_colour: Its linear colour.
    """

    shape: Mapping[str, float]
    colours: Mapping[str, Colour]
    numbers: Mapping[str, float]
    rest_smile: float = 0.6
    rest_squint: float = 0.35
    key: Colour = (-0.5, 0.55, 0.8)
    key_colour: Colour = (1.0, 0.955, 0.90)


FACTORS = {"noseWidth": 1.0, "noseTip": 1.0, "noseBridge": 1.0, "browThick": 1.0}


def linear(colour: Colour) -> Colour:
    """sRGB to linear light (gamma 2.2, the inverse of what the shader writes)."""
    r, g, b = (max(c, 0.0) ** 2.2 for c in colour)
    return r, g, b


def uniforms(identity: Identity) -> dict[str, float | Colour]:
    """All identity uniforms of the shader."""
    values: dict[str, float | Colour] = dict(FACTORS)
    values.update(identity.shape)
    values.update({name: linear(c) for name, c in identity.colours.items()})
    values.update(identity.numbers)
    values["keyDirection"], values["keyColour"] = identity.key, identity.key_colour
    return values


def expression(mouth: Mouth, upper: Upper) -> dict[str, float]:
    """All expression uniforms of the shader."""
    return {**asdict(mouth), **asdict(upper)}


MIRA = Identity(
    shape={
        "eyeGap": 0.06,
        "eyeDepth": 0.0,
        "eyeOpen": 0.10,
        "eyeLength": 0.08,
        "browHeight": 0.12,
        "browThick": 0.72,
        "browRidge": -0.16,
        "noseWidth": 0.88,
        "noseForward": -0.22,
        "noseTip": 0.92,
        "noseBridge": 0.90,
        "mouthWidth": -0.16,
        "lipForward": -0.02,
        "upperLip": 0.03,
        "lowerLip": 0.03,
        "skullWidth": -0.12,
        "faceWidth": -0.22,
        "forehead": 0.05,
        "cheekbone": 0.05,
        "cheek": 0.12,
        "jawWidth": -0.50,
        "chinHeight": 0.30,
        "chinForward": -0.10,
        "chinWidth": -0.50,
        "neckWidth": -0.75,
        "shoulderWidth": -1.6,
    },
    colours={
        "skinColour": (0.89, 0.69, 0.58),
        "lipColour": (0.77, 0.44, 0.41),
        "hairColour": (0.36, 0.21, 0.13),
        "irisColour": (0.34, 0.37, 0.25),
        "clothColour": (0.16, 0.42, 0.44),
        "trimColour": (0.20, 0.47, 0.49),
        "backTop": (0.90, 0.84, 0.76),
        "backBottom": (0.70, 0.60, 0.52),
    },
    numbers={"hairStyle": 1.0, "age": 0.15, "stubble": 0.0, "makeup": 0.55, "seed": 3.0},
)

THEO = Identity(
    shape={
        "eyeGap": 0.05,
        "eyeDepth": 0.0,
        "eyeOpen": -0.02,
        "browHeight": -0.10,
        "browThick": 1.25,
        "browRidge": 0.06,
        "noseWidth": 1.04,
        "noseForward": 0.05,
        "noseTip": 1.02,
        "noseBridge": 1.05,
        "mouthWidth": 0.06,
        "upperLip": -0.04,
        "lowerLip": -0.03,
        "skullWidth": 0.0,
        "faceWidth": 0.0,
        "forehead": 0.0,
        "cheekbone": 0.0,
        "cheek": -0.05,
        "jawWidth": 0.05,
        "chinHeight": -0.15,
        "chinForward": 0.10,
        "chinWidth": 0.10,
        "neckWidth": 0.20,
        "shoulderWidth": 1.0,
    },
    colours={
        "skinColour": (0.70, 0.48, 0.35),
        "lipColour": (0.62, 0.35, 0.31),
        "hairColour": (0.13, 0.095, 0.075),
        "irisColour": (0.30, 0.17, 0.08),
        "clothColour": (0.62, 0.33, 0.20),
        "trimColour": (0.86, 0.83, 0.78),
        "backTop": (0.50, 0.62, 0.68),
        "backBottom": (0.26, 0.36, 0.44),
    },
    numbers={"hairStyle": 0.0, "age": 0.3, "stubble": 0.45, "makeup": 0.0, "seed": 11.0},
    rest_smile=0.5,
    key=(0.5, 0.55, 0.8),
)

IDENTITIES = {"mira": MIRA, "theo": THEO}


def at_rest(identity: Identity, mouth: Mouth, upper: Upper) -> tuple[Mouth, Upper]:
    """Adds the face's own resting smile and warmth of the eyes to an expression."""
    smile = mouth.smile + identity.rest_smile * max(0.0, 1 - 0.8 * mouth.pucker)
    return replace(mouth, smile=smile), replace(upper, squint=upper.squint + identity.rest_squint)
