"""The drawn characters: deterministic, still where they should be, and moving where they should."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from services.sda.face.controls import VISEMES
from training.data.cartoon import mouth
from training.data.cartoon.characters import (
    AVATARS,
    HAIR,
    JUNO,
    STYLES,
    TRAINED,
    character,
    drawn_self,
    held_out,
    named,
    trained,
)
from training.data.cartoon.drawing import Face, draw
from training.data.synthetic_faces.identities import identity

SIZE = 128


def changed(a: Face, b: Face, who=JUNO) -> np.ndarray:
    """Rows and columns of pixels that differ, in units of the picture: [n, 2]."""
    one, other = (draw(who, face, SIZE).astype(int) for face in (a, b))
    return np.argwhere(np.abs(one - other).max(-1) > 24) / SIZE


def test_a_seed_gives_the_same_character_and_the_same_picture() -> None:
    assert asdict(character(7)) == asdict(character(7)) != asdict(character(8))
    assert np.array_equal(draw(character(7), Face(), SIZE), draw(character(7), Face(), SIZE))
    assert draw(JUNO, Face(), SIZE).shape == (SIZE, SIZE, 3)


def test_characters_differ_in_style_hair_and_skin() -> None:
    many = [character(seed) for seed in range(300)]
    assert {who.style for who in many} == set(STYLES) and {who.hair for who in many} == set(HAIR)
    assert np.ptp([sum(who.colours["skin"]) for who in many]) > 1
    assert 0.1 < np.mean([who.glasses > 0 for who in many]) < 0.5


def test_training_never_draws_a_held_out_character() -> None:
    kept = {str(asdict(held_out(index))) for index in range(48)}
    assert len(kept) == 48 and asdict(held_out(48)) == asdict(held_out(0))
    assert not any(asdict(character(seed)) == asdict(held_out(0)) for seed in TRAINED[:500])
    random = np.random.default_rng(1)
    drawn = [trained(random) for _ in range(60)]
    assert any(who is AVATARS["juno"] for who in drawn) and not kept & {str(asdict(who)) for who in drawn}


def test_names_are_avatars_or_seeds() -> None:
    assert named("juno") is JUNO and asdict(named("seed-5")) == asdict(character(5))
    with pytest.raises(KeyError):
        named("nobody")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sound", ["AA", "UW", "IY", "FV"])
def test_a_sound_moves_mouth_and_jaw_alone(style: str, sound: str) -> None:
    who = replace(JUNO, style=style)
    moved = changed(Face(), Face(tuple(VISEMES[sound].mouth)), who)
    assert len(moved) > 20
    assert moved[:, 0].min() > 0.55 and 0.2 < moved[:, 1].min() < moved[:, 1].max() < 0.8


def test_a_blink_moves_the_eyes_alone() -> None:
    moved = changed(Face(), Face(lid=1.0))
    assert len(moved) > 100
    assert 0.35 < moved[:, 0].min() < moved[:, 0].max() < 0.58


@pytest.mark.parametrize("slider", ["smile", "brows", "eyes"])
def test_a_slider_moves_something_in_both_directions(slider: str) -> None:
    for value in (-1.0, 1.0):
        assert len(changed(Face(), Face(**{slider: value}))) > 15


def test_landmarks_lie_on_the_lips() -> None:
    shut, opened = (mouth.landmarks(JUNO, Face(tuple(VISEMES[s].mouth))) for s in ("PBM", "AA"))
    assert shut.shape == (10, 2)
    gape = [points[5:8, 1].mean() - points[2:5, 1].mean() for points in (shut, opened)]
    assert abs(gape[0]) < 1e-9 < 0.04 < gape[1]
    narrow = mouth.landmarks(JUNO, Face(tuple(VISEMES["UW"].mouth)))
    assert narrow[1, 0] - narrow[0, 0] < 0.7 * (shut[1, 0] - shut[0, 0])


def test_a_realistic_persons_drawing_has_their_colours_hair_and_glasses() -> None:
    for seed in range(40):
        person = identity(seed)
        drawing = drawn_self(person)
        assert (drawing.glasses > 0) == (person.numbers["glasses"] > 0)
        assert (drawing.hair == "none") == (person.numbers["hairStyle"] == 5)
        assert np.abs(np.subtract(drawing.colours["skin"], person.colours["skinColour"])).max() < 0.07
    assert asdict(drawn_self(identity(1))) == asdict(drawn_self(identity(1)))
