"""`from parley import Avatar`: everything in one process."""

from pathlib import Path

import numpy as np
import pytest

from parley import Avatar
from parley.conversation import events as tell
from parley.errors import ParleyError, UnknownAvatar
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ

FAKES = {"asr": "fake", "llm": "fake", "tts": "fake", "sda": "fake"}


async def test_a_written_question_gets_a_spoken_answer_with_a_face(tmp_path: Path) -> None:
    async with Avatar.load("mira", **FAKES) as avatar:
        answer = await avatar.answer("What is a nebula?")
        again = await avatar.answer("And what is a star?")
    assert "What is a nebula?" in answer.text and "star" in again.text
    assert answer.heard == ""
    assert answer.audio.dtype == np.float32 and len(answer.audio) == len(answer.frames) * FRAME_SAMPLES
    assert [f.pts_samples for f in answer.frames] == list(range(0, len(answer.audio), FRAME_SAMPLES))
    assert answer.frames[0].picture.shape == (64, 64, 3)
    answer.save(tmp_path / "answer.mp4")
    assert (tmp_path / "answer.mp4").stat().st_size > 1000


async def test_a_spoken_question_is_heard() -> None:
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, SAMPLE_RATE_HZ * 2).astype(np.float32)
    async with Avatar.load("mira", **FAKES) as avatar:
        answer = await avatar.answer(noise)
        assert answer.heard and answer.heard in answer.text
        assert [item.role for item in avatar.conversation.history] == ["user", "assistant"]


async def test_without_a_face_there_are_no_frames() -> None:
    async with Avatar.load("mira", **{**FAKES, "sda": "none"}) as avatar:
        answer = await avatar.answer("Hello")
    assert answer.frames == [] and len(answer.audio) > 0


async def test_silence_is_not_answered() -> None:
    async with Avatar.load("mira", **FAKES) as avatar:
        with pytest.raises(ParleyError) as raised:
            await avatar.answer(np.zeros(SAMPLE_RATE_HZ, np.float32))
        assert raised.value.code == "nothing_heard"
        assert (await avatar.answer("Are you there?")).text


async def test_talk_ends_when_the_microphone_does() -> None:
    async with Avatar.load("mira", **FAKES) as avatar:
        silence = [bytes(2 * 960)] * 10
        events = [event async for event in avatar.talk(silence)]
        assert not any(isinstance(event, tell.ReplyStarted | tell.Problem) for event in events)
        assert (await avatar.answer("Hello")).text


async def test_names_and_order_of_use_are_checked() -> None:
    with pytest.raises(UnknownAvatar):
        Avatar.load("nobody")
    with pytest.raises(ParleyError):
        await Avatar.load("mira", **FAKES).answer("Hello")
