"""The engine with the shipped generator and stills."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from parley.engines import FaceInput, Picture, pictures
from parley.errors import BadRequest, EngineUnavailable, UnknownAvatar
from parley.media.clock import FRAME_SAMPLES
from parley.settings import REPOSITORY
from services.sda.engines.gan import GanEngine
from services.sda.face.generator import WEIGHTS
from tests.unit.services.sda.replies import in_pieces, offline, same
from tests.unit.services.sda.speech import speech

AVATARS = REPOSITORY / "avatars"


@pytest.fixture(scope="module")
def engine() -> GanEngine:
    return GanEngine(AVATARS)


@pytest.mark.parametrize("cuts", [range(1, 40), [3, 4, 20, 33], [11]])
def test_pieces_give_exactly_the_frames_of_the_whole(engine: GanEngine, cuts) -> None:
    audio, _ = speech()
    frames, begun = in_pieces(engine, audio, cuts, avatar="mira")
    assert same(frames, offline(engine, audio, avatar="mira"))
    assert len(frames) == len(audio) // FRAME_SAMPLES
    assert begun[:-1] == [max(0, b - 2) for b in cuts]  # no frame waits longer than the look-ahead


def test_what_comes_later_changes_nothing_earlier(engine: GanEngine) -> None:
    audio, _ = speech()
    changed, frame = audio.copy(), 20
    changed[(frame + 3) * FRAME_SAMPLES :] *= -0.3
    a, b = (offline(engine, x, avatar="mira") for x in (audio, changed))
    assert same(a[: frame + 1], b[: frame + 1]) and not same(a, b)


def test_a_frame_that_is_not_wanted_changes_no_other(engine: GanEngine) -> None:
    audio, _ = speech()
    every = offline(engine, audio, avatar="mira")
    some = engine.open("mira", seed=1).push(FaceInput(audio, last=True), lambda frame: frame % 3 == 0)
    assert [picture is None for picture in some] == [frame % 3 != 0 for frame in range(len(every))]
    assert same([picture for picture in some if picture is not None], every[::3])


def test_the_seed_alone_decides_what_is_left_to_chance(engine: GanEngine) -> None:
    audio, _ = speech()
    first, again, other = (offline(engine, audio, seed=seed, avatar="mira") for seed in (1, 1, 2))
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("avatar", ["mira", "theo"])
def test_a_reply_begins_and_ends_as_the_idle_loop_does(engine: GanEngine, avatar: str) -> None:
    audio, _ = speech()
    frames, loop = offline(engine, audio, avatar=avatar), engine.idle(avatar)
    assert loop[0].shape == (256, 256, 3) and loop[0].dtype == np.uint8
    assert np.array_equal(frames[0], loop[0]) and np.array_equal(frames[-1], loop[0])
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(loop, [*loop[1:], loop[0]], strict=True)]
    assert steps[-1] <= 1.2 * max(steps[:6] + steps[-7:-1])  # joins
    assert max(np.abs(f.astype(int) - loop[0]).mean() for f in loop) > 1  # and is not still


@pytest.mark.parametrize("avatar", ["mira", "theo"])
def test_the_mouth_opens_with_speech_and_rests_in_silence(engine: GanEngine, avatar: str) -> None:
    audio, _ = speech()
    still = np.zeros_like(audio)

    def dark(frames: list[Picture]) -> np.ndarray:  # pixels of an open mouth, frame by frame
        return np.array([int((f[140:190, 100:156].max(-1) < 95).sum()) for f in frames])

    talking, silent = dark(offline(engine, audio, avatar=avatar)), dark(offline(engine, still, avatar=avatar))
    assert talking.max() > silent.max() + 40
    assert silent.max() - silent.min() < 60


def test_an_avatar_without_a_still_says_how_to_make_one(tmp_path: Path) -> None:
    engine = GanEngine(tmp_path)
    with pytest.raises(UnknownAvatar):
        engine.open("nobody", seed=0)
    (tmp_path / "nova").mkdir()
    (tmp_path / "nova" / "avatar.yaml").write_text(
        "title: Nova\ndescription: New.\nvoice: {engine: fake, voice: a}\n"
    )
    with pytest.raises(EngineUnavailable, match=r"training\.sda\.still --avatar nova"):
        engine.open("nova", seed=0)


def test_weights_that_are_missing_or_damaged_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="make faces"):
        GanEngine(AVATARS, tmp_path / "nowhere")
    copy = tmp_path / "weights"
    shutil.copytree(WEIGHTS, copy)
    path = copy / "audio.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(EngineUnavailable, match=r"audio\.onnx is missing or damaged"):
        GanEngine(AVATARS, copy)


def test_the_shipped_weights_are_the_manifests() -> None:
    told = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    assert sum(told["bytes"].values()) < 25_000_000
    assert set(told["bytes"]) == {p.name for p in WEIGHTS.iterdir()} - {"manifest.json"}


def test_half_frames_are_refused(engine: GanEngine) -> None:
    with pytest.raises(BadRequest, match="960"):
        engine.open("mira", seed=0).push(FaceInput(np.zeros(961, np.float32)))


def test_half_the_size_shows_the_same_face(engine: GanEngine) -> None:
    audio, _ = speech()
    step = FaceInput(audio, last=True)
    whole, half = (pictures(engine.open("mira", seed=1, half=each), step) for each in (False, True))
    assert {picture.shape for picture in half} == {(128, 128, 3)} and len(half) == len(whole)
    for large, small in zip(whole[::10], half[::10], strict=True):
        assert np.abs(large[::2, ::2].astype(int) - small).mean() < 6


def test_drawn_together_with_other_people_each_gets_the_same_frames(engine: GanEngine) -> None:
    audio, _ = speech()
    together = GanEngine(AVATARS, batch=8)
    with ThreadPoolExecutor(2) as pool:
        mira, theo = pool.map(
            lambda name: offline(together, audio[: 20 * FRAME_SAMPLES], avatar=name), ("mira", "theo")
        )
    for name, frames in (("mira", mira), ("theo", theo)):
        alone = offline(engine, audio[: 20 * FRAME_SAMPLES], avatar=name)
        assert max(np.abs(a.astype(int) - b).max() for a, b in zip(frames, alone, strict=True)) <= 2
