"""A plain Realtime client and one with a face, against the real server."""

import asyncio
import base64
from typing import Any

import pytest

from parley.conversation import events as happened
from parley.conversation.events import ReplyStatus
from parley.media.framing import Flags, Kind, MediaMessage
from proto.parley.v1 import chain_pb2
from tests.unit.gateway.conftest import FACE, SAY, Client, Running, connected
from tests.unit.gateway.fakes import FRAME, IDLE_FRAMES, PCM, FakeServices

pytestmark = pytest.mark.usefixtures("sdk_models")

REPLY_ORDER = [
    "response.created",
    "rate_limits.updated",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


async def test_the_session_comes_first(client: Client) -> None:
    session = client.events[0]["session"]
    assert session["id"].startswith("sess_")
    assert session["model"] == "mira"
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["output"]["voice"] == "slt"


async def test_text_in_speech_out_in_order(client: Client, gateway: Running) -> None:
    added = await client.ask(SAY, "conversation.item.added")
    assert added["previous_item_id"] is None
    asked = added["item"]["id"]
    assert gateway.conversation.messages == [("user", "Who are you?", asked)]
    metadata = {"topic": "names"}
    await client.ask({"type": "response.create", "response": {"metadata": metadata}}, "response.done")
    start = client.order.index("response.created")
    assert client.order[start:] == REPLY_ORDER
    assert client.of("conversation.item.added")[1]["previous_item_id"] == asked
    response = client.of("response.done")[0]["response"]
    assert response["status"] == "completed"
    assert response["metadata"] == metadata
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello. I am Mira."}]
    assert (
        response["usage"]["total_tokens"]
        == response["usage"]["input_tokens"] + response["usage"]["output_tokens"]
    )
    assert response["usage"]["output_token_details"] == {"text_tokens": 5, "audio_tokens": 2}
    assert base64.b64decode(client.of("response.output_audio.delta")[0]["delta"]) == PCM
    assert client.of("response.created")[0]["response"]["status"] == "in_progress"


async def test_speech_in(client: Client, gateway: Running) -> None:
    audio = base64.b64encode(PCM).decode()
    await client.send({"type": "input_audio_buffer.append", "audio": audio})
    await gateway.conversation.until_called("hear")
    assert gateway.conversation.heard == PCM
    gateway.conversation.tell(
        happened.UserSpeechStarted("item_a", 320),
        happened.UserPartial("item_a", "what is your nane", 12),
        happened.UserSpeechStopped("item_a", 1800),
        happened.UserTurnCommitted("item_a"),
        happened.UserPartial("item_a", "what is your name", 17),
        happened.UserTranscript("item_a", "what is your name?"),
    )
    completed = await client.until("conversation.item.input_audio_transcription.completed")
    assert client.order[1:] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    deltas = client.of("conversation.item.input_audio_transcription.delta")
    assert "".join(d["delta"] for d in deltas) == completed["transcript"] == "what is your name?"
    assert client.of("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 320
    assert client.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"] == 1800
    assert completed["usage"] == {"type": "duration", "seconds": 1.48}
    got = await client.ask(
        {"type": "conversation.item.retrieve", "item_id": "item_a"}, "conversation.item.retrieved"
    )
    assert got["item"]["content"] == [{"type": "input_audio", "transcript": "what is your name?"}]


async def test_transcription_may_fail_or_be_off(client: Client, gateway: Running) -> None:
    gateway.conversation.tell(
        happened.UserTurnCommitted("item_a"), happened.UserTranscript("item_a", "", "The ears are gone.")
    )
    failed = await client.until("conversation.item.input_audio_transcription.failed")
    assert failed["error"]["message"] == "The ears are gone."
    await client.ask(
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"transcription": None}}},
        },
        "session.updated",
    )
    gateway.conversation.tell(
        happened.UserTurnCommitted("item_b"),
        happened.UserTranscript("item_b", "quiet"),
        happened.Problem("test_mark", "done"),
    )
    await client.until("error")
    assert not client.of("conversation.item.input_audio_transcription.completed")


async def test_noise_that_was_no_turn_ends_the_speech(client: Client, gateway: Running) -> None:
    gateway.conversation.tell(happened.UserSpeechStarted("item_a", 0), happened.UserTurnDropped("item_a"))
    stopped = await client.until("input_audio_buffer.speech_stopped")
    assert stopped["item_id"] == "item_a"


async def test_push_to_talk(client: Client, gateway: Running) -> None:
    update = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    updated = await client.ask({"type": "session.update", "session": update}, "session.updated")
    assert updated["session"]["audio"]["input"]["turn_detection"] is None
    assert gateway.conversation.config.turn_detection.enabled is False
    empty = await client.ask({"type": "input_audio_buffer.commit", "event_id": "mine"}, "error")
    assert empty["error"]["code"] == "input_audio_buffer_commit_empty"
    assert empty["error"]["event_id"] == "mine"
    await client.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(PCM).decode()})
    await client.ask({"type": "input_audio_buffer.commit"}, "input_audio_buffer.committed")
    await client.until("conversation.item.input_audio_transcription.completed")
    await client.ask({"type": "input_audio_buffer.clear"}, "input_audio_buffer.cleared")


async def test_turn_detection_settings(client: Client, gateway: Running) -> None:
    async def turn_detection(wanted: dict[str, Any]) -> Any:
        update = {"type": "realtime", "audio": {"input": {"turn_detection": wanted}}}
        await client.ask({"type": "session.update", "session": update}, "session.updated")
        return gateway.conversation.config.turn_detection

    quick = await turn_detection({"type": "server_vad", "silence_duration_ms": 200, "threshold": 0.7})
    assert (quick.complete_pause_ms, quick.incomplete_pause_ms, quick.threshold) == (200, 850, 0.7)
    patient = await turn_detection({"type": "semantic_vad", "eagerness": "low", "create_response": False})
    assert (patient.complete_pause_ms, patient.max_pause_ms) == (800, 3000)
    assert patient.create_response is False
    polite = await turn_detection({"type": "server_vad", "interrupt_response": False})
    assert polite.interrupt is False


async def test_cancelling(client: Client, gateway: Running) -> None:
    nothing = await client.ask({"type": "response.cancel"}, "error")
    assert nothing["error"]["code"] == "response_cancel_not_active"
    gateway.conversation.reply(finish=False)
    await client.until("response.output_audio_transcript.delta")
    await client.ask({"type": "response.create"}, "error")
    assert client.of("error")[-1]["error"]["code"] == "conversation_already_has_active_response"
    done = await client.ask({"type": "response.cancel"}, "response.done")
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["response"]["output"][0]["status"] == "incomplete"
    assert done["response"]["output"][0]["content"][0]["transcript"] == "Hello."
    assert client.of("conversation.item.truncated")[0]["audio_end_ms"] == 20


@pytest.mark.parametrize("face", [True, False])
async def test_only_a_client_with_a_face_hears_what_a_reply_rests_on(
    client: Client, gateway: Running, face: bool
) -> None:
    if face:
        await client.ask(FACE, "session.updated")
    generation = gateway.conversation.reply(finish=False)
    gateway.conversation.tell(happened.ReplyText(generation, "", ("tea/earl-grey",)))
    gateway.conversation.finish()
    await client.until("response.done")
    told = [(e["item_id"], e["citations"]) for e in client.of("avatar.citations")]
    assert told == ([(f"item_reply_{generation}", ["tea/earl-grey"])] if face else [])


async def test_a_barge_in_says_why(client: Client, gateway: Running) -> None:
    generation = gateway.conversation.reply(finish=False)
    await client.until("response.output_audio_transcript.delta")
    gateway.conversation.tell(
        happened.Flushed(generation + 1),
        happened.ReplyDone("resp_1", "item_reply_1", generation, ReplyStatus.CANCELLED, "Hello.", "Hello."),
    )
    done = await client.until("response.done")
    assert done["response"]["status_details"]["reason"] == "turn_detected"


async def test_a_failed_reply(client: Client, gateway: Running) -> None:
    generation = gateway.conversation.reply(finish=False)
    gateway.conversation.tell(
        happened.Problem("llm_silent", "The mind says nothing."),
        happened.ReplyDone(
            "resp_1", "item_reply_1", generation, ReplyStatus.FAILED, "", "", "llm_silent", "Nothing came."
        ),
    )
    done = await client.until("response.done")
    assert done["response"]["status"] == "failed"
    assert done["response"]["status_details"]["error"]["code"] == "llm_silent"
    assert client.of("error")[0]["error"]["type"] == "server_error"


async def test_text_only_for_one_response(client: Client, gateway: Running) -> None:
    params = {"output_modalities": ["text"], "instructions": "Be short."}
    done = await client.ask({"type": "response.create", "response": params}, "response.done")
    assert done["response"]["output_modalities"] == ["text"]
    assert ("respond", "Be short.", "") in gateway.conversation.calls
    assert "".join(e["delta"] for e in client.of("response.output_text.delta")) == "Hello. I am Mira."
    assert client.of("response.content_part.done")[0]["part"] == {"type": "text", "text": "Hello. I am Mira."}
    again = await client.ask({"type": "response.create"}, "response.done")
    assert again["response"]["output_modalities"] == ["audio"]


async def test_items_can_be_made_moved_and_deleted(client: Client, gateway: Running) -> None:
    def message(text: str, item_id: str, role: str = "user", kind: str = "input_text") -> dict[str, Any]:
        content = [{"type": kind, "text": text}]
        return {"type": "message", "id": item_id, "role": role, "content": content}

    async def create(item: dict[str, Any], **more: Any) -> dict[str, Any]:
        event = {"type": "conversation.item.create", "item": item, **more}
        return await client.ask(event, "conversation.item.done")

    await create(message("one", "item_1"))
    await create(message("three", "item_3", "assistant", "output_text"))
    second = await create(message("two", "item_2"), previous_item_id="item_1")
    assert second["previous_item_id"] == "item_1"
    await create(message("zero", "item_0", "system"), previous_item_id="root")
    assert [m[1] for m in gateway.conversation.messages] == ["zero", "one", "two", "three"]
    await client.ask({"type": "conversation.item.delete", "item_id": "item_1"}, "conversation.item.deleted")
    assert [m[1] for m in gateway.conversation.messages] == ["zero", "two", "three"]
    twice = await client.ask({"type": "conversation.item.create", "item": message("x", "item_2")}, "error")
    assert twice["error"]["param"] == "item.id"
    gone = await client.ask({"type": "conversation.item.retrieve", "item_id": "item_1"}, "error")
    assert gone["error"]["code"] == "item_not_found"


async def test_spoken_items_are_transcribed(client: Client, gateway: Running, backend: FakeServices) -> None:
    audio = base64.b64encode(PCM * 25).decode()
    content = [{"type": "input_audio", "audio": audio}]
    event = {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": content},
    }
    done = await client.ask(event, "conversation.item.done")
    assert done["item"]["content"] == [{"type": "input_audio", "transcript": "hello world"}]
    assert gateway.conversation.messages[0][1] == "hello world"
    assert backend.heard_bytes == len(PCM) * 25


async def test_truncating_what_was_said(client: Client, gateway: Running) -> None:
    await client.ask({"type": "response.create"}, "response.done")
    gateway.conversation.messages.append(("assistant", "Hello. I am Mira.", "item_reply_1"))
    too_far = {"type": "conversation.item.truncate", "item_id": "item_reply_1", "content_index": 0}
    error = await client.ask({**too_far, "audio_end_ms": 5000}, "error")
    assert error["error"]["param"] == "audio_end_ms"
    cut = await client.ask({**too_far, "audio_end_ms": 40}, "conversation.item.truncated")
    assert cut["audio_end_ms"] == 40
    assert gateway.conversation.messages == [("assistant", "Hello.", "item_reply_1")]


async def test_truncating_a_running_reply_interrupts_it(client: Client, gateway: Running) -> None:
    gateway.conversation.reply(finish=False)
    await client.until("response.output_audio.delta")
    event = {
        "type": "conversation.item.truncate",
        "item_id": "item_reply_1",
        "content_index": 0,
        "audio_end_ms": 30,
    }
    await client.ask(event, "response.done")
    assert ("played", 1, 720) in gateway.conversation.calls
    assert [e["audio_end_ms"] for e in client.of("conversation.item.truncated")] == [30]


async def test_clearing_the_output(client: Client, gateway: Running) -> None:
    error = await client.ask({"type": "output_audio_buffer.clear"}, "error")
    assert error["error"]["code"] == "output_audio_buffer_empty"
    gateway.conversation.reply(finish=False)
    await client.until("response.output_audio.delta")
    cleared = await client.ask({"type": "output_audio_buffer.clear"}, "output_audio_buffer.cleared")
    assert cleared["response_id"] == "resp_1"


async def test_what_has_no_effect_is_accepted(client: Client) -> None:
    update = {
        "type": "realtime",
        "instructions": "Be kind.",
        "audio": {
            "output": {"voice": "marin", "speed": 1.2},
            "input": {"format": {"type": "audio/pcm", "rate": 24000}},
        },
        "max_output_tokens": 500,
    }
    updated = await client.ask({"type": "session.update", "session": update}, "session.updated")
    assert updated["session"]["instructions"] == "Be kind."
    assert updated["session"]["audio"]["output"]["voice"] == "slt"


async def test_a_face(client: Client, gateway: Running, backend: FakeServices) -> None:
    updated = await client.ask(FACE, "session.updated")
    avatar = updated["session"]["avatar"]
    assert avatar["codec"] == "avc1.42E01E"
    assert (avatar["width"], avatar["height"], avatar["fps"]) == (64, 48, 25)
    assert avatar["idle"] == {"frames": IDLE_FRAMES, "duration_ms": 40 * IDLE_FRAMES}
    assert avatar["engines"] == {"asr": "fake", "llm": "fake", "tts": "fake", "sda": "fake"}
    for _ in range(IDLE_FRAMES):
        await client.next()
    idle = [m for m in client.media if m.kind is Kind.IDLE_LOOP]
    assert [(m.seq, m.pts_samples) for m in idle] == [(n + 1, n * FRAME) for n in range(IDLE_FRAMES)]
    assert idle[0].flags is Flags.KEYFRAME
    assert idle[-1].flags is Flags.END_OF_REPLY
    config = gateway.conversation.config
    assert config.video is not None
    assert (config.video.codec, config.reports_playback, config.can_pause) == ("h264", True, True)

    gateway.conversation.reply()
    await client.until("response.done")
    started = client.order.index("avatar.reply.started")
    assert client.order.index("<PCM16>") > started
    assert client.order.index("<VIDEO>") > started
    assert client.order.index("response.created") < started
    assert "response.output_audio.delta" not in client.order
    assert "response.output_audio_transcript.delta" in client.order
    sound = [m for m in client.media if m.kind is Kind.PCM16]
    assert [(m.generation, m.seq, m.pts_samples, m.payload) for m in sound] == [
        (1, 1, 0, PCM),
        (1, 2, FRAME, PCM),
    ]
    assert sound[-1].flags is Flags.END_OF_REPLY
    assert client.of("avatar.latency")[0]["ms"] == {"endpoint": 400.0, "first_audio_sent": 612.5}
    assert client.of("avatar.state")[0]["state"] == "thinking"

    await client.send({"type": "avatar.playback", "generation": 1, "played_samples": 1920})
    assert await gateway.conversation.until_called("played") == ("played", 1, 1920)
    await client.send({"type": "avatar.interrupt"})
    await gateway.conversation.until_called("interrupt")
    gateway.conversation.tell(
        happened.UserPartial("item_x", "tell me", 4),
        happened.Paused(1),
        happened.Resumed(1),
        happened.Flushed(2),
    )
    assert (await client.until("avatar.transcript.partial"))["stable_chars"] == 4
    assert [k for k in client.order if k in ("avatar.pause", "avatar.resume", "avatar.flush")] == [
        "avatar.pause",
        "avatar.resume",
        "avatar.flush",
    ]

    await client.ask({"type": "session.update", "session": {"instructions": "Hm."}}, "session.updated")
    assert client.events[-1]["session"]["avatar"]["codec"] == "avc1.42E01E"
    await client.ask(FACE, "session.updated")
    assert backend.idle_calls == 1
    assert len([m for m in client.media if m.kind is Kind.IDLE_LOOP]) == IDLE_FRAMES


async def test_a_face_without_video_or_binary(
    client: Client, gateway: Running, backend: FakeServices
) -> None:
    face = {"type": "session.update", "session": {"avatar": {"video": "h264", "media": "json"}}}
    updated = await client.ask(face, "session.updated")
    assert updated["session"]["avatar"]["idle"] is None
    gateway.conversation.reply()
    await client.until("response.done")
    assert client.of("response.output_audio.delta")
    assert not client.media
    assert backend.idle_calls == 0


async def test_a_greeting_when_asked_for(client: Client, gateway: Running) -> None:
    event = {"type": "session.update", "session": {"avatar": {"video": "none", "greet": True}}}
    await client.ask(event, "response.done")
    assert ("respond", "", "Good day.") in gateway.conversation.calls


async def test_microphone_as_binary(client: Client, gateway: Running) -> None:
    for number in (1, 2):
        await client.socket.send(MediaMessage(Kind.PCM16, 0, number, 0, PCM).pack())
    await client.socket.send(MediaMessage(Kind.PCM16, 0, 2, 0, PCM).pack())
    error = await client.until("error")
    assert (error["error"]["code"], error["error"]["param"]) == ("out_of_order", "seq")
    assert gateway.conversation.heard == PCM * 2


async def test_resuming_keeps_what_was_said(gateway: Running, client: Client) -> None:
    session = client.events[0]["session"]["id"]
    async with connected(gateway, f"model=mira&session={session}") as second:  # takes the conversation over
        with pytest.raises(Exception, match="1000"):
            await client.until("never")
        assert second.events[0]["session"]["id"] == session
        await second.ask(SAY, "conversation.item.done")
        await second.ask({"type": "response.create"}, "response.done")
    async with connected(gateway, f"model=mira&session={session}") as third:
        for _ in range(4):
            await third.next()
        assert third.order[1:] == ["conversation.item.added", "conversation.item.done"] * 2
        words = [list(e["item"]["content"][0].values())[1] for e in third.of("conversation.item.done")]
        assert words == ["Who are you?", "Hello. I am Mira."]
        assert [m[1] for m in gateway.conversation.messages] == words
        assert gateway.conversation.session != gateway.conversations[1].session
    assert all(c.closed for c in gateway.conversations[:2])


async def test_an_unknown_conversation_is_said_to_be_gone(gateway: Running) -> None:
    async with connected(gateway, "model=mira&session=sess_gone") as client:
        error = await client.until("error")
        assert error["error"]["code"] == "session_expired"
        assert client.events[0]["session"]["id"] != "sess_gone"


async def test_leaving_stops_the_reply(gateway: Running) -> None:
    async with connected(gateway) as client:
        gateway.conversation.reply(finish=False)
        await client.until("response.created")
        conversation = gateway.conversation
    async with asyncio.timeout(5):
        while not conversation.closed:
            await asyncio.sleep(0.01)
    assert ("interrupt",) in conversation.calls


async def test_an_untranscribable_item_says_so(client: Client, backend: FakeServices) -> None:
    backend.error = chain_pb2.StageError(stage="asr", code="x", message="The ears hurt.")
    content = [{"type": "input_audio", "audio": base64.b64encode(PCM).decode()}]
    item = {"type": "message", "role": "user", "content": content}
    event = {"type": "conversation.item.create", "item": item}
    failed = await client.ask(event, "conversation.item.input_audio_transcription.failed")
    assert "The ears hurt." in failed["error"]["message"]
    await client.until("conversation.item.done")
