"""The small parts: clocks, heard text, history, outbox, links."""

import asyncio

import pytest

from parley.conversation import events as tell
from parley.conversation.clocks import InputClock, PlaybackClock
from parley.conversation.ears_link import EarsLink
from parley.conversation.events import ReplyStatus
from parley.conversation.foresight import Foresight
from parley.conversation.heard import heard_text
from parley.conversation.history import History
from parley.conversation.outbox import MAX_WAITING, Outbox
from parley.errors import ParleyError, ServiceUnavailable
from parley.media.clock import SAMPLE_RATE_HZ
from proto.parley.v1 import asr_pb2
from proto.parley.v1 import chain_pb2 as pb
from tests.virtual import virtual

S = SAMPLE_RATE_HZ
TEXT = "I am Mira. I live in this machine."


def test_the_input_clock_knows_when_a_sample_arrived() -> None:
    clock = InputClock()
    for chunk in range(1, 11):
        clock.heard(2400, chunk * 0.1)
    assert clock.arrived_at(24000) == pytest.approx(1.0)
    assert clock.arrived_at(12000 - 1200) == pytest.approx(0.45)
    assert clock.arrived_at(99999) == pytest.approx(1.0)
    assert InputClock().arrived_at(0) is None


def test_audio_that_came_in_one_burst_arrived_when_it_came() -> None:
    clock = InputClock()
    clock.heard(2400, 5.0)
    clock.heard(24000, 5.2)
    assert clock.arrived_at(2400 + 12000) == pytest.approx(5.0)  # no earlier than what came before it
    clock.heard(60 * S, 6.0)
    assert clock.arrived_at(100) == pytest.approx(5.8)  # long forgotten


def test_unreported_playback_runs_with_the_clock_and_waits_for_audio() -> None:
    clock = PlaybackClock(reported=False)
    clock.send(S, now=10.0)
    assert clock.position(10.5) == S // 2
    assert clock.plays_until(10.5) == pytest.approx(11.0)
    assert clock.position(15.0) == S
    clock.send(2 * S, now=15.0)
    assert clock.position(15.25) == S + S // 4
    clock.pause(15.25)
    assert clock.position(99.0) == S + S // 4
    assert clock.plays_until(99.0) == float("inf")
    clock.resume(99.0)
    assert clock.position(99.25) == S + S // 2
    assert clock.report(2 * S) is True


def test_reported_playback_only_grows_and_never_beyond_what_was_sent() -> None:
    clock = PlaybackClock(reported=True)
    clock.send(S, now=0.0)
    assert clock.position(50.0) == 0
    assert clock.report(S // 2) and not clock.report(S // 4)
    assert clock.report(9 * S)
    assert clock.position(0.0) == S


@pytest.mark.parametrize(
    ("played", "expected"),
    [
        (0, ""),
        (S // 8, "I"),
        (S, "I am Mira."),
        (2 * S, "I am Mira. I live in"),
        (3 * S, TEXT),
        (9 * S, TEXT),
    ],
)
def test_heard_text_is_cut_by_clause_and_word(played: int, expected: str) -> None:
    starts = [(0, 0), (10, S)]
    assert heard_text(TEXT, starts, played_samples=played, end_samples=3 * S) == expected


def test_heard_text_of_a_reply_that_is_still_being_made() -> None:
    assert heard_text(TEXT, [(0, 0)], played_samples=S, end_samples=None) == "I am Mira. I live"
    assert heard_text(TEXT, [], played_samples=S, end_samples=None) == ""
    assert heard_text(TEXT, [(0, S)], played_samples=S // 2, end_samples=3 * S) == ""


def test_history_joins_what_was_said_around_an_unheard_reply() -> None:
    history = History(max_items=10, max_characters=1000)
    history.add("a", "user", "Tell me a story")
    history.add("b", "assistant", "")
    assert [m.text for m in history.messages("about a dog")] == ["Tell me a story about a dog"]
    history.set_text("b", "Once upon a time")
    assert [(m.role, m.text) for m in history.messages("stop")] == [
        (pb.ROLE_USER, "Tell me a story"),
        (pb.ROLE_ASSISTANT, "Once upon a time"),
        (pb.ROLE_USER, "stop"),
    ]


def test_two_messages_in_a_row_stay_two() -> None:
    history = History(max_items=10, max_characters=1000)
    history.add("a", "user", "Here is some context.")
    history.add("b", "user", "What is it?")
    assert len(history.messages()) == 2


def test_history_is_bounded_both_ways() -> None:
    history = History(max_items=3, max_characters=24)
    for number in range(6):
        history.add(str(number), "user", f"message {number}")
    assert [item.item_id for item in history] == ["3", "4", "5"]
    assert [m.text for m in history.messages()] == ["message 4", "message 5"]
    assert history.messages("x" * 99)[-1].text == "x" * 99
    assert history.delete("4") and not history.delete("4")
    assert "3" in history and "4" not in history
    assert history.last_id == "5"


def test_a_long_history_keeps_its_beginning_for_many_turns() -> None:
    history = History(max_items=40, max_characters=1000)
    beginnings = []
    for number in range(100):
        history.add(str(number), "user", f"message {number:03} of some length, fifty characters")
        shown = history.messages()
        assert sum(len(message.text) for message in shown) <= 1000
        beginnings.append(shown[0].text)
    assert len(set(beginnings)) < 20
    assert len(history.messages()) >= 14


def _audio(generation: int, seq: int) -> tell.ReplyAudio:
    return tell.ReplyAudio(generation, seq, seq * 960, b"\0\0", False)


def _video(generation: int, seq: int, *, keyframe: bool = False) -> tell.ReplyVideo:
    return tell.ReplyVideo(generation, seq, seq * 960, b"", keyframe, False)


def _done(generation: int) -> tell.ReplyDone:
    return tell.ReplyDone("resp", "item", generation, ReplyStatus.COMPLETED, "text", "text")


async def _drain(outbox: Outbox) -> list[tell.ConversationEvent]:
    outbox.close()
    events = []
    while (event := await outbox.get()) is not None:
        events.append(event)
    return events


@virtual
async def test_the_outbox_sends_by_priority_and_in_order() -> None:
    outbox = Outbox(too_late=lambda _: False)
    done, text = _done(1), tell.ReplyText(1, "Hello.")
    started = tell.ReplyStarted("resp", "item", 1, None)
    for event in (done, text, _video(1, 1), _audio(1, 1), started, _audio(1, 2), _video(1, 2)):
        outbox.put(event)
    assert await _drain(outbox) == [
        started,
        _audio(1, 1),
        _audio(1, 2),
        _video(1, 1),
        _video(1, 2),
        text,
        done,
    ]


@virtual
async def test_a_flush_empties_the_outbox_of_what_it_voids() -> None:
    outbox = Outbox(too_late=lambda _: False)
    for event in (_audio(1, 1), _video(1, 1), tell.ReplyText(1, "Hello."), _done(1), _audio(2, 1)):
        outbox.put(event)
    assert outbox.flush(2) == _done(1)
    assert await _drain(outbox) == [tell.Flushed(2), _audio(2, 1)]


@virtual
async def test_late_frames_leave_a_gap_up_to_the_next_keyframe() -> None:
    late = {2}
    outbox = Outbox(too_late=lambda frame: frame.seq in late)
    for seq in range(1, 7):
        outbox.put(_video(1, seq, keyframe=seq in (1, 5)))
    assert [e.seq for e in await _drain(outbox) if isinstance(e, tell.ReplyVideo)] == [1, 5, 6]


@virtual
async def test_only_the_newest_partial_waits() -> None:
    outbox = Outbox(too_late=lambda _: False)
    for text in ("what", "what is", "what is that"):
        outbox.put(tell.UserPartial("item", text, 0))
    assert await _drain(outbox) == [tell.UserPartial("item", "what is that", 0)]


def test_a_front_that_reads_nothing_is_an_error() -> None:
    outbox = Outbox(too_late=lambda _: False)
    with pytest.raises(ParleyError) as raised:
        for number in range(MAX_WAITING + 1):
            outbox.put(tell.Problem("code", str(number)))
    assert raised.value.code == "front_stalled"


class _Recorder:
    """Ears that only write down what each of their streams gets."""

    def __init__(self) -> None:
        self.streams: list[list[str]] = []

    async def open(self, config: asr_pb2.ListenConfig) -> "_RecordedStream":
        await asyncio.sleep(0.1)
        self.streams.append([config.language])
        return _RecordedStream(self.streams[-1])


class _RecordedStream:
    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.finals: asyncio.Queue[asr_pb2.ListenEvent | None] = asyncio.Queue()

    async def send(self, request: asr_pb2.ListenRequest) -> None:
        self.log.append(request.pcm.decode() or str(request.WhichOneof("kind")))
        if request.pcm == b"xx":
            self.finals.put_nowait(None)
        if request.HasField("finalize"):
            event = asr_pb2.ListenEvent(final=asr_pb2.Final(id=request.finalize.id))
            asyncio.get_running_loop().call_later(0.3, self.finals.put_nowait, event)

    async def events(self):  # type: ignore[no-untyped-def]
        while (event := await self.finals.get()) is not None:
            yield event
        raise ServiceUnavailable("Gone.")

    async def close(self) -> None:
        self.log.append("closed")


@virtual
async def test_changing_the_ears_cuts_audio_where_it_was_asked_and_waits_for_answers() -> None:
    ears, began, lost = _Recorder(), [], []

    def on_event(event: asr_pb2.ListenEvent, began_at: int) -> None:
        began.append(began_at)
        link.answered(event.final.id)

    link = EarsLink(ears, asr_pb2.ListenConfig(language="en"), on_event=on_event, on_lost=lost.append)
    running = asyncio.create_task(link.run())
    await link.hear(b"aa")  # while connecting
    link.finalize(1)
    assert link.configure(asr_pb2.ListenConfig(language="de"))
    assert not link.configure(asr_pb2.ListenConfig(language="de"))
    await link.hear(b"bb")
    link.finalize(2)
    await asyncio.sleep(2)
    assert ears.streams == [["en", "aa", "finalize", "closed"], ["de", "bb", "finalize"]]
    assert began == [0, 1]

    await link.hear(b"xx")  # the service dies of it
    await asyncio.sleep(0.01)
    await link.hear(b"cc")  # nobody listens
    link.finalize(3)
    await asyncio.sleep(2)
    await link.hear(b"dd")
    await asyncio.sleep(1)
    assert ears.streams[1:] == [["de", "bb", "finalize", "xx", "closed"], ["de", "dd"]]
    assert [error.code for error in lost] == ["service_unavailable"]
    running.cancel()
    await asyncio.wait([running])


def test_new_words_are_told_but_not_too_often() -> None:
    early = Foresight()
    assert early.partial(1, "what", 0.0) == "what"
    assert early.partial(1, "what is", 0.1) == "", "too soon"
    assert early.partial(1, "what is the", 0.3) == "what is the"
    assert early.partial(1, "what is this", 1.0) == "", "revised, but no longer"
    assert early.partial(1, "what is the moon", 1.1) == "what is the moon"
    assert early.partial(2, "and the sun", 2.0) == "and the sun", "another turn begins anew"
