"""Functions of the client's: given, called, answered; and what is refused."""

from typing import Any

import pytest

from tests.unit.gateway.conftest import FACE, SAY, Client, Running, connected
from tests.unit.gateway.fakes import FakeServices

pytestmark = pytest.mark.usefixtures("sdk_models")

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "name": "weather", "description": "Of today.", "parameters": SCHEMA}
CALL_ORDER = [
    "response.created",
    "rate_limits.updated",
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
GO_ON = {"type": "response.create"}


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def result(call_id: str, output: str = "Rain.") -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return {"type": "conversation.item.create", "item": item}


async def test_tools_reach_the_conversation_and_are_shown_back(client: Client, gateway: Running) -> None:
    choice = {"type": "function", "name": "weather"}
    updated = await client.ask(update(tools=[WEATHER], tool_choice=choice), "session.updated")
    assert (updated["session"]["tools"], updated["session"]["tool_choice"]) == ([WEATHER], choice)
    config = gateway.conversation.config
    assert [(t.name, t.description) for t in config.tools] == [("weather", "Of today.")]
    assert config.tool_choice == "function:weather"
    await client.ask(update(tool_choice="auto"), "session.updated")
    assert gateway.conversation.config.tool_choice == "" and gateway.conversation.config.tools
    await client.ask(update(tools=[]), "session.updated")
    assert not gateway.conversation.config.tools


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"tools": [{"type": "mcp", "server_url": "http://x"}]}, "session.tools.0"),
        ({"tools": [{"type": "function", "name": "two words"}]}, "session.tools.0.name"),
        ({"tools": [{**WEATHER, "parameters": {"type": "string"}}]}, "session.tools.0.parameters"),
        ({"tools": [WEATHER, WEATHER]}, "session.tools"),
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "session.tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}}, "session.tool_choice"),
        ({"tool_choice": "required"}, "session.tool_choice"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_names_the_field(
    client: Client, gateway: Running, session: dict[str, Any], param: str
) -> None:
    error = (await client.ask(update(**session), "error"))["error"]
    assert error["param"].startswith(param), error
    assert not gateway.conversation.config.tools
    await client.ask(update(tools=[WEATHER]), "session.updated")


async def test_a_reply_that_only_calls_has_no_message(client: Client, gateway: Running) -> None:
    await client.ask(update(tools=[WEATHER]), "session.updated")
    gateway.conversation.call("weather", '{"city": "Oslo"}')
    done = await client.until("response.done")
    assert client.order[client.order.index("response.created") :] == CALL_ORDER
    (call,) = done["response"]["output"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "weather", '{"city": "Oslo"}')
    assert done["response"]["status"] == call["status"] == "completed"
    arguments = client.of("response.function_call_arguments.done")[0]
    assert (arguments["call_id"], arguments["item_id"]) == (call["call_id"], call["id"])
    assert arguments["output_index"] == 0 and arguments["name"] == "weather"


async def test_a_reply_may_speak_and_call(client: Client, gateway: Running) -> None:
    await client.ask(update(tools=[WEATHER]), "session.updated")
    gateway.conversation.call("weather", "{}", text="Let me look.")
    output = (await client.until("response.done"))["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]
    assert client.of("response.function_call_arguments.done")[0]["output_index"] == 1
    assert client.of("response.output_item.done")[-1]["output_index"] == 0


async def test_the_result_comes_back_and_the_avatar_goes_on(client: Client, gateway: Running) -> None:
    await client.ask(update(tools=[WEATHER]), "session.updated")
    gateway.conversation.call("weather", "{}")
    call_id = (await client.until("response.done"))["response"]["output"][0]["call_id"]
    item = (await client.ask(result(call_id), "conversation.item.done"))["item"]
    assert (item["type"], item["call_id"], item["output"]) == ("function_call_output", call_id, "Rain.")
    assert gateway.conversation.messages[-1][:2] == (f"result of {call_id}", "Rain.")
    await client.ask(GO_ON, "response.done")
    got = await client.ask(
        {"type": "conversation.item.retrieve", "item_id": item["id"]}, "conversation.item.retrieved"
    )
    assert got["item"] == item


async def test_going_on_may_be_asked_for_while_the_reply_that_called_is_still_spoken(
    client: Client, gateway: Running
) -> None:
    await client.ask(update(tools=[WEATHER]), "session.updated")
    gateway.conversation.auto_finish = False
    gateway.conversation.reply("Let me look.")
    await client.until("response.output_audio.delta")
    error = (await client.ask(GO_ON, "error"))["error"]
    assert error["code"] == "conversation_already_has_active_response"
    await client.ask(result("call_9"), "conversation.item.done")
    await client.send(GO_ON)
    await gateway.conversation.until_called("respond")


async def test_a_result_that_comes_too_late_is_dropped_and_nothing_goes_on_from_it(
    client: Client, gateway: Running
) -> None:
    await client.ask(update(tools=[WEATHER]), "session.updated")
    gateway.conversation.call("weather", "{}")
    await client.until("response.done")
    gateway.conversation.overtaken = True
    known = len(client.of("conversation.item.added"))
    error = (await client.ask(result("call_1"), "error"))["error"]
    assert (error["code"], error["param"]) == ("stale_tool_call", "item.call_id")
    error = (await client.ask(GO_ON, "error"))["error"]
    assert error["code"] == "stale_tool_call"
    assert not [call for call in gateway.conversation.calls if call[0] == "respond"]
    # That was all: the next request is one of its own.
    await client.ask(SAY, "conversation.item.done")
    assert len(client.of("conversation.item.added")) == known + 1
    await client.ask(GO_ON, "response.done")


async def test_tools_of_one_response_alone(client: Client, gateway: Running) -> None:
    await client.ask(SAY, "conversation.item.done")
    await client.ask({**GO_ON, "response": {"tools": [WEATHER], "tool_choice": "required"}}, "response.done")
    configs = [call[1] for call in gateway.conversation.calls if call[0] == "configure"]
    assert [(len(config.tools), config.tool_choice) for config in configs] == [(1, "required"), (0, "")]


async def test_a_response_beside_the_conversation_calls_too(client: Client, backend: FakeServices) -> None:
    backend.calls = [{"id": "call_x", "name": "weather", "arguments": "{}"}]  # type: ignore[list-item]
    params = {"conversation": "none", "tools": [WEATHER], "output_modalities": ["text"]}
    done = await client.ask({**GO_ON, "response": params}, "response.done")
    assert [item["call_id"] for item in done["response"]["output"]] == ["call_x"]
    assert [tool.name for tool in backend.turns[0].tools] == ["weather"]
    assert not client.of("conversation.item.added")


async def test_calls_survive_a_reconnect(launch: Any) -> None:
    gateway: Running = await launch()
    async with connected(gateway) as first:
        session = first.events[0]["session"]["id"]
        await first.ask(update(tools=[WEATHER]), "session.updated")
        gateway.conversation.call("weather", "{}")
        await first.until("response.done")
        await first.ask(result("call_1"), "conversation.item.done")
    async with connected(gateway, f"model=mira&session={session}") as second:
        assert second.events[0]["session"]["tools"] == [WEATHER]
        for _ in range(2):
            await second.until("conversation.item.done")
        kinds = [event["item"]["type"] for event in second.of("conversation.item.added")]
    assert kinds == ["function_call", "function_call_output"]
    assert [message[0] for message in gateway.conversation.messages] == ["call", "result of call_1"]


async def test_a_mind_without_functions_says_so(launch: Any, backend: FakeServices) -> None:
    backend.calls_tools = False
    gateway: Running = await launch()
    async with connected(gateway) as client:
        # Ignored, and told: what is in force is shown.
        session = (await client.ask(update(tools=[WEATHER]), "session.updated"))["session"]
        assert (session["tools"], session["tool_choice"]) == ([], "none")
        assert not gateway.conversation.config.tools
        error = (await client.ask(update(tools=[WEATHER], tool_choice="required"), "error"))["error"]
        assert (error["code"], error["param"]) == ("tools_unsupported", "session.tool_choice")


async def test_a_face_is_told_of_calls_too(client: Client, gateway: Running) -> None:
    await client.ask(FACE, "session.updated")
    await client.ask(update(tools=[WEATHER]), "session.updated")
    gateway.conversation.call("weather", "{}", text="Let me look.")
    await client.until("response.done")
    assert client.order.index("avatar.reply.started") < client.order.index("response.output_item.added")
