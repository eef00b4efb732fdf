"""Responses beside the conversation: an answer to something else, that the talk does not remember."""

import asyncio

import pytest

from proto.parley.v1 import chain_pb2
from tests.unit.gateway.conftest import Client, Running
from tests.unit.gateway.fakes import FakeServices

pytestmark = pytest.mark.usefixtures("sdk_models")


async def test_a_response_beside_the_conversation(client: Client, backend: FakeServices) -> None:
    params = {
        "conversation": "none",
        "output_modalities": ["text"],
        "metadata": {"purpose": "summary"},
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Sum up."}]}
        ],
    }
    done = await client.ask({"type": "response.create", "response": params}, "response.done")
    assert done["response"]["conversation_id"] is None
    assert done["response"]["metadata"] == {"purpose": "summary"}
    assert done["response"]["output"][0]["content"] == [{"type": "output_text", "text": "I am a face."}]
    assert not client.of("conversation.item.added")
    assert [m.text for m in backend.turns[0].history] == ["Sum up."]


async def test_an_input_of_its_own_joins_the_conversation(client: Client, gateway: Running) -> None:
    content = [{"type": "input_text", "text": "Hi."}]
    params = {"input": [{"type": "message", "role": "user", "content": content}]}
    await client.ask({"type": "response.create", "response": params}, "conversation.item.done")
    assert gateway.conversation.messages[0][:2] == ("assistant", "I am a face.")
    assert client.of("response.output_audio.delta")


async def test_a_side_response_fails_visibly_or_is_cancelled(client: Client, backend: FakeServices) -> None:
    aside = {"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}}
    backend.error = chain_pb2.StageError(stage="llm", code="engine_unavailable", message="No mind.")
    failed = await client.ask(aside, "response.done")
    assert failed["response"]["status_details"]["error"]["code"] == "engine_unavailable"
    backend.error = None
    backend.hold = asyncio.Event()
    created = await client.ask(aside, "response.created")
    await client.until("response.output_text.delta")
    event = {"type": "response.cancel", "response_id": created["response"]["id"]}
    done = await client.ask(event, "response.done")
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["output"][0]["content"][0]["text"] == "I am "


async def test_too_many_side_responses(client: Client, backend: FakeServices) -> None:
    backend.hold = asyncio.Event()
    for _ in range(5):
        await client.send({"type": "response.create", "response": {"conversation": "none"}})
    assert (await client.until("error"))["error"]["code"] == "too_many_responses"
