"""The chain's door, over the chain in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parley.chain.interface import Claim, Entry, Stage, Track
from parley.chain.memory import MemoryChain
from parley.engines import SpeechChunk
from parley.errors import ServiceUnavailable, StaleGeneration
from proto.parley.v1 import chain_pb2 as pb
from services.tts.engines.fake import FakeEngine
from services.tts.voices import Casting
from services.tts.worker import Worker

MANIFEST = "title: Ann\ndescription: Somebody.\nvoice: {engine: fake, voice: low}\n"
SESSION = "sess_1"
LONG = " This is a long sentence of many words that takes its time."
AHEAD = 48_000


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def make_worker(tmp_path: Path, executor: ThreadPoolExecutor) -> Callable[..., Worker]:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "avatar.yaml").write_text(MANIFEST, encoding="utf-8")
    return lambda engine=None: Worker(Casting(engine or FakeEngine(), tmp_path), executor)


@pytest.fixture
async def chain() -> AsyncIterator[MemoryChain]:
    memory = MemoryChain()
    await memory.start()
    await memory.open_session(SESSION)
    yield memory
    await memory.close()


async def take(chain: MemoryChain, stage: Stage, consumer: str = "a") -> Claim:
    claims = chain.claims(stage, consumer=consumer, capacity=4)
    async with asyncio.timeout(5):
        claim = await anext(claims)
    await claims.aclose()  # type: ignore[attr-defined]
    return claim


async def ask(chain: MemoryChain, *, codec: str = "h264") -> tuple[Claim, Claim]:
    """A turn of which llm has just begun to work; the claims of llm and tts."""
    await chain.submit(
        pb.Turn(
            trace=pb.Trace(session=SESSION, generation=1, turn="resp_1"),
            avatar="ann",
            want_audio=True,
            video=pb.VideoFormat(codec=codec, width=256, height=256, fps=25),
        )
    )
    llm = await take(chain, Stage.LLM)
    await llm.hand_on()
    return llm, await take(chain, Stage.TTS)


def speech(entries: list[Entry]) -> list[bytes]:
    """The pieces without the time at which they were made."""
    plain = []
    for entry in entries:
        assert isinstance(entry.piece, pb.SpeechPiece)
        copy = pb.SpeechPiece()
        copy.CopyFrom(entry.piece)
        copy.created_unix_ms = 0
        plain.append(copy.SerializeToString(deterministic=True))
    return plain


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.005)


async def test_speech_starts_before_the_text_is_complete(
    chain: MemoryChain, make_worker: Callable[..., Worker]
) -> None:
    llm, tts = await ask(chain)
    audio = chain.subscribe(SESSION, [Track.AUDIO])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(make_worker().handle(tts))
        await llm.publish(1, pb.TextPiece(text="Hello,"))
        async with asyncio.timeout(5):
            first = await anext(audio)
        assert isinstance(first.piece, pb.SpeechPiece)
        assert (first.seq, first.piece.pts_samples, first.piece.clause) == (1, 0, 1)
        assert not task.done()
        await llm.publish(2, pb.TextPiece(text=" there.", last=True))
    entries = await tts.published()
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [e.piece.last for e in entries if isinstance(e.piece, pb.SpeechPiece)].index(True) == len(
        entries
    ) - 1


@pytest.mark.parametrize(("codec", "asked"), [("h264", True), ("", False)])
async def test_the_face_is_asked_only_if_it_is_wanted(
    chain: MemoryChain, make_worker: Callable[..., Worker], codec: str, asked: bool
) -> None:
    llm, tts = await ask(chain, codec=codec)
    await llm.publish(1, pb.TextPiece(text="Hello.", last=True))
    await make_worker().handle(tts)
    if asked:
        assert (await take(chain, Stage.SDA)).item.trace.session == SESSION
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(chain.claims(Stage.SDA, consumer="b", capacity=1))


async def test_at_most_two_seconds_ahead_of_the_client(
    chain: MemoryChain, make_worker: Callable[..., Worker]
) -> None:
    llm, tts = await ask(chain)
    await llm.publish(1, pb.TextPiece(text=LONG * 3, last=True))

    async def sent() -> int:
        return max(
            (e.piece.pts_samples for e in await tts.published() if isinstance(e.piece, pb.SpeechPiece)),
            default=0,
        )

    async def at_the_limit(played: int) -> bool:
        return await sent() >= played + AHEAD - 4800

    async with asyncio.TaskGroup() as group:
        task = group.create_task(make_worker().handle(tts))
        await until(lambda: at_the_limit(0))
        assert await sent() <= AHEAD
        assert not task.done()
        await chain.report_played(SESSION, 1, 24_000)
        await until(lambda: at_the_limit(24_000))
        assert await sent() <= 24_000 + AHEAD
        await chain.report_played(SESSION, 1, 1 << 30)


async def test_a_take_over_repeats_the_same_pieces(
    chain: MemoryChain, make_worker: Callable[..., Worker]
) -> None:
    texts = ["Well,", " I think so.", LONG, " Do you?"]
    llm, tts = await ask(chain)
    for seq, text in enumerate(texts, 1):
        await llm.publish(seq, pb.TextPiece(text=text, last=seq == len(texts)))

    class Interrupted(Exception):
        """The worker dies here."""

    class Dying:
        """A claim whose worker dies after some pieces."""

        def __init__(self, claim: Claim) -> None:
            self.claim = claim

        def __getattr__(self, name: str) -> object:
            return getattr(self.claim, name)

        async def publish(self, seq: int, piece: pb.SpeechPiece) -> bool:
            if seq == 4:
                raise Interrupted
            return await self.claim.publish(seq, piece)

    with pytest.raises(Interrupted):
        await make_worker().handle(Dying(tts))  # type: ignore[arg-type]
    before = speech(await tts.published())
    assert len(before) == 3
    await chain.release(tts)
    again = await take(chain, Stage.TTS, "b")
    assert again.taken_over
    await chain.report_played(SESSION, 1, 1 << 30)
    await make_worker().handle(again)
    entries = await again.published()
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert speech(entries)[:3] == before

    # An undisturbed worker says the very same.
    other = MemoryChain()
    await other.start()
    await other.open_session(SESSION)
    llm, tts = await ask(other)
    for seq, text in enumerate(texts, 1):
        await llm.publish(seq, pb.TextPiece(text=text, last=seq == len(texts)))
    await other.report_played(SESSION, 1, 1 << 30)
    await make_worker().handle(tts)
    assert speech(await tts.published()) == speech(entries)
    await other.close()


async def test_a_flush_stops_it(chain: MemoryChain, make_worker: Callable[..., Worker]) -> None:
    llm, tts = await ask(chain)
    await llm.publish(1, pb.TextPiece(text="Hello,"))
    task = asyncio.create_task(make_worker().handle(tts))

    async def began() -> bool:
        return bool(await tts.published())

    await until(began)
    await chain.flush(SESSION, 2)
    async with asyncio.timeout(5):
        with pytest.raises(StaleGeneration):
            await task


async def test_broken_text_ends_the_speech_quietly(
    chain: MemoryChain, make_worker: Callable[..., Worker]
) -> None:
    llm, tts = await ask(chain)
    await llm.publish(1, pb.TextPiece(text="Hello,"))
    await llm.publish(2, pb.TextPiece(error=pb.StageError(stage="llm", code="boom", message="It broke.")))
    await make_worker().handle(tts)
    pieces = [entry.piece for entry in await tts.published()]
    assert isinstance(pieces[-1], pb.SpeechPiece)
    assert pieces[-1].last
    assert not pieces[-1].HasField("error")


async def test_a_failing_engine_is_the_workers_failure(
    chain: MemoryChain, make_worker: Callable[..., Worker]
) -> None:
    class Broken(FakeEngine):
        def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
            if clause == "fail":
                raise ServiceUnavailable("The synthesiser is gone.")
            return super().synthesize(clause, voice=voice, speed=speed)

    llm, tts = await ask(chain)
    await llm.publish(1, pb.TextPiece(text="fail", last=True))
    with pytest.raises(ServiceUnavailable, match="is gone"):
        await make_worker(Broken()).handle(tts)
