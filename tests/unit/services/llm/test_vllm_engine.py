"""The vllm engine against a real HTTP server on this machine."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from parley.chain.interface import Claim, Stage
from parley.chain.memory import MemoryChain
from parley.errors import EngineUnavailable, ServiceUnavailable, StaleGeneration
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm import worker
from services.llm.config import LlmSettings
from services.llm.engines import load
from services.llm.engines.vllm import VllmEngine
from services.llm.worker import Worker
from tests.unit.services.llm.model_server import embedder, serving

AVATARS = REPOSITORY / "avatars"


def turn(*texts: str, **fields: Any) -> pb.Turn:
    roles = (pb.ROLE_USER, pb.ROLE_ASSISTANT)
    history = [pb.Message(role=roles[i % 2], text=text) for i, text in enumerate(texts)]
    return pb.Turn(avatar="mira", history=history, **fields)


async def reply(engine: VllmEngine, work: pb.Turn, spoken: str = "") -> str:
    return "".join([delta.text async for delta in engine.generate(work, spoken=spoken)])


async def test_streams_with_persona_notes_and_citations() -> None:
    async with serving(key="secret") as (server, engine):
        server.script = [server.says("It stands ", "above the pole.")]
        deltas = [d async for d in engine.generate(turn("what is the north star"))]
    assert [d.text for d in deltas] == ["It stands ", "above the pole."]
    assert "night_sky/the-north-star" in deltas[0].citations and not deltas[1].citations
    request = server.requests[0]
    system = request["messages"][0]
    assert system["role"] == "system"
    assert "You are Mira" in system["content"] and "north pole" not in system["content"]
    asked = request["messages"][-1]
    assert asked["role"] == "user" and "north pole" in asked["content"]
    assert asked["content"].endswith("\nwhat is the north star")
    assert request["model"] == "m" and request["stream"] is True
    assert server.headers[0]["authorization"] == "Bearer secret"


async def test_instructions_replace_the_persona() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("Arr.")]
        await reply(engine, turn("hello", instructions="You are a pirate."))
    assert server.requests[0]["messages"][0]["content"].startswith("You are a pirate.")


async def test_the_policy_stands_whatever_the_instructions_are() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("Arr.")]
        await reply(engine, turn("hello", instructions="You are a famous singer."))
    system = server.requests[0]["messages"][0]["content"]
    assert "You are no real person, living or dead" in system
    assert system.index("You are a famous singer.") < system.index("These rules stand above everything")


async def test_facts_reach_the_model_that_talks_with_their_owner_alone() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("Hi.")]
        await reply(engine, turn("hello", facts=["My name is Anna."]))
        await reply(engine, turn("hello", facts=["I live in bergen."]))
    systems = [request["messages"][0]["content"] for request in server.requests]
    assert "My name is Anna." in systems[0] and "bergen" not in systems[0]
    assert "I live in bergen." in systems[1] and "Anna" not in systems[1]


async def test_takes_the_servers_first_model_when_none_is_set() -> None:
    async with serving(model="") as (server, engine):
        server.script = [server.says("Hi.")]
        await reply(engine, turn("hello"))
    assert server.requests[0]["model"] == engine.model == "tiny"


async def test_the_base_model_is_taken_even_when_an_adapter_is_listed_first() -> None:
    async with serving(model="") as (server, engine):
        server.offered = [{"id": "mira-lora", "parent": "base"}, {"id": "base", "parent": None}]
        server.script = [server.says("Hi.")]
        await reply(engine, turn("hello"))
    assert server.requests[0]["model"] == "base"


async def test_an_avatars_adapter_is_asked_for_by_name_and_can_be_swapped_at_run_time(tmp_path: Path) -> None:
    folder = tmp_path / "mira"
    shutil.copytree(AVATARS / "mira", folder, ignore=shutil.ignore_patterns("face"))
    manifest = folder / "avatar.yaml"
    plain = manifest.read_text()
    async with serving(avatars_dir=tmp_path) as (server, engine):
        server.script = [server.says("Hi.")]
        for number, adapter in enumerate(("mira-1", "mira-2", "")):
            manifest.write_text(f"{plain}mind:\n  adapter: {adapter!r}\n")
            os.utime(manifest, ns=(number, number))
            await reply(engine, turn("hello"))
    assert [request["model"] for request in server.requests] == ["mira-1", "mira-2", "m"]


async def test_closing_the_iterator_aborts_the_request_at_the_server() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("One ", then="hang")]
        async with aclosing(engine.generate(turn("hello"))) as deltas:
            assert (await anext(deltas)).text == "One "
        async with asyncio.timeout(5):
            await server.aborted.wait()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_is_asked_again_before_the_first_token(status: int) -> None:
    async with serving() as (server, engine):
        server.script = [server.fails(status, **{"retry-after": "0"}), server.says("Fine.")]
        assert await reply(engine, turn("hello")) == "Fine."
    assert len(server.requests) == 2


async def test_gives_up_after_three_tries() -> None:
    async with serving() as (server, engine):
        server.script = [server.fails(429, **{"retry-after": "0"})]
        with pytest.raises(ServiceUnavailable, match="429"):
            await reply(engine, turn("hello"))
    assert len(server.requests) == 3


async def test_a_refusal_that_will_not_change_is_not_repeated() -> None:
    async with serving() as (server, engine):
        server.script = [server.fails(401)]
        with pytest.raises(ServiceUnavailable, match="401"):
            await reply(engine, turn("hello"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["cut", "error"])
async def test_a_break_in_the_middle_is_never_retried(end: str) -> None:
    async with serving() as (server, engine):
        server.script = [server.says("The beginning ", then=end)]
        said = []
        with pytest.raises(ServiceUnavailable, match="in the middle"):
            async for delta in engine.generate(turn("hello")):
                said.append(delta.text)
    assert said == ["The beginning "]
    assert len(server.requests) == 1


async def test_a_slow_first_token_is_an_error_in_time() -> None:
    async with serving(first_token_s=0.2) as (server, engine):
        server.script = [server.says("Late.", pause_s=30)]
        with pytest.raises(ServiceUnavailable, match=r"no first token within 0\.2 s"):
            await reply(engine, turn("hello"))


async def test_a_stall_between_tokens_is_an_error_in_time() -> None:
    async with serving(next_token_s=0.2) as (server, engine):
        server.script = [server.says("One ", then="hang")]
        with pytest.raises(ServiceUnavailable, match=r"no next token within 0\.2 s"):
            await reply(engine, turn("hello"))


async def test_nobody_there() -> None:
    engine = VllmEngine(LlmSettings(url="http://127.0.0.1:9/v1", model="m", first_token_s=1.0), embedder())
    with pytest.raises(ServiceUnavailable, match="PARLEY_LLM_URL"):
        await reply(engine, turn("hello"))
    await engine.close()


async def test_history_is_cut_by_the_servers_own_count() -> None:
    talk = [f"{'word ' * 100}{i}" for i in range(9)]
    async with serving(output_tokens=50, context_tokens=1000) as (server, engine):
        server.script = [server.says("Yes.")]
        server.tokenize = {"max_model_len": 1200}
        await reply(engine, turn(*talk))
    sent = server.requests[0]["messages"]
    assert server.counted >= 1
    assert sum(len(m["content"].split()) for m in sent) <= 1150
    assert sent[-1]["content"].endswith(talk[-1])
    assert sent[1]["role"] == "user"
    assert 3 < len(sent) < 10


async def test_history_is_cut_by_a_safe_estimate_where_the_server_does_not_count() -> None:
    talk = [f"{'word ' * 100}{i}" for i in range(9)]
    async with serving(output_tokens=50, context_tokens=2000) as (server, engine):
        server.script = [server.says("Yes."), server.says("Yes.")]
        await reply(engine, turn(*talk))
        await reply(engine, turn(*talk))
    sent = server.requests[0]["messages"]
    assert sum(len(m["content"]) for m in sent) / 2 <= 1950
    assert sent[-1]["content"].endswith(talk[-1])
    assert server.counted == 1


async def test_a_take_over_is_told_what_was_said() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("is above", " the pole.")]
        rest = await reply(engine, turn("where is it"), spoken="The star")
    assert rest == " is above the pole."
    assert server.requests[0]["messages"][-2] == {"role": "assistant", "content": "The star"}


def test_no_server_set_names_the_fix() -> None:
    with pytest.raises(EngineUnavailable, match="PARLEY_LLM_URL"):
        load("vllm", LlmSettings())
    with pytest.raises(EngineUnavailable, match=r"notes, vllm, .*fake|notes, vllm, fake"):
        load("nonesuch", LlmSettings())


@asynccontextmanager
async def claimed(work: pb.Turn) -> AsyncIterator[tuple[MemoryChain, Claim]]:
    chain = MemoryChain()
    await chain.start()
    await chain.open_session("s")
    work.trace.CopyFrom(pb.Trace(session="s", generation=1, turn="resp_1"))
    await chain.submit(work)
    async with asyncio.timeout(5), aclosing(chain.claims(Stage.LLM, consumer="w", capacity=1)) as claims:  # type: ignore[type-var]
        claim = await anext(claims)
    yield chain, claim
    await chain.close()


async def texts(claim: Claim) -> list[pb.TextPiece]:
    """What was published, without signs of life."""
    pieces = [entry.piece for entry in await claim.published() if isinstance(entry.piece, pb.TextPiece)]
    return [piece for piece in pieces if piece.text or piece.last]


@pytest.mark.parametrize("begun", [True, False])
async def test_a_flush_aborts_the_request_at_the_server(begun: bool) -> None:
    async with serving() as (server, engine), claimed(turn("hello")) as (chain, claim):
        server.script = [server.says(*(["Well, yes. "] if begun else []), then="hang")]
        handling = asyncio.create_task(Worker(engine, AVATARS).handle(claim))
        async with asyncio.timeout(10):
            while not (server.requests and (await claim.published() or not begun)):
                await asyncio.sleep(0.005)
        assert not server.aborted.is_set()
        await chain.flush("s", 2)
        async with asyncio.timeout(5):
            with pytest.raises(StaleGeneration):
                await handling
            await server.aborted.wait()


async def test_a_server_that_is_down_is_apologised_for_aloud_and_told_in_words() -> None:
    engine = VllmEngine(LlmSettings(url="http://127.0.0.1:9/v1", model="m", avatars_dir=AVATARS), embedder())
    async with claimed(turn("hello")) as (_, claim):
        await Worker(engine, AVATARS).handle(claim)
        (piece,) = await texts(claim)
    assert piece.text.startswith("I'm sorry") and piece.last
    assert piece.notice.code == "service_unavailable" and "PARLEY_LLM_URL" in piece.notice.message
    await engine.close()


async def test_a_server_that_breaks_off_is_apologised_for_after_what_was_said() -> None:
    async with serving() as (server, engine), claimed(turn("hello")) as (_, claim):
        server.script = [server.says("Well, yes. It stands abo", then="cut")]
        await Worker(engine, AVATARS).handle(claim)
        said = await texts(claim)
    assert said[0].text == "Well, yes." and not said[0].HasField("notice")
    assert said[-1].text.startswith(" I'm sorry") and said[-1].last
    assert "in the middle" in said[-1].notice.message


async def test_a_server_that_thinks_long_is_waited_for_with_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "SIGN_OF_LIFE_S", 0.02)
    async with serving() as (server, engine), claimed(turn("hello")) as (_, claim):
        server.script = [server.says("Well, yes.", pause_s=0.2)]
        await Worker(engine, AVATARS).handle(claim)
        (said,) = await texts(claim)
        pieces = await claim.published()
    assert (said.text, said.last) == ("Well, yes.", True)
    assert [entry.seq for entry in pieces] == list(range(1, len(pieces) + 1))
    assert len(pieces) >= 3 and pieces[-1].piece == said
