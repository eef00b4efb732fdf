"""Reading ahead: what the server is asked while a turn is spoken, and what is given up."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from parley.chain.foresight import taken_back
from parley.chain.memory import MemoryChain
from proto.parley.v1 import chain_pb2 as pb
from services.llm.foresight import AT_ONCE, Foresight
from tests.unit.services.llm.model_server import Server, serving


def turn(text: str, session: str = "s", *before: str) -> pb.Turn:
    roles = (pb.ROLE_USER, pb.ROLE_ASSISTANT)
    history = [pb.Message(role=roles[i % 2], text=said) for i, said in enumerate((*before, text))]
    return pb.Turn(avatar="mira", trace=pb.Trace(session=session), history=history)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def prompts(server: Server) -> list[str]:
    """What the server had to read, one request after the other, as one text."""
    return ["\n".join(m["content"] for m in request["messages"]) for request in server.requests]


async def test_what_is_read_ahead_is_the_beginning_of_what_comes() -> None:
    before = ("hello", "Hello, I am Mira.")
    async with serving(prefill="on") as (server, engine):
        server.script = [server.says("x")]
        for words in ("where is the north", "where is the north star in the"):
            await engine.prefill(turn(words, "s", *before))
        asked = turn("where is the north star in the sky", "s", *before)
        _ = [delta async for delta in engine.generate(asked)]
    first, second, whole = prompts(server)
    assert whole.startswith(second) and "north pole" in second, "the notes stand before the words"
    assert first.split("(What you know")[0] == whole.split("(What you know")[0]
    assert [request["max_tokens"] for request in server.requests] == [1, 1, 300]


async def test_notes_that_fit_the_whole_question_alone_are_given_after_all() -> None:
    async with serving(prefill="on") as (server, engine):
        server.script = [server.says("x")]
        await engine.prefill(turn("so what do you think"))
        _ = [delta async for delta in engine.generate(turn("so what do you think is the north star"))]
        await engine.prefill(turn("so what do you think", "s", "what is the north star", "x"))
    early, whole, next_turn = prompts(server)
    assert "north pole" not in early and "north pole" in whole
    assert "north pole" not in next_turn, "the notes of another turn are not kept"


@pytest.mark.parametrize(
    ("setting", "owner", "reads"), [("auto", "vllm", 1), ("auto", "somebody", 0), ("on", "somebody", 1)]
)
async def test_a_server_that_keeps_nothing_is_not_asked(setting: str, owner: str, reads: int) -> None:
    async with serving(prefill=setting) as (server, engine):
        server.offered = [{"id": "m", "owned_by": owner}]
        server.script = [server.says("x")]
        await engine.prefill(turn("what is"))
    assert len(server.requests) == reads


async def test_a_server_that_fails_to_read_ahead_is_asked_once_and_nobody_is_told() -> None:
    async with serving(prefill="on") as (server, engine):
        server.script = [server.fails(503)]
        await engine.prefill(turn("what is"))
    assert len(server.requests) == 1


async def test_what_is_being_read_is_read_to_its_end_and_then_the_newest_words() -> None:
    async with serving(prefill="on") as (server, engine):
        server.script = [server.says("x", pause_s=0.1)]
        chain, foresight = MemoryChain(), Foresight(engine)
        following = asyncio.create_task(foresight.run(chain))
        await asyncio.sleep(0)
        for words in ("what is", "what is the", "what is the north"):
            assert await chain.foresee(turn(words))
            await until(lambda: server.requests)
        await until(lambda: len(server.requests) == 2)
        await asyncio.sleep(0.3)
        assert not server.aborted.is_set()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await chain.close()
    assert [prompt.rpartition("\n")[2] for prompt in prompts(server)] == ["what is", "what is the north"]


async def test_the_turn_itself_and_another_reader_abort_the_reading() -> None:
    async with serving(prefill="on") as (server, engine):
        server.script = [server.says(then="hang")]
        foresight = Foresight(engine)
        for number, stop in enumerate(
            (lambda: foresight.stop("s"), lambda: foresight.take(taken_back(turn("x")))), 1
        ):
            server.aborted.clear()
            foresight.take(turn("what is the"))
            await until(lambda number=number: len(server.requests) == number)  # type: ignore[misc]
            stop()
            async with asyncio.timeout(5):
                await server.aborted.wait()


async def test_a_busy_mind_reads_ahead_for_few_at_once() -> None:
    async with serving(prefill="on") as (server, engine):
        server.script = [server.says(then="hang")]
        foresight = Foresight(engine)
        for number in range(AT_ONCE + 3):
            foresight.take(turn("what is", f"s{number}"))
        await until(lambda: len(server.requests) == AT_ONCE)
        await asyncio.sleep(0.05)
        assert len(server.requests) == AT_ONCE
        for number in range(AT_ONCE):
            foresight.stop(f"s{number}")
