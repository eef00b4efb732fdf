"""A generated face is put into a still at its own place."""

import cv2
import numpy as np
import pytest

from parley.errors import EngineUnavailable
from parley.settings import REPOSITORY
from services.sda.face import portrait
from services.sda.face.motion import FIELDS, Pose, liveliness


@pytest.fixture(scope="module", params=["mira", "theo"])
def still(request: pytest.FixtureRequest) -> portrait.Portrait:
    path = REPOSITORY / "avatars" / request.param / "face" / "still.npz"
    return portrait.load(path, avatar=request.param, output=256)


def test_its_own_face_put_back_changes_nearly_nothing(still: portrait.Portrait) -> None:
    plain = cv2.resize(still.picture, (256, 256), interpolation=cv2.INTER_LINEAR).astype(int)
    drawn = still.draw(still.aligned(240), Pose())
    assert np.abs(drawn - plain).mean() < 0.8


def test_outside_of_the_face_the_still_stands(still: portrait.Portrait) -> None:
    a = still.draw(np.zeros((128, 128, 3), np.uint8), Pose()).astype(int)
    b = still.draw(np.full((128, 128, 3), 255, np.uint8), Pose())
    change = np.abs(a - b).max(-1)
    assert change[:50].max() == change[225:].max() == change[:, :50].max() == change[:, 206:].max() == 0
    assert change[90:180, 95:160].min() > 240


@pytest.mark.parametrize("name", FIELDS)
def test_every_motion_moves_the_picture(still: portrait.Portrait, name: str) -> None:
    face, amount = still.aligned(128), 1.0 if name in ("breath", "sway", "bob") else 0.06
    rest, moved = (still.draw(face, Pose(**{name: a})).astype(int) for a in (0.0, amount))
    assert np.abs(rest - moved).mean() > 0.1
    assert np.abs(rest - moved)[:4, :4].max() <= 3  # the far corner of the wall stays


def test_a_still_is_kept_whole_on_disk(still: portrait.Portrait, tmp_path) -> None:
    path = tmp_path / "still.npz"
    portrait.save(path, still.picture, still.matrix, still.bend.fields)
    again = portrait.load(path, avatar="copy", output=256)
    np.testing.assert_allclose(again.matrix, still.matrix)
    assert np.abs(again.picture.astype(int) - still.picture).mean() < 2
    arrays = dict(np.load(path)) | {"version": np.int32(0)}
    np.savez(path, **arrays)
    with pytest.raises(EngineUnavailable, match="version 0"):
        portrait.load(path, avatar="copy", output=256)


def test_a_reply_grows_out_of_rest_and_back() -> None:
    shares = [liveliness(frame, 20) for frame in range(20)]
    assert shares[0] == shares[-1] == 0
    assert shares[:4] == [0, 0.5, 0.85, 1] and shares[-3:] == [1, 0.5, 0]
    assert liveliness(500, None) == 1


def test_at_half_the_size_it_is_the_same_picture(still: portrait.Portrait) -> None:
    pose, face = Pose(yaw=0.05, sway=0.8), still.aligned(128)
    whole, half = still.draw(face, pose), still.halved().draw(face, pose)
    assert half.shape == (128, 128, 3)
    small = cv2.resize(whole, (128, 128), interpolation=cv2.INTER_AREA).astype(int)
    shifted = np.roll(small, 1, axis=1)
    assert np.abs(half - small).mean() < 2 < np.abs(half - shifted).mean()
