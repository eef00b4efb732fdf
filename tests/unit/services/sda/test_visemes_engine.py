"""The engine with the shipped banks."""

import itertools

import numpy as np
import pytest

from parley.engines import FaceInput
from parley.errors import BadRequest, EngineUnavailable, UnknownAvatar
from parley.media.clock import FRAME_SAMPLES
from parley.settings import REPOSITORY
from services.sda.engines.visemes import VisemesEngine
from services.sda.face.controls import REST
from services.sda.face.motion import Pose, Upper
from tests.unit.services.sda.speech import speech

AVATARS = REPOSITORY / "avatars"


@pytest.fixture(scope="module")
def engine():
    return VisemesEngine(AVATARS)


def offline(engine, audio, phones, *, by_ear, seed=1, avatar="mira"):
    step = FaceInput(audio, () if by_ear else phones, not by_ear, last=True)
    return engine.open(avatar, seed=seed).push(step)


def chunked(engine, audio, phones, cuts, *, by_ear, seed=1):
    """Pushes pieces as a voice does: each phone with the piece in which it ends."""
    stream, frames, begun = engine.open("mira", seed=seed), [], []
    edges = [0, *cuts, len(audio) // FRAME_SAMPLES]
    for a, b in itertools.pairwise(edges):
        start, end = a * FRAME_SAMPLES, b * FRAME_SAMPLES
        last = end == len(audio)
        told = [p for p in phones if start < p.end <= end or (last and p.end > end)]
        frames += stream.push(FaceInput(audio[start:end], () if by_ear else told, not by_ear, last))
        begun.append(len(frames))
    return frames, begun


@pytest.mark.parametrize("by_ear", [True, False])
@pytest.mark.parametrize("cuts", [range(1, 40), [3, 4, 20, 33], [11]])
def test_pieces_give_exactly_the_frames_of_the_whole(engine, by_ear, cuts):
    audio, phones = speech()
    whole = offline(engine, audio, phones, by_ear=by_ear)
    pieces, _ = chunked(engine, audio, phones, list(cuts), by_ear=by_ear)
    assert len(whole) == len(pieces) == len(audio) // FRAME_SAMPLES
    for index, (a, b) in enumerate(zip(whole, pieces, strict=True)):
        assert np.array_equal(a, b), index


def test_by_ear_no_frame_waits_longer_than_the_look_ahead(engine):
    audio, phones = speech()
    _, begun = chunked(engine, audio, phones, list(range(1, 40)), by_ear=True)
    assert begun[:-1] == [max(0, n - 2) for n in range(1, len(begun))]


@pytest.mark.parametrize("by_ear", [True, False])
def test_what_comes_later_changes_nothing_earlier(engine, by_ear):
    audio, phones = speech()
    changed = audio.copy()
    frame = 20
    changed[(frame + 3) * FRAME_SAMPLES :] *= -0.3
    a, b = (offline(engine, x, phones, by_ear=by_ear) for x in (audio, changed))
    assert all(np.array_equal(x, y) for x, y in zip(a[: frame + 1], b[: frame + 1], strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_seed_alone_decides_what_is_left_to_chance(engine):
    audio, phones = speech()
    first, again, other = (offline(engine, audio, phones, by_ear=False, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("avatar", ["mira", "theo"])
def test_a_reply_begins_and_ends_as_the_idle_loop_does(engine, avatar):
    audio, phones = speech()
    frames, rest = offline(engine, audio, phones, by_ear=False, avatar=avatar), engine.idle(avatar)[0]
    assert rest.shape == (256, 256, 3) and rest.dtype == np.uint8
    assert np.array_equal(frames[0], rest) and np.array_equal(frames[-1], rest)


@pytest.mark.parametrize("avatar", ["mira", "theo"])
def test_the_idle_loop_joins_and_is_not_still(engine, avatar):
    loop = [f.astype(int) for f in engine.idle(avatar)]
    assert 100 <= len(loop) <= 250
    steps = [np.abs(a - b).mean() for a, b in zip(loop, [*loop[1:], loop[0]], strict=True)]
    assert steps[-1] <= 1.2 * max(steps[:6] + steps[-7:-1])
    assert min(steps) < 2 and max(np.abs(f - loop[0]).mean() for f in loop) > 1


@pytest.mark.parametrize("avatar", ["mira", "theo"])
def test_mouths_change_the_lower_face_only_and_blinks_the_eyes(engine, avatar):
    bank = engine.bank(avatar)
    rest = bank.draw(REST, Upper(), Pose()).astype(int)
    for mouth, at_least in (
        ([0.9, 0, 0.6, 0, 0, 0], 6.0),
        ([0.15, -1, 0.1, 0, 0, 0], 3.0),
        ([-0.8, 0, 0, 0, 0, 0], 0.8),
    ):
        change = np.abs(bank.draw(np.array(mouth), Upper(), Pose()) - rest).mean(-1)
        assert change[:118].max() == 0
        assert change[130:200, 80:180].mean() > at_least
    shut = np.abs(bank.draw(REST, Upper(lid=1.0), Pose()) - rest).mean(-1)
    assert shut[95:113, 80:175].mean() > 8 and shut[125:].max() == 0


def test_an_open_mouth_shows_a_dark_cavity_and_a_closed_one_none(engine):
    bank = engine.bank("mira")

    def dark(opened):
        frame = bank.draw(np.array([opened, 0.0, 0.4, 0.0, 0.0, 0.0]), Upper(), Pose())
        return int((frame[148:182, 108:148].max(-1) < 90).sum())

    assert dark(-0.8) <= dark(0.0) <= 20 < dark(0.5) < dark(0.9)


def test_a_face_that_was_not_rendered_says_how_to(tmp_path):
    engine = VisemesEngine(tmp_path)
    with pytest.raises(UnknownAvatar):
        engine.open("nobody", seed=0)
    (tmp_path / "nova").mkdir()
    (tmp_path / "nova" / "avatar.yaml").write_text(
        "title: Nova\ndescription: New.\nvoice: {engine: fake, voice: a}\n"
    )
    with pytest.raises(EngineUnavailable, match="make banks"):
        engine.open("nova", seed=0)


def test_half_frames_are_refused(engine):
    with pytest.raises(BadRequest, match="960"):
        engine.open("mira", seed=0).push(FaceInput(np.zeros(961, np.float32)))
