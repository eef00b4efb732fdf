"""Faces with real pictures and landmarks: the crop, what is left out of it, a face model's lips beside it."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from parley.media.video import write_mp4
from training.data import demo_material, demo_pictures, pictures
from training.data.demo_material import TARGET, Cast, Track
from training.data.stages import align, face
from training.data.workspace import Rejected, Workspace

pytestmark = pytest.mark.integration

SECONDS = 4.4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of the target speaking, the same with a hand before the mouth for a while, and its sound."""
    root: Path = tmp_path_factory.mktemp("corpus")
    track = Track()
    track.say(TARGET, "", Cast().voice(TARGET, "My brother plays the cello in a small orchestra, and well."))
    audio = np.concatenate(track.audio)[: round(SECONDS * 24_000)]
    demo_material.write_wav(root / "a.wav", audio)
    demo_pictures.film(root / "whole.mp4", track.turns, audio)
    shown = [frame.to_ndarray(format="rgb24") for _, frame in pictures.decoded(root / "whole.mp4")]
    for name, hidden in (("hand", range(40, 48)), ("long", range(30, 80))):
        covered = [
            cv2.ellipse(each.copy(), (240, 245), (44, 30), 10, 0, 360, (205, 160, 135), -1)
            if index in hidden
            else each
            for index, each in enumerate(shown)
        ]
        write_mp4(root / f"{name}.mp4", ((n * 960, each) for n, each in enumerate(covered)), b"")
    return root


def aligned(root: Path, name: str) -> dict[str, Any]:
    item = {"id": name, "video": f"{name}.mp4", "audio": "a.wav", "scenes": [[0.0, 9.0, ""]]}
    item |= {"start_s": 0.0, "end_s": SECONDS, "media_s": SECONDS}
    (row,) = align.run(item, align.Config(), Workspace(root, name * 8))
    return row


def test_the_crop_holds_every_frame_and_the_face_in_one_place(corpus: Path) -> None:
    row = aligned(corpus, "whole")
    assert row["stretches"] == [[0, row["frames"]]] and row["frames"] == round(SECONDS * 25)
    sizes = {(frame.width, frame.height) for _, frame in pictures.decoded(corpus / row["crop"])}
    assert sizes == {(256, 256)}
    stored = np.load(corpus / row["landmarks"])
    eyes = stored["landmarks"][:, [*align.RIGHT_EYE, *align.LEFT_EYE]].astype(np.float32).mean(1)
    assert np.abs(eyes - (128, 0.4 * 256)).max() < 4
    left, top, right, bottom = stored["mouth"].T
    lips = stored["landmarks"][:, 13]
    assert np.all((left < lips[:, 0]) & (lips[:, 0] < right) & (top < lips[:, 1]) & (lips[:, 1] < bottom))


def test_frames_with_a_hand_before_the_mouth_are_left_out(corpus: Path) -> None:
    row = aligned(corpus, "hand")
    assert row["stretches"] == [[0, 40], [48, row["frames"]]]
    with pytest.raises(Rejected, match=r"covered|not seen"):
        aligned(corpus, "long")


def test_a_face_model_that_says_other_words_is_told(corpus: Path) -> None:
    row = aligned(corpus, "whole")
    config = face.Config(engine="visemes", avatar="mira")
    (right,) = face.run(row, config, Workspace(corpus, "right" * 8))
    other = Cast().voice(TARGET, "Could you pass me that book, please? We measure the room for shelves.")
    demo_material.write_wav(corpus / "other.wav", other)
    (wrong,) = face.run(row | {"audio": "other.wav"}, config, Workspace(corpus, "wrong" * 8))
    assert right["model"] == "visemes/mira"
    assert right["lip_error"] < 0.02 < wrong["lip_error"]
    assert face.run(row, face.Config(), Workspace(corpus, "none" * 8)) == []
