from itertools import pairwise

import numpy as np
import pytest

from parley.engines import Audio, Hypothesis
from parley.errors import MediaError
from proto.parley.v1 import asr_pb2 as pb
from services.asr.engines.fake import FakeEngine
from services.asr.listener import Ask, Forget, Listener, Speech
from services.asr.transcriber import Transcriber
from services.asr.vad import STEP_SAMPLES, VadModel

STEP_24K = STEP_SAMPLES * 3 // 2
LOUD = 0.5


class LoudnessVad:
    """Speech is what is loud: the edges are where the test puts them."""

    def __call__(self, window: Audio, state: object) -> tuple[float, object]:
        return (1.0 if float(np.abs(window[:, 64:]).mean()) > 0.1 else 0.0), state


def steps(*loud: int) -> bytes:
    """24 kHz audio, one VAD step for each argument: 1 is speech, 0 is a quiet room."""
    tone = np.sin(np.arange(STEP_24K) * 0.2)
    levels = [LOUD if flag else 0.002 for flag in loud]
    return b"".join((np.rint(tone * level * 32767)).astype("<i2").tobytes() for level in levels)


def listener() -> Listener:
    model: VadModel = LoudnessVad()  # type: ignore[assignment]
    return Listener(model)


def kinds(events: list[pb.ListenEvent]) -> list[str]:
    return [str(event.WhichOneof("kind")) for event in events]


def speech_of(ears: Listener) -> list[Speech]:
    return [job for job in ears.jobs if isinstance(job, Speech)]


def work(ears: Listener, transcriber: Transcriber) -> list[pb.ListenEvent]:
    jobs = list(ears.jobs)
    ears.jobs.clear()
    return transcriber.work(jobs)


def test_times_are_on_the_input_clock() -> None:
    ears = listener()
    events = ears.push(steps(*[0] * 20, *[1] * 15, *[0] * 12))
    assert kinds(events)[:2] == ["speech_started", "speech_stopped"]
    assert abs(events[0].speech_started.at_samples - 20 * STEP_24K) <= STEP_24K
    assert abs(events[1].speech_stopped.at_samples - 35 * STEP_24K) <= STEP_24K


def test_every_step_of_a_pause_is_told_until_reset() -> None:
    ears = listener()
    events = ears.push(steps(*[0] * 5, *[1] * 10, *[0] * 20))
    pauses = [event.pause.heard_samples for event in events if event.HasField("pause")]
    assert len(pauses) >= 17
    assert np.diff(pauses).tolist() == [STEP_24K] * (len(pauses) - 1)
    assert ears.reset() == []
    assert ears.push(steps(*[0] * 10)) == []


@pytest.mark.parametrize("size", [2, 334, 960, 4_802])
def test_clock_does_not_depend_on_how_audio_is_cut(size: int) -> None:
    pcm = steps(*[0] * 9, *[1] * 12, *[0] * 9, *[1] * 4, *[0] * 6)
    whole = [event.SerializeToString() for event in listener().push(pcm)]
    ears = listener()
    cut = [event for start in range(0, len(pcm), size) for event in ears.push(pcm[start : start + size])]
    assert [event.SerializeToString() for event in cut] == whole


def test_speech_is_handed_on_once_with_pre_roll_and_tail() -> None:
    ears = listener()
    ears.push(steps(*[0] * 30, *[1] * 10, *[0] * 3, *[1] * 10, *[0] * 30))
    given = speech_of(ears)
    assert abs(given[0].start - (30 * STEP_SAMPLES - 4_800)) <= STEP_SAMPLES
    for before, after in pairwise(given):
        assert before.start + len(before.audio) == after.start
    end = given[-1].start + len(given[-1].audio)
    assert 2 * STEP_SAMPLES <= end - 53 * STEP_SAMPLES <= 5 * STEP_SAMPLES


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(MediaError):
        listener().push(b"\0\0\0")


def test_push_to_talk_hands_on_everything_and_tells_nothing() -> None:
    ears = Listener(None)
    assert ears.push(steps(0, 1, 0, 1)) == []
    total = sum(len(speech.audio) for speech in speech_of(ears))
    assert 0 <= 4 * STEP_SAMPLES - total <= 32
    assert ears.reset() == []


def test_reset_drops_speech_that_nobody_asked_about() -> None:
    ears = listener()
    ears.push(steps(*[0] * 5, *[1] * 10))
    ears.finalize(1)
    ears.push(steps(*[1] * 5, *[0] * 10))
    ears.reset()
    assert [type(job) for job in list(ears.jobs)[-2:]] == [Ask, Forget]


def test_speech_that_crosses_a_reset_is_the_next_turns_whole() -> None:
    ears = listener()
    ears.push(steps(*[0] * 20, *[1] * 10, *[0] * 15))
    first = ears.push(steps(1, 1, 1))
    again = ears.reset()
    assert kinds(first)[-1] == "speech_started"
    assert [e.speech_started.at_samples for e in again] == [first[-1].speech_started.at_samples]
    assert speech_of(ears)[0].start < 45 * STEP_SAMPLES


def test_old_speech_does_not_leak_through_a_reset() -> None:
    ears = listener()
    ears.push(steps(*[0] * 20, *[1] * 30))
    again = ears.reset()
    assert kinds(again) == ["speech_started"]
    ears.push(steps(*[1] * 5))
    assert speech_of(ears)[0].start >= 50 * STEP_SAMPLES - 32 - STEP_SAMPLES


def test_partials_come_at_least_every_300_ms() -> None:
    ears = listener()
    transcriber = Transcriber(FakeEngine("one two three four five six").open(language="", hotwords=[]))
    heard: list[int] = []
    pcm = steps(*[0] * 10, *[1] * 80, *[0] * 10)
    for start in range(0, len(pcm), 960):
        ears.push(pcm[start : start + 960])
        heard += [e.partial.heard_samples for e in work(ears, transcriber) if e.HasField("partial")]
    assert len(heard) >= 8
    assert max(np.diff(heard)) <= 24_000 * 300 // 1000


def test_a_recogniser_that_is_behind_skips_partials_but_no_audio() -> None:
    ears = listener()
    transcriber = Transcriber(FakeEngine("one two three four").open(language="", hotwords=[]))
    ears.push(steps(*[0] * 10, *[1] * 38, *[0] * 10))
    ears.finalize(3)
    events = work(ears, transcriber)
    assert kinds(events) == ["final"]
    assert events[0].final.id == 3
    assert events[0].final.text == "one two three four"
    assert events[0].final.heard_samples >= 57 * STEP_24K


def test_finalize_then_more_speech_covers_the_whole_turn() -> None:
    ears = listener()
    transcriber = Transcriber(FakeEngine("one two three four five").open(language="", hotwords=[]))
    ears.push(steps(*[0] * 10, *[1] * 20, *[0] * 8))
    ears.finalize(1)
    assert work(ears, transcriber)[-1].final.text == "one two"
    ears.push(steps(*[1] * 19, *[0] * 8))
    ears.finalize(2)
    final = work(ears, transcriber)[-1].final
    assert (final.id, final.text) == (2, "one two three four")
    ears.reset()
    ears.finalize(3)
    assert work(ears, transcriber)[-1].final.text == ""


def test_word_times_are_on_the_input_clock_across_a_pause() -> None:
    ears = listener()
    transcriber = Transcriber(FakeEngine("one two").open(language="", hotwords=[]))
    ears.push(steps(*[0] * 50, *[1] * 12, *[0] * 60, *[1] * 12, *[0] * 10))
    ears.finalize(1)
    first, second = work(ears, transcriber)[-1].final.words
    assert 50 * STEP_24K <= first.end_samples <= 63 * STEP_24K
    assert 122 * STEP_24K <= second.end_samples <= 135 * STEP_24K


def test_a_recogniser_that_fails_costs_the_turn_only() -> None:
    class Failing:
        broken = True

        def accept(self, audio: Audio) -> None:
            if self.broken:
                raise RuntimeError("out of memory")

        def partial(self) -> Hypothesis:
            return Hypothesis("fine")

        finalize = partial

        def reset(self) -> None:
            self.broken = False

    ears, transcriber = listener(), Transcriber(Failing())
    for expected in ("The recogniser failed: out of memory", ""):
        ears.push(steps(*[0] * 5, *[1] * 10, *[0] * 8))
        ears.finalize(1)
        assert work(ears, transcriber)[-1].final.error == expected
        ears.reset()
