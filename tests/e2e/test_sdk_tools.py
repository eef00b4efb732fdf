"""The official OpenAI SDK gives the avatar a function, runs it, and hears what came of it."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.e2e.test_sdk import one_turn
from tests.stack import RunningStack
from tests.unit.services.llm.model_server import listening_server

pytestmark = pytest.mark.e2e

TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def say(connection: Any, text: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await connection.conversation.item.create(item=item)


async def until(connection: Any, kind: str) -> list[Any]:
    events: list[Any] = []
    async with asyncio.timeout(30):
        async for event in connection:
            events.append(event)
            if event.type == kind:
                return events
    raise AssertionError("The connection was closed.")


def calling(city: str) -> list[dict[str, Any]]:
    """What the model's server streams to call the function."""
    half = {"index": 0, "id": f"call_{city}", "function": {"name": "weather", "arguments": '{"city": '}}
    rest = {"index": 0, "function": {"arguments": f'"{city}"}}'}}
    return [{"tool_calls": [half]}, {"tool_calls": [rest]}]


async def test_a_function_is_called_and_its_result_spoken(artifacts: Path) -> None:
    async with listening_server() as (model, url):
        env = {"PARLEY_LLM_ENGINE": "vllm", "PARLEY_LLM_URL": url, "PARLEY_LLM_MODEL": "m"}
        env |= {"PARLEY_SDA_ENGINE": "fake", "PARLEY_LLM_PREFILL": "on"}
        stack = RunningStack(artifacts / "logs" / "tools", env)
        await asyncio.to_thread(stack.__enter__)
        try:
            await talk(stack.url, model)
        finally:
            await asyncio.to_thread(stack.__exit__)


async def talk(url: str, model: Any) -> None:
    async with (
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none-needed") as client,
        client.realtime.connect(model="mira") as connection,
    ):
        await connection.session.update(session={"type": "realtime", "tools": [TOOL], "tool_choice": "auto"})
        updated = (await until(connection, "session.updated"))[-1]
        assert [tool.name for tool in updated.session.tools] == ["weather"]

        # The model calls: there is nothing to hear, and the client is told what to run.
        model.script = [model.streams(*calling("Oslo"), reason="tool_calls"), model.says("It rains in Oslo.")]
        await say(connection, "Will it rain in Oslo?")
        await connection.response.create()
        events = await until(connection, "response.done")
        kinds = [event.type for event in events]
        assert "error" not in kinds and "response.output_audio.delta" not in kinds
        called = next(e for e in events if e.type == "response.function_call_arguments.done")
        assert (called.name, called.arguments) == ("weather", '{"city": "Oslo"}')
        (output,) = events[-1].response.output
        assert (output.type, output.call_id) == ("function_call", called.call_id)

        # The client runs it, and the avatar says aloud what came of it.
        result = {"type": "function_call_output", "call_id": called.call_id, "output": "rain"}
        await connection.conversation.item.create(item=result)
        await connection.response.create()
        events = await until(connection, "response.done")
        said = next(e.transcript for e in events if e.type == "response.output_audio_transcript.done")
        audio = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
        assert said == "It rains in Oslo." and len(audio) > 24_000
        *_, asked, made, came = model.requests[-1]["messages"]
        assert asked["content"].endswith("Will it rain in Oslo?")
        assert made["tool_calls"][0]["id"] == "call_Oslo"
        assert (came["role"], came["content"]) == ("tool", "rain")

        # A result that comes after the person's newer words is dropped, and says so.
        model.requests.clear()
        model.script = [model.streams(*calling("Rome"), reason="tool_calls"), model.says("I am well.")]
        await say(connection, "And in Rome?")
        await connection.response.create()
        await until(connection, "response.done")
        await say(connection, "Never mind. How are you?")
        await connection.response.create()
        await until(connection, "response.done")
        await connection.conversation.item.create(item={**result, "call_id": "call_Rome"})
        problem = (await until(connection, "error"))[-1].error
        assert (problem.code, problem.param) == ("stale_tool_call", "item.call_id")
        assert not any("tool_calls" in message for message in model.requests[-1]["messages"][-2:])

        # What is spoken is read while it is spoken: by the time it must be answered, the server knows it.
        model.requests.clear()
        model.script = [model.says("Jupiter.")]
        await one_turn(connection, "What is the biggest planet of them all?")
        early = [request for request in model.requests if request["max_tokens"] == 1]
        assert early and len(early) < len(model.requests)
        assert all(request["tools"] == model.requests[-1]["tools"] for request in early)
