"""Whatever a client sends, it gets an error that names the field, and the session lives on."""

import asyncio
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from gateway.realtime.messages import MAX_MESSAGE_BYTES, EventError
from gateway.realtime.parsing import parse
from parley.media.framing import Flags, Kind, MediaMessage
from tests.unit.gateway.conftest import Client, Running

UPDATE = "session.update"
CASES: list[tuple[Any, str, str | None]] = [
    ("{", "invalid_json", None),
    ("[]", "invalid_json", None),
    ("null", "invalid_json", None),
    ({}, "missing_required_parameter", "type"),
    ({"type": 5}, "invalid_value", "type"),
    ({"type": "no.such"}, "invalid_value", "type"),
    ({"type": UPDATE}, "missing_required_parameter", "session"),
    ({"type": UPDATE, "session": 5}, "invalid_type", "session"),
    ({"type": UPDATE, "session": {"type": "transcription"}}, "invalid_value", "session.type"),
    ({"type": UPDATE, "session": {"instructoins": "x"}}, "unknown_parameter", "session.instructoins"),
    ({"type": UPDATE, "session": {"model": "ben"}}, "invalid_value", "session.model"),
    (
        {"type": UPDATE, "session": {"output_modalities": ["smell"]}},
        "invalid_value",
        "session.output_modalities.0",
    ),
    (
        {"type": UPDATE, "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}},
        "invalid_value",
        "session.audio.input.format.type",
    ),
    (
        {
            "type": UPDATE,
            "session": {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": "high"}}}},
        },
        "invalid_type",
        "session.audio.input.turn_detection.threshold",
    ),
    (
        {"type": UPDATE, "session": {"audio": {"input": {"turn_detection": {"type": "crystal_ball"}}}}},
        "invalid_value",
        "session.audio.input.turn_detection",
    ),
    (
        {"type": UPDATE, "session": {"audio": {"output": {"speed": 9}}}},
        "invalid_value",
        "session.audio.output.speed",
    ),
    ({"type": UPDATE, "session": {"avatar": {"video": "av1"}}}, "invalid_value", "session.avatar.video"),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.append", "audio": 7}, "invalid_type", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "%%%"}, "invalid_value", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "ü"}, "invalid_value", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "QQ=="}, "invalid_value", "audio"),
    ({"type": "input_audio_buffer.commit", "x": 1}, "unknown_parameter", "x"),
    (
        {"type": "conversation.item.create", "item": {"type": "message"}},
        "missing_required_parameter",
        "item.role",
    ),
    ({"type": "conversation.item.create", "item": {"type": "mcp_call"}}, "invalid_value", "item"),
    (
        {"type": "conversation.item.create", "item": {"type": "function_call"}},
        "missing_required_parameter",
        "item.name",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "output_text", "text": "x"}]},
        },
        "invalid_value",
        "item.content.0.type",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_audio", "audio": "QQ=="}],
            },
        },
        "invalid_value",
        "item.content.0.audio",
    ),
    (
        {
            "type": "conversation.item.create",
            "previous_item_id": "item_none",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
        },
        "item_not_found",
        "previous_item_id",
    ),
    ({"type": "conversation.item.delete", "item_id": "item_none"}, "item_not_found", "item_id"),
    (
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
        "invalid_value",
        "audio_end_ms",
    ),
    (
        {"type": "response.create", "response": {"conversation": "both"}},
        "invalid_value",
        "response.conversation",
    ),
    ({"type": "response.create", "response": {"metadata": {"a": 1}}}, "invalid_type", "response.metadata.a"),
    (
        {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "item_none"}]}},
        "item_not_found",
        "response.input.0.id",
    ),
    ({"type": "response.cancel", "response_id": "resp_x"}, "response_cancel_not_active", "response_id"),
    ({"type": "avatar.playback", "generation": -1, "played_samples": 0}, "invalid_value", "generation"),
    ({"type": "avatar.playback", "generation": 1 << 70, "played_samples": 0}, "invalid_type", "generation"),
    (b"", "invalid_request", None),
    (b"\x07" * 24, "invalid_request", None),
    (struct.pack("<BBHIIQI", 1, 1, 0, 0, 1, 0, 999), "invalid_request", None),
    (MediaMessage(Kind.OPUS, 0, 1, 0, b"abcd").pack(), "invalid_value", "kind"),
    (MediaMessage(Kind.VIDEO, 0, 1, 0, b"abcd", Flags.KEYFRAME).pack(), "invalid_value", "kind"),
    (MediaMessage(Kind.PCM16, 0, 1, 0, b"abc").pack(), "invalid_value", "payload"),
    (b"\1" * (MAX_MESSAGE_BYTES + 1), "message_too_large", None),
    ("x" * (MAX_MESSAGE_BYTES + 1), "message_too_large", None),
]


def name(case: Any) -> str:
    return str(case)[:60]


@pytest.mark.parametrize(("message", "code", "param"), CASES, ids=map(name, (c[0] for c in CASES)))
async def test_an_error_each_and_life_goes_on(
    client: Client, message: Any, code: str, param: str | None
) -> None:
    if isinstance(message, dict):
        message = json.dumps({**message, "event_id": "mine"})
    await client.socket.send(message)
    error = (await client.until("error"))["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]
    if isinstance(message, str) and "mine" in message:
        assert error["event_id"] == "mine"
    await client.ask({"type": "input_audio_buffer.clear"}, "input_audio_buffer.cleared")


async def test_flooding_is_cut(client: Client) -> None:
    for _ in range(60):
        await client.socket.send("{")
    with pytest.raises(ConnectionClosed) as closed:
        await client.until("never")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "Too many malformed messages.")


async def test_a_message_beyond_all_measure_closes(client: Client, gateway: Running) -> None:
    with pytest.raises(ConnectionClosed):
        await client.socket.send("x" * (17 << 20))
        await client.until("never")
    async with asyncio.timeout(5):
        while not gateway.conversation.closed:
            await asyncio.sleep(0.01)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(["session.update", "response.create", "conversation.item.create", "avatar.playback"])


EVENTS = st.builds(lambda t, s: json.dumps({"type": t, "session": s, "item": s, "response": s}), TYPES, JSON)


@given(st.text() | JSON.map(json.dumps) | EVENTS)
def test_parsing_anything_raises_nothing_else(text: str) -> None:
    try:
        parse(text)
    except EventError as error:
        assert error.code
