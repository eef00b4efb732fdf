"""Summaries of long talks: made beside them, found again, and never another's."""

import asyncio
from typing import Any

import pytest

from parley.errors import ServiceUnavailable
from proto.parley.v1 import chain_pb2 as pb
from services.llm.engines.completions import Chat, estimate_tokens
from services.llm.engines.prompt import SPEECH_RULES
from services.llm.engines.summaries import KEPT, KEPT_S, RULES, Summaries
from tests.unit.services.llm.model_server import Server, serving


def talk(turns: int, *, about: str = "tea", open_question: bool = True) -> Chat:
    chat = []
    for number in range(turns):
        chat.append({"role": "user", "content": f"Question {number} about {about}, " + "word " * 20})
        chat.append({"role": "assistant", "content": f"Answer {number} about {about}."})
    return chat + [{"role": "user", "content": "And now?"}] * open_question


async def folded(
    summaries: Summaries, chat: Chat, answer: str = "They spoke.", budget: int = 300
) -> list[Chat]:
    """Has `chat` folded; returns what the model was asked."""
    asked: list[Chat] = []

    async def ask(question: Chat) -> str:
        asked.append(question)
        return answer

    summaries.fold(chat, budget_tokens=budget, ask=ask)
    for _ in range(5):
        await asyncio.sleep(0)
    return asked


async def test_a_short_talk_needs_no_summary() -> None:
    summaries = Summaries()
    assert await folded(summaries, talk(2), budget=1000) == []
    assert summaries.past(talk(2)).covered == 0


async def test_the_oldest_words_are_folded_and_the_rest_begins_with_the_person() -> None:
    summaries = Summaries()
    (asked,) = await folded(summaries, talk(8))
    assert asked[0]["content"] == RULES
    past = summaries.past(talk(8))
    assert past.summary == "They spoke."
    rest = talk(8)[past.covered :]
    assert rest[0]["role"] == "user" and estimate_tokens(rest) <= 150
    assert "Question 0" in asked[1]["content"] and "And now" not in asked[1]["content"]


async def test_a_summary_rolls_on_from_the_one_before() -> None:
    summaries = Summaries()
    await folded(summaries, talk(8), "First.")
    (asked,) = await folded(summaries, talk(12), "Second.")
    assert asked[1]["content"].startswith("Before that: First.")
    assert "Question 0" not in asked[1]["content"]
    assert summaries.past(talk(12)).summary == "Second."


async def test_a_summary_is_of_those_words_only() -> None:
    summaries = Summaries()
    await folded(summaries, talk(8))
    assert summaries.past(talk(8, about="birds")).summary == ""
    without_the_first = talk(8)[2:]
    assert summaries.past(without_the_first).summary == ""


async def test_old_ones_and_too_many_are_forgotten() -> None:
    clock = [0.0]
    summaries = Summaries(now=lambda: clock[0])
    await folded(summaries, talk(8))
    clock[0] = KEPT_S + 1
    assert summaries.past(talk(8)).summary == ""
    for number in range(KEPT + 1):
        await folded(summaries, talk(8, about=str(number)))
    assert summaries.past(talk(8, about="0")).summary == ""
    assert summaries.past(talk(8, about=str(KEPT))).summary == "They spoke."


async def test_a_failed_summary_costs_nothing_but_the_oldest_words() -> None:
    summaries = Summaries()

    async def ask(question: Chat) -> str:
        raise ServiceUnavailable("Down.")

    summaries.fold(talk(8), budget_tokens=300, ask=ask)
    for _ in range(5):
        await asyncio.sleep(0)
    assert summaries.past(talk(8)).summary == ""


async def test_closing_stops_one_that_is_being_made() -> None:
    summaries = Summaries()
    stopped = asyncio.Event()

    async def ask(question: Chat) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return ""

    summaries.fold(talk(8), budget_tokens=300, ask=ask)
    await asyncio.sleep(0.01)
    await summaries.close()
    assert stopped.is_set()


def turn(chat: Chat) -> pb.Turn:
    roles = {"user": pb.ROLE_USER, "assistant": pb.ROLE_ASSISTANT}
    return pb.Turn(
        avatar="mira", history=[pb.Message(role=roles[m["role"]], text=m["content"]) for m in chat]
    )


def system(request: dict[str, Any]) -> str:
    return str(request["messages"][0]["content"])


async def requests(server: Server, count: int) -> None:
    async with asyncio.timeout(10):
        while len(server.requests) < count:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("about", [("tea", "birds")])
async def test_two_long_talks_go_on_from_their_own_summaries(about: tuple[str, str]) -> None:
    async with serving(history_tokens=300, context_tokens=16_000) as (server, engine):

        async def answered(chat: Chat) -> None:
            _ = [delta async for delta in engine.generate(turn(chat))]

        server.answer_by(
            lambda request: f"Notes on {_subject(request)}." if RULES in system(request) else "Yes."
        )
        for number, subject in enumerate(about):
            await answered(talk(8, about=subject))
            await requests(server, 2 * number + 2)
        await asyncio.sleep(0.05)
        first = len(server.requests)
        for subject in about:
            await answered(talk(8, about=subject))
        for request, own, other in zip(server.requests[first:], about, reversed(about), strict=False):
            assert SPEECH_RULES in system(request) and f"Notes on {own}." in system(request)
            words = str(request["messages"])
            assert (
                f"about {own}" in words and f"about {other}" not in words and f"Notes on {other}" not in words
            )
            assert "Question 0 " not in words and len(request["messages"]) < 8


def _subject(request: dict[str, Any]) -> str:
    return str(request["messages"][1]["content"]).split(" about ")[1].split(",")[0]
