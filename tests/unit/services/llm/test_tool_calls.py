"""Functions: what the server is told, how its calls are put together, and the rounds of a reply."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from parley.engines import TextDelta
from parley.errors import BadRequest
from proto.parley.v1 import chain_pb2 as pb
from services.llm.engines.fake import FakeEngine
from services.llm.replies import reply_pieces
from services.llm.tools.rounds import ALONE, MAX_ROUNDS, UNKNOWN
from tests.unit.services.llm.model_server import Server, serving

SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}}'
WEATHER = pb.Tool(name="weather", description="Of today.", parameters=SCHEMA)


def turn(*history: pb.Message, **fields: Any) -> pb.Turn:
    said = history or (pb.Message(role=pb.ROLE_USER, text="will it rain"),)
    return pb.Turn(avatar="mira", history=said, **fields)


def call(number: int, name: str, arguments: str = "{}") -> pb.ToolCall:
    return pb.ToolCall(id=f"call_{number}", name=name, arguments=arguments)


def part(index: int | None, arguments: str, **first: str) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": first["name"]} if "name" in first else {})
    numbered = {} if index is None else {"index": index}
    return numbered | ({"id": first["id"]} if "id" in first else {}) | {"function": function}


async def replied(server: Server, engine: Any, work: pb.Turn, *deltas: dict[str, Any]) -> list[TextDelta]:
    server.script = [server.streams(*deltas)]
    return [delta async for delta in engine.generate(work)]


async def test_calls_are_put_together_from_their_pieces() -> None:
    async with serving() as (server, engine):
        *said, last = await replied(
            server,
            engine,
            turn(tools=[WEATHER]),
            {"role": "assistant", "content": "Let me look."},
            {"tool_calls": [part(0, "", id="a", name="weather")]},
            {"tool_calls": [part(0, '{"city": '), part(1, "", id="b", name="weather")]},
            {"tool_calls": [part(1, '{"city": "Rome"}')]},
            {"tool_calls": [part(0, '"Oslo"}')]},
        )
    assert [delta.text for delta in said] == ["Let me look."]
    assert [(c.id, c.name, json.loads(c.arguments)["city"]) for c in last.calls] == [
        ("a", "weather", "Oslo"),
        ("b", "weather", "Rome"),
    ]


async def test_a_server_that_numbers_and_names_no_calls_is_understood() -> None:
    async with serving() as (server, engine):
        whole = [part(None, "{}", name="weather"), part(None, "{}", name="weather")]
        (last,) = await replied(server, engine, turn(tools=[WEATHER]), {"tool_calls": whole})
    assert len({call.id for call in last.calls}) == 2 and all(call.id for call in last.calls)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("", "auto"),
        ("required", "required"),
        ("function:weather", {"type": "function", "function": {"name": "weather"}}),
    ],
)
async def test_the_server_is_told_of_the_functions(choice: str, sent: object) -> None:
    async with serving() as (server, engine):
        await replied(server, engine, turn(tools=[WEATHER], tool_choice=choice), {"content": "No."})
    request = server.requests[0]
    described = {"name": "weather", "description": "Of today.", "parameters": json.loads(SCHEMA)}
    assert request["tools"] == [{"type": "function", "function": described}]
    assert request["tool_choice"] == sent


async def test_no_function_may_be_called() -> None:
    async with serving() as (server, engine):
        await replied(server, engine, turn(tools=[WEATHER], tool_choice="none"), {"content": "No."})
        await replied(server, engine, turn(), {"content": "No."})
    assert not any("tools" in request or "tool_choice" in request for request in server.requests)


async def test_results_are_shown_to_the_model_behind_the_words_that_led_to_them() -> None:
    history = [
        pb.Message(role=pb.ROLE_USER, text="what is the north star"),
        pb.Message(role=pb.ROLE_ASSISTANT, text="Let me look."),
        pb.Message(role=pb.ROLE_ASSISTANT, call=call(1, "weather")),
        pb.Message(role=pb.ROLE_ASSISTANT, call=call(2, "weather", "")),
        pb.Message(role=pb.ROLE_TOOL, call_id="call_1", text="Rain."),
        pb.Message(role=pb.ROLE_TOOL, call_id="call_2", text=""),
    ]
    async with serving() as (server, engine):
        deltas = await replied(server, engine, turn(*history, tools=[WEATHER]), {"content": "It rains."})
    called, first, second = server.requests[0]["messages"][-3:]
    assert called["content"] == "Let me look."
    assert [(c["id"], c["function"]["arguments"]) for c in called["tool_calls"]] == [
        ("call_1", "{}"),
        ("call_2", "{}"),
    ]
    assert first == {"role": "tool", "tool_call_id": "call_1", "content": "Rain."}
    assert second == {"role": "tool", "tool_call_id": "call_2", "content": ""}
    assert "night_sky/the-north-star" in deltas[0].citations, "the notes fit the person's words"


async def test_a_tight_context_keeps_the_newest_words_and_all_that_was_called_since() -> None:
    history = [pb.Message(role=pb.ROLE_USER, text=f"{'word ' * 100}{number}") for number in range(5)]
    history += [
        pb.Message(role=pb.ROLE_ASSISTANT, call=call(1, "weather")),
        pb.Message(role=pb.ROLE_TOOL, call_id="call_1", text="Rain. " * 400),
    ]
    async with serving(context_tokens=1000, output_tokens=50) as (server, engine):
        await replied(server, engine, turn(*history, tools=[WEATHER]), {"content": "It rains."})
    assert [m["role"] for m in server.requests[0]["messages"]] == ["system", "user", "assistant", "tool"]


class Scripted:
    """An engine that says and calls what it is told to, round by round."""

    name, model, calls_tools = "scripted", "script", True

    def __init__(self, *rounds: tuple[str, list[pb.ToolCall]]) -> None:
        self.rounds = list(rounds)
        self.turns: list[pb.Turn] = []

    async def generate(self, turn: pb.Turn, *, spoken: str = "") -> AsyncGenerator[TextDelta, None]:
        self.turns.append(pb.Turn.FromString(turn.SerializeToString()))
        text, calls = self.rounds[min(len(self.turns), len(self.rounds)) - 1]
        yield TextDelta(text)
        if calls and turn.tool_choice != "none":
            yield TextDelta("", calls=calls)


class Box:
    """Runs `look` and `open`; the second has effects."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str]] = []

    def tools(self) -> list[pb.Tool]:
        return [pb.Tool(name="look"), pb.Tool(name="open")]

    def harmless(self, name: str) -> bool:
        return name == "look"

    async def call(self, name: str, arguments: str) -> str:
        self.called.append((name, arguments))
        return f"result of {name}"


async def said(engine: Any, work: pb.Turn, **options: Any) -> tuple[str, list[pb.ToolCall]]:
    pieces = [piece async for piece in reply_pieces(engine, work, **options)]
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return "".join(piece.text for piece in pieces), [c for piece in pieces for c in piece.calls]


async def test_what_is_run_here_is_run_and_the_reply_goes_on() -> None:
    engine, box = Scripted(("Let me look.", [call(1, "look", '{"a": 1}')]), ("It is red.", [])), Box()
    assert await said(engine, turn(tools=[WEATHER]), toolbox=box) == ("Let me look. It is red.", [])
    assert box.called == [("look", '{"a": 1}')]
    assert [tool.name for tool in engine.turns[0].tools] == ["weather", "look", "open"]
    *_, words, called, result = engine.turns[1].history
    assert (words.text, called.call.name, result.text) == ("Let me look.", "look", "result of look")
    assert result.call_id == "call_1"


async def test_the_clients_functions_are_handed_to_it() -> None:
    engine, box = Scripted(("", [call(1, "weather")])), Box()
    text, calls = await said(engine, turn(tools=[WEATHER]), toolbox=box)
    assert (text, [c.name for c in calls], box.called) == ("", ["weather"], [])


async def test_the_clients_functions_are_put_off_when_others_are_called_beside_them() -> None:
    engine, box = Scripted(("", [call(1, "weather"), call(2, "look")]), ("", [call(3, "weather")])), Box()
    _, calls = await said(engine, turn(tools=[WEATHER]), toolbox=box)
    assert [c.id for c in calls] == ["call_3"]
    assert [m.text for m in engine.turns[1].history[-2:]] == [ALONE, "result of look"]


async def test_a_function_that_does_not_exist_is_answered_for() -> None:
    engine = Scripted(("", [call(1, "fly")]), ("I cannot.", []))
    assert await said(engine, turn(tools=[WEATHER])) == ("I cannot.", [])
    assert engine.turns[1].history[-1].text == UNKNOWN


async def test_a_model_that_calls_for_ever_is_made_to_answer() -> None:
    engine, box = Scripted(("So.", [call(1, "look")])), Box()
    text, calls = await said(engine, turn(), toolbox=box)
    assert len(engine.turns) == MAX_ROUNDS and not calls
    assert text == " ".join(["So."] * MAX_ROUNDS)


async def test_a_demanded_call_is_demanded_once() -> None:
    engine, box = Scripted(("", [call(1, "look")]), ("Done.", [])), Box()
    await said(engine, turn(tool_choice="required"), toolbox=box)
    assert [t.tool_choice for t in engine.turns] == ["required", ""]


@pytest.mark.parametrize(("function", "waits"), [("look", False), ("open", True)])
async def test_a_guess_has_no_effects_before_it_comes_true(function: str, waits: bool) -> None:
    true = asyncio.Event()
    box, engine = Box(), Scripted(("", [call(1, function)]), ("Done.", []))

    async def wanted() -> None:
        await true.wait()

    reply = asyncio.create_task(said(engine, turn(speculative=True), toolbox=box, wanted=wanted))
    for _ in range(20):
        await asyncio.sleep(0)
    assert bool(box.called) is not waits
    true.set()
    assert await reply == ("Done.", [])
    assert [name for name, _ in box.called] == [function]


async def test_an_engine_without_functions_sees_none_of_it() -> None:
    engine = FakeEngine(["You said: {heard}."])
    history = [
        pb.Message(role=pb.ROLE_USER, text="will it rain"),
        pb.Message(role=pb.ROLE_ASSISTANT, call=call(1, "weather")),
        pb.Message(role=pb.ROLE_TOOL, call_id="call_1", text="Rain."),
    ]
    assert await said(engine, turn(*history, tools=[WEATHER])) == ("You said: will it rain.", [])


@pytest.mark.parametrize("choice", ["required", "function:weather"])
async def test_a_call_that_is_demanded_of_such_an_engine_is_refused(choice: str) -> None:
    with pytest.raises(BadRequest, match="fake engine calls no functions") as error:
        await said(FakeEngine(["Hi."]), turn(tools=[WEATHER], tool_choice=choice))
    assert error.value.code == "tools_unsupported"
