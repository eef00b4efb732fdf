"""The animated engine with the shipped generator and the drawn default avatar."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from parley.engines import FaceInput, Picture, pictures
from parley.errors import EngineUnavailable
from parley.settings import REPOSITORY
from services.sda.config import SdaSettings
from services.sda.engines import Faces
from services.sda.engines.animated import AnimatedEngine
from services.sda.face.motion import Upper
from services.sda.face.styles import WEIGHTS
from tests.unit.services.sda.replies import in_pieces, offline, same
from tests.unit.services.sda.speech import speech

AVATARS = REPOSITORY / "avatars"


@pytest.fixture(scope="module")
def engine() -> AnimatedEngine:
    return AnimatedEngine(AVATARS)


@pytest.mark.parametrize("cuts", [range(1, 40), [11]])
def test_pieces_give_exactly_the_frames_of_the_whole(engine: AnimatedEngine, cuts) -> None:
    audio, _ = speech()
    frames, begun = in_pieces(engine, audio, cuts, avatar="juno")
    assert same(frames, offline(engine, audio, avatar="juno"))
    assert begun[:-1] == [max(0, b - 2) for b in cuts]  # no frame waits longer than the look-ahead


def test_a_reply_begins_and_ends_as_the_idle_loop_does(engine: AnimatedEngine) -> None:
    audio, _ = speech()
    frames, loop = offline(engine, audio, avatar="juno"), engine.idle("juno")
    assert loop[0].shape == (256, 256, 3) and loop[0].dtype == np.uint8
    assert np.array_equal(frames[0], loop[0]) and np.array_equal(frames[-1], loop[0])
    assert max(np.abs(f.astype(int) - loop[0]).mean() for f in loop) > 1  # and is not still


def test_the_mouth_opens_with_speech_and_rests_in_silence(engine: AnimatedEngine) -> None:
    audio, _ = speech()

    def change(frames: list[Picture]) -> float:  # about the mouth, against the first frame: at rest
        return max(
            float(np.abs(f[160:210, 96:160].astype(int) - frames[0][160:210, 96:160]).mean()) for f in frames
        )

    assert (
        change(offline(engine, audio, avatar="juno"))
        > 2 * change(offline(engine, np.zeros_like(audio), avatar="juno")) + 2
    )


def test_what_speech_does_not_move_is_the_drawing_itself(engine: AnimatedEngine) -> None:
    sitter, generator = engine.sitter("juno"), engine.generator
    still = sitter.portrait.picture
    heard = np.random.default_rng(1).normal(0, 0.3, (80, 24)).astype(np.float32)
    latent = generator.latent(heard, Upper(lid=1.0), sitter.who, sitter.calm.copy())
    (face,) = generator.draw([latent], sitter.who)
    rows, columns = (slice(first, last) for first, last in generator.about["window"])
    outside = np.ones((256, 256), bool)
    outside[rows, columns] = False
    assert np.array_equal(face[outside], still[outside])
    assert not np.array_equal(face[rows, columns], still[rows, columns])


@pytest.mark.parametrize("slider", ["smile", "brow", "eyes"])
def test_a_slider_in_the_manifest_changes_the_face(
    engine: AnimatedEngine, tmp_path: Path, slider: str
) -> None:
    shutil.copytree(AVATARS / "juno", tmp_path / "juno")
    manifest = tmp_path / "juno" / "avatar.yaml"
    told = manifest.read_text(encoding="utf-8")
    manifest.write_text(
        told.replace("  engine: animated\n", f"  engine: animated\n  sliders: {{{slider}: 1.0}}\n"),
        encoding="utf-8",
    )
    moved = AnimatedEngine(tmp_path)
    usual, changed = (each.sitter("juno") for each in (engine, moved))
    assert not np.array_equal(usual.rest, changed.rest)
    a, b = (each.generator.draw([s.rest], s.who)[0] for each, s in ((engine, usual), (moved, changed)))
    assert np.abs(a.astype(int) - b).max() > 8


def test_the_default_avatar_is_drawn_by_it_and_by_its_bank_under_load() -> None:
    faces = Faces(SdaSettings(avatars_dir=AVATARS))
    assert faces.engine("juno").name == "animated" and faces.engine("mira").name == "gan"
    assert faces.cheaper("juno").name == "visemes"


def test_weights_that_are_missing_or_damaged_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="make animated"):
        AnimatedEngine(AVATARS, tmp_path / "nowhere")
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "avatar.yaml").write_text(
        "title: Ada\ndescription: New.\nvoice: {engine: fake, voice: a}\n"
    )
    with pytest.raises(EngineUnavailable, match=r"training\.animated\.still --avatar ada"):
        AnimatedEngine(tmp_path).open("ada", seed=0)


def test_the_shipped_weights_are_the_manifests() -> None:
    told = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    assert sum(told["bytes"].values()) < 15_000_000
    assert set(told["bytes"]) == {p.name for p in WEIGHTS.iterdir()} - {"manifest.json"}


def test_half_the_size_shows_the_same_face(engine: AnimatedEngine) -> None:
    audio, _ = speech()
    step = FaceInput(audio, last=True)
    whole, half = (pictures(engine.open("juno", seed=1, half=each), step) for each in (False, True))
    assert {picture.shape for picture in half} == {(128, 128, 3)} and len(half) == len(whole)
    for large, small in zip(whole[::10], half[::10], strict=True):
        assert np.abs(large[::2, ::2].astype(int) - small).mean() < 6
