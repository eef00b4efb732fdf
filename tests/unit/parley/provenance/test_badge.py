"""The badge is on every picture, in its corner, and can be read."""

import numpy as np
import pytest

from parley.provenance.badge import Badge, badged

GREY = np.full((256, 256, 3), 120, np.uint8)


def test_the_badge_has_white_words_on_a_dark_plate_and_leaves_the_face_alone():
    out = Badge("AI-generated", 256, 256).on(GREY)
    changed = np.argwhere((out != GREY).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert top > 220 and bottom < 256 and left < 10 and right < 128
    plate = out[top : bottom + 1, left : right + 1]
    assert plate.max() > 240
    assert np.median(plate) < 70
    white = np.flatnonzero((plate > 160).any(axis=(1, 2)))
    assert white[-1] - white[0] + 1 >= 9  # capitals of nine pixels
    assert np.array_equal(GREY, np.full((256, 256, 3), 120, np.uint8))


@pytest.mark.parametrize("size", [(128, 128), (64, 48), (720, 1280)])
def test_long_words_are_made_to_fit(size: tuple[int, int]):
    picture = np.zeros((*size, 3), np.uint8)
    out = Badge("W" * 24, *size).on(picture)
    assert out.shape == picture.shape
    assert out.any()
    assert not out[:, -1].any()


def test_pictures_may_change_their_size():
    frames = [(0, np.zeros((128, 128, 3), np.uint8)), (960, np.zeros((64, 64, 3), np.uint8))]
    out = list(badged(frames, "AI"))
    assert [(pts, picture.shape[0]) for pts, picture in out] == [(0, 128), (960, 64)]
    assert all(picture.any() for _, picture in out)
