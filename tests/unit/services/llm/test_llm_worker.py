"""The worker on the in-memory chain: clauses, take-over, flush, greetings."""

import asyncio
from contextlib import aclosing

import pytest

from parley.chain.interface import Claim, Entry, Stage, Track
from parley.chain.memory import MemoryChain
from parley.errors import BadRequest, StaleGeneration
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.engines.fake import FakeEngine
from services.llm.replies import reply_pieces
from services.llm.worker import Worker

AVATARS = REPOSITORY / "avatars"
SCRIPT = ["Oh yes, that is it. And here is a second sentence. And here is the third one."]
CLAUSES = ["Oh yes,", " that is it.", " And here is a second sentence.", " And here is the third one."]


def turn(text: str = "hello", *, generation: int = 1, verbatim: str = "", want_audio: bool = True) -> pb.Turn:
    return pb.Turn(
        trace=pb.Trace(session="s", generation=generation, turn="resp_1"),
        avatar="mira",
        history=[pb.Message(role=pb.ROLE_USER, text=text)],
        want_audio=want_audio,
        verbatim=verbatim,
    )


async def claim_of(chain: MemoryChain, stage: Stage = Stage.LLM) -> Claim:
    async with asyncio.timeout(5), aclosing(chain.claims(stage, consumer="w", capacity=1)) as claims:  # type: ignore[type-var]
        return await anext(claims)


async def opened(work: pb.Turn) -> MemoryChain:
    chain = MemoryChain()
    await chain.start()
    await chain.open_session("s")
    await chain.submit(work)
    return chain


def said(entries: list[Entry]) -> list[str]:
    return [e.piece.text for e in entries if isinstance(e.piece, pb.TextPiece)]


async def test_clauses_go_out_in_order_and_the_voice_is_asked_at_once() -> None:
    chain = await opened(turn())
    claim = await claim_of(chain)
    await Worker(FakeEngine(SCRIPT), AVATARS).handle(claim)
    entries = await claim.published()
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert said(entries) == CLAUSES
    assert [e.piece.last for e in entries if e.piece] == [False, False, False, True]
    assert all(entry.track is Track.TEXT for entry in entries)
    voice = await claim_of(chain, Stage.TTS)
    assert voice.item.trace.turn == "resp_1"
    await chain.close()


async def test_a_greeting_is_said_word_for_word_and_no_model_is_asked() -> None:
    chain = await opened(turn(verbatim="Hello there, I'm Mira. Ask me about tea."))
    claim = await claim_of(chain)
    engine = FakeEngine(SCRIPT)
    await Worker(engine, AVATARS).handle(claim)
    assert "".join(said(await claim.published())) == "Hello there, I'm Mira. Ask me about tea."
    assert engine.words_made == 0
    await chain.close()


@pytest.mark.parametrize("done", [0, 1, 2, 3, 4])
async def test_a_take_over_says_the_rest_and_nothing_twice(done: int) -> None:
    chain = await opened(turn())
    claim = await claim_of(chain)
    for seq in range(1, done + 1):
        await claim.publish(seq, pb.TextPiece(text=CLAUSES[seq - 1], last=seq == 4))
    claim.taken_over = True
    engine = FakeEngine(SCRIPT)
    await Worker(engine, AVATARS).handle(claim)
    entries = await claim.published()
    assert said(entries) == CLAUSES
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert engine.words_made == len("".join(CLAUSES[done:]).split())
    await chain.close()


async def test_a_flush_stops_the_model() -> None:
    chain = await opened(turn())
    claim = await claim_of(chain)
    engine = FakeEngine(["A clause, " + "word " * 10_000], delay_s=0.001)
    handling = asyncio.create_task(Worker(engine, AVATARS).handle(claim))
    async with asyncio.timeout(10):
        while not await claim.published():
            await asyncio.sleep(0)
    await chain.flush("s", 2)
    async with asyncio.timeout(10):
        with pytest.raises(StaleGeneration):
            await handling
    made = engine.words_made
    await asyncio.sleep(0.01)
    assert engine.words_made == made < 10_000
    await chain.close()


async def test_an_unanswerable_turn_is_refused() -> None:
    with pytest.raises(BadRequest):
        _ = [piece async for piece in reply_pieces(FakeEngine(SCRIPT), pb.Turn(avatar="mira"))]


async def test_an_empty_reply_still_ends() -> None:
    pieces = [piece async for piece in reply_pieces(FakeEngine([""]), turn())]
    assert [(piece.text, piece.last) for piece in pieces] == [("", True)]
