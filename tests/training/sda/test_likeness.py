"""The recogniser tells people apart, on the stills of the default avatars."""

import cv2
import numpy as np
import pytest

from parley.engines import Picture
from parley.settings import REPOSITORY
from services.sda.face import portrait
from training.sda.likeness import Recogniser


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="module")
def people() -> dict[str, Picture]:
    stills = {name: REPOSITORY / "avatars" / name / "face" / "still.npz" for name in ("mira", "theo")}
    return {name: portrait.load(path, avatar=name, output=256).aligned(128) for name, path in stills.items()}


def test_a_person_is_nearer_to_herself_than_to_another(recogniser: Recogniser, people) -> None:
    mira, theo = people["mira"], people["theo"]
    softer = cv2.GaussianBlur(cv2.convertScaleAbs(mira, alpha=0.9, beta=8), (0, 0), 1.0)
    same = recogniser.distance(np.stack([softer, softer]), mira)
    other = recogniser.distance(np.stack([theo]), mira)
    assert recogniser.distance(np.stack([mira]), mira) < 1e-5
    assert same < 0.3 < other
    assert recogniser.strangers(people) == pytest.approx(other, abs=1e-5)
