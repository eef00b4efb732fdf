"""Functions that the avatar calls: what history keeps, what goes on from a result, what comes too late."""

import asyncio

import pytest

from parley.conversation import events as tell
from parley.conversation.events import Activity
from parley.conversation.history import History
from parley.conversation.interface import ConversationConfig
from parley.errors import BadRequest
from proto.parley.v1 import chain_pb2 as pb
from tests.unit.parley.conversation.cast import FACE, play
from tests.virtual import virtual

TOOL = pb.Tool(name="weather")
TEXT_ONLY = ConversationConfig(want_audio=False, tools=(TOOL,), tool_choice="required")


def call(number: int = 1) -> pb.ToolCall:
    return pb.ToolCall(id=f"call_{number}", name="weather", arguments="{}")


def history(**limits: int) -> History:
    return History(**{"max_items": 100, "max_characters": 10_000, **limits})


def shown(talk: History) -> list[tuple[int, str]]:
    """Of each message its role, and its words, call or result."""
    return [(m.role, m.text or m.call.id) for m in talk.messages()]


def test_a_call_is_shown_with_its_result_and_never_without() -> None:
    talk = history()
    talk.add("i1", "user", "will it rain")
    talk.add_call("i2", call(1))
    talk.add_call("i3", call(2))
    assert shown(talk) == [(pb.ROLE_USER, "will it rain")]
    talk.add_result("i4", "call_2", "yes")
    assert shown(talk)[1:] == [(pb.ROLE_ASSISTANT, "call_2"), (pb.ROLE_TOOL, "yes")]
    assert talk.messages()[-1].call_id == "call_2" and talk.ends_in_result
    talk.delete("i3")
    assert shown(talk) == [(pb.ROLE_USER, "will it rain")]


def test_a_result_belongs_to_one_call_that_waits_for_it() -> None:
    talk = history()
    talk.add("i1", "user", "will it rain")
    talk.add_call("i2", call())
    for call_id, again in (("call_9", False), ("call_1", True)):
        if again:
            talk.add_result("i3", "call_1", "yes")
        with pytest.raises(BadRequest) as error:
            talk.add_result("i4", call_id, "no")
        assert error.value.code == "invalid_tool_call_id"
    assert [item.item_id for item in talk] == ["i1", "i2", "i3"]


def test_a_call_is_overtaken_by_newer_words_alone() -> None:
    talk = history()
    talk.add("i1", "user", "will it rain")
    talk.add_call("i2", call())
    talk.overtake_calls()
    talk.add_result("i3", "call_1", "yes")
    talk.add_call("i4", call(2))
    talk.add("i5", "user", "never mind")
    talk.overtake_calls()
    with pytest.raises(BadRequest) as error:
        talk.add_result("i6", "call_2", "no")
    assert error.value.code == "stale_tool_call"


def test_a_cut_never_parts_a_call_from_its_result() -> None:
    for limit in range(4, 100):
        talk = history(max_characters=limit)
        for number in range(6):
            talk.add(f"u{number}", "user", "what now")
            talk.add_call(f"c{number}", call(number))
            talk.add_result(f"r{number}", f"call_{number}", "some words")
        messages = talk.messages()
        calls = {m.call.id for m in messages if m.HasField("call")}
        assert {m.call_id for m in messages if m.role == pb.ROLE_TOOL} == calls
        assert messages[0].role == pb.ROLE_USER and messages[-1].role == pb.ROLE_TOOL


@virtual
async def test_a_call_goes_out_its_result_comes_in_and_the_avatar_goes_on() -> None:
    async with play(TEXT_ONLY) as stage:
        stage.workers.clauses, stage.workers.calls = [""], [call()]
        await stage.session.add_message("user", "will it rain")
        await stage.session.respond()
        called = await stage.front.until(tell.ReplyCall)
        await stage.front.until(tell.ReplyDone)
        await stage.session.add_result(called.call_id, "yes")
        stage.workers.clauses = ["It will."]
        await stage.session.respond()
        await stage.front.until(tell.ReplyText)
        items = [(item.role, item.text) for item in stage.session.history]
    assert (called.name, called.arguments) == ("weather", "{}")
    first, second = stage.workers.turns
    assert (list(first.tools), first.tool_choice, first.speculative) == ([TOOL], "required", False)
    assert [m.role for m in second.history] == [pb.ROLE_USER, pb.ROLE_ASSISTANT, pb.ROLE_TOOL]
    assert items[:3] == [("user", "will it rain"), ("assistant", ""), ("tool", "yes")]


@virtual
async def test_what_is_being_said_is_finished_before_the_avatar_goes_on() -> None:
    async with play(FACE) as stage:
        stage.workers.calls = [call()]
        await stage.person.ask()
        called = await stage.front.until(tell.ReplyCall)
        await stage.session.add_result(called.call_id, "yes")
        await stage.session.respond()
        await stage.front.until(tell.ReplyDone)
        await asyncio.sleep(8)
        assert not stage.front.all(tell.Flushed) and not stage.front.all(tell.Problem)
        assert len(stage.front.all(tell.ReplyStarted)) == 2
        assert stage.workers.turns[-1].history[-1].text == "yes"


@virtual
async def test_an_interruption_drops_the_result_that_is_still_to_come() -> None:
    async with play(FACE) as stage:
        stage.workers.calls = [call()]
        await stage.person.ask()
        called = await stage.front.until(tell.ReplyCall)
        await stage.person.ask("no tell me about tomorrow")
        await stage.front.until(tell.Flushed)
        with pytest.raises(BadRequest, match="gone on without it"):
            await stage.session.add_result(called.call_id, "yes")
        await asyncio.sleep(8)
        assert not any(m.HasField("call") for m in stage.workers.turns[-1].history)


@virtual
async def test_words_after_the_reply_drop_it_too_but_a_pause_does_not() -> None:
    async with play(TEXT_ONLY) as stage:
        stage.workers.clauses, stage.workers.calls = [""], [call()]
        await stage.session.add_message("user", "will it rain")
        await stage.session.respond()
        called = await stage.front.until(tell.ReplyCall)
        await stage.front.until(tell.ReplyDone)
        stage.workers.clauses = ["Certainly."]
        await stage.person.ask("and how are you")
        await stage.front.until(tell.ReplyText)
        with pytest.raises(BadRequest) as error:
            await stage.session.add_result(called.call_id, "yes")
        assert error.value.code == "stale_tool_call"
        assert stage.front.all(tell.ActivityChanged)[-1].activity is not Activity.HEARING


@virtual
async def test_a_guess_is_marked_and_gets_its_first_credit_when_it_comes_true() -> None:
    async with play(FACE) as stage:
        await stage.person.ask()
        await stage.front.until(tell.ReplyStarted)
        await asyncio.sleep(0.01)
        played = stage.chain._sessions[stage.session.session].played
    assert stage.workers.turns[0].speculative and played >= 1
