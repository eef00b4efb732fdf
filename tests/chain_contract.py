"""What every carrier of the chain must do; the same tests run over memory and over Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.chain.interface import Chain, Claim, Entry, Stage, Track
from parley.chain.worker import run_worker
from parley.errors import BadRequest, ChainUnavailable, LostClaim, StaleGeneration
from proto.parley.v1 import chain_pb2 as pb

SESSION = "sess_1"


def turn(generation: int = 1, *, session: str = SESSION, deadline_unix_ms: int = 0) -> pb.Turn:
    """A work item for llm."""
    return pb.Turn(
        trace=pb.Trace(session=session, generation=generation, turn=f"resp_{generation}"),
        avatar="mira",
        video=pb.VideoFormat(codec="h264", width=256, height=256, fps=25),
        deadline_unix_ms=deadline_unix_ms,
    )


def clause(text: str, *, last: bool = False) -> pb.TextPiece:
    """A piece of text."""
    return pb.TextPiece(text=text, last=last)


async def take(chain: Chain, stage: Stage, consumer: str = "a", *, capacity: int = 4) -> Claim:
    """The next item of a stage; the claim stays owned."""
    claims = chain.claims(stage, consumer=consumer, capacity=capacity)
    async with asyncio.timeout(5):
        claim = await anext(claims)
    await claims.aclose()  # type: ignore[attr-defined]
    return claim


async def gather(entries: AsyncIterator[Entry], count: int) -> list[Entry]:
    """The next `count` entries."""
    async with asyncio.timeout(5):
        return [await anext(entries) for _ in range(count)]


def ids(entries: list[Entry]) -> list[tuple[int, int]]:
    """Generation and seq of each."""
    return [(entry.generation, entry.seq) for entry in entries]


@asynccontextmanager
async def working(chain: Chain, stage: Stage, handle, **options) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that runs inside the block."""
    options = {"consumer": f"{stage}-1", "capacity": 4, "drain_s": 0.2, **options}
    task = asyncio.create_task(run_worker(chain, stage, handle, **options))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


class ChainContract:
    """Subclasses give the fixture `chain`: started, with nothing in it."""

    async def test_a_reply_flows_through_all_stages_in_order(self, chain: Chain) -> None:
        async def llm(claim: Claim) -> None:
            await claim.hand_on()
            for seq in (1, 2, 3):
                await claim.publish(seq, clause(f"c{seq}", last=seq == 3))

        async def tts(claim: Claim) -> None:
            await claim.hand_on()
            async for entry in claim.upstream():
                await claim.publish(entry.seq, pb.SpeechPiece(pcm=b"ab", last=entry.piece.last))

        async def sda(claim: Claim) -> None:
            async for entry in claim.upstream():
                await claim.publish(entry.seq, pb.VideoPiece(codec="h264", last=entry.piece.last))

        await chain.open_session(SESSION)
        entries = chain.subscribe(SESSION, list(Track))
        async with (
            working(chain, Stage.LLM, llm),
            working(chain, Stage.TTS, tts),
            working(chain, Stage.SDA, sda),
        ):
            await chain.submit(turn())
            got = await gather(entries, 9)
        for track in Track:
            assert ids([entry for entry in got if entry.track is track]) == [(1, 1), (1, 2), (1, 3)]
        assert [e.piece.text for e in got if e.track is Track.TEXT] == ["c1", "c2", "c3"]
        assert all(entry.piece.created_unix_ms for entry in got)

    async def test_the_item_carries_what_the_next_stage_needs(self, chain: Chain) -> None:
        await chain.submit(turn(deadline_unix_ms=2**62))
        llm = await take(chain, Stage.LLM)
        assert llm.item == turn(deadline_unix_ms=2**62) and not llm.taken_over
        await llm.hand_on()
        await llm.hand_on()
        tts = await take(chain, Stage.TTS)
        assert tts.item.trace == llm.item.trace and tts.item.avatar == "mira"
        assert tts.item.video.codec == "h264" and tts.item.deadline_unix_ms == 2**62
        with pytest.raises(TimeoutError):  # handed on once, however often it was called
            async with asyncio.timeout(0.1):
                await anext(chain.claims(Stage.TTS, consumer="b", capacity=1))

    async def test_a_repeat_is_refused(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn())
        claim = await take(chain, Stage.LLM)
        assert await claim.publish(1, clause("a")) is True
        assert await claim.publish(1, clause("again")) is False
        assert await claim.publish(3, clause("c")) is True
        assert await claim.publish(2, clause("late")) is False
        assert ids(await gather(entries, 2)) == [(1, 1), (1, 3)]
        assert [(e.seq, e.piece.text) for e in await claim.published()] == [(1, "a"), (3, "c")]

    async def test_a_flush_refuses_late_writes_and_reaches_every_track(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, list(Track))
        await chain.submit(turn())
        claim = await take(chain, Stage.LLM)
        await claim.publish(1, clause("a"))
        await chain.flush(SESSION, 2)
        got = await gather(entries, 4)
        assert {(e.track, e.generation, e.seq) for e in got if e.piece is None} == {(t, 2, 0) for t in Track}
        async with asyncio.timeout(2):
            await claim.stale.wait()
        for call in (claim.publish(2, clause("b")), claim.hand_on(), claim.published()):
            with pytest.raises(StaleGeneration):
                await call
        await chain.done(claim)

    async def test_stale_is_heard_while_waiting(self, chain: Chain) -> None:
        await chain.submit(turn())
        llm = await take(chain, Stage.LLM)
        await llm.hand_on()
        tts = await take(chain, Stage.TTS)

        async def read() -> None:
            async for _ in tts.upstream():
                pass

        reading = asyncio.create_task(read())
        waiting = asyncio.create_task(llm.wait_for_credit(48_000, ahead_samples=24_000))
        await asyncio.sleep(0.02)
        await chain.flush(SESSION, 2)
        for task in (reading, waiting):
            with pytest.raises(StaleGeneration):
                await asyncio.wait_for(task, 2)

    async def test_the_next_generation_starts_clean(self, chain: Chain) -> None:
        await chain.submit(turn(1))
        first = await take(chain, Stage.LLM)
        await first.publish(1, clause("old"))
        await chain.report_played(SESSION, 1, 5_000)
        await chain.flush(SESSION, 2)
        await chain.done(first)
        await chain.submit(turn(2))
        second = await take(chain, Stage.LLM)
        assert second.item.trace.generation == 2 and second.played_samples() == 0
        await second.hand_on()
        await second.publish(1, clause("new", last=True))
        tts = await take(chain, Stage.TTS)
        assert [entry.piece.text async for entry in tts.upstream()] == ["new"]

    async def test_submitting_again_changes_nothing(self, chain: Chain) -> None:
        await chain.submit(turn(3))
        await chain.submit(turn(3))
        with pytest.raises(StaleGeneration):
            await chain.submit(turn(2))
        await take(chain, Stage.LLM)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(chain.claims(Stage.LLM, consumer="b", capacity=1))

    async def test_a_flushed_turn_is_not_worked_on(self, chain: Chain) -> None:
        await chain.submit(turn(1))
        await chain.flush(SESSION, 2)
        await chain.submit(turn(2))
        assert (await take(chain, Stage.LLM)).item.trace.generation == 2

    async def test_an_old_flush_does_nothing(self, chain: Chain) -> None:
        await chain.submit(turn(5))
        claim = await take(chain, Stage.LLM)
        await chain.flush(SESSION, 4)
        assert await claim.publish(1, clause("still here")) is True

    async def test_a_subscription_starts_at_the_call(self, chain: Chain) -> None:
        await chain.submit(turn())
        claim = await take(chain, Stage.LLM)
        await claim.publish(1, clause("before"))
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.report_played(SESSION, 1, 1)
        await chain.flush(SESSION, 2)
        got = await gather(entries, 1)
        assert ids(got) == [(2, 0)]

    async def test_upstream_gives_what_came_before(self, chain: Chain) -> None:
        await chain.submit(turn())
        llm = await take(chain, Stage.LLM)
        await llm.hand_on()
        for seq in range(1, 301):
            await llm.publish(seq, clause(str(seq), last=seq == 300))
        tts = await take(chain, Stage.TTS)
        async with asyncio.timeout(10):
            assert [e.seq async for e in tts.upstream()] == list(range(1, 301))

    async def test_upstream_ends_after_an_error(self, chain: Chain) -> None:
        await chain.submit(turn())
        llm = await take(chain, Stage.LLM)
        await llm.hand_on()
        await llm.publish(1, pb.TextPiece(error=pb.StageError(stage="llm", code="x", message="m")))
        tts = await take(chain, Stage.TTS)
        async with asyncio.timeout(5):
            assert [e.piece.error.code async for e in tts.upstream()] == ["x"]

    async def test_credit(self, chain: Chain) -> None:
        await chain.submit(turn())
        claim = await take(chain, Stage.LLM)
        await asyncio.wait_for(claim.wait_for_credit(48_000, ahead_samples=48_000), 1)
        waiting = asyncio.create_task(claim.wait_for_credit(60_000, ahead_samples=48_000))
        await chain.report_played(SESSION, 1, 11_999)
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await chain.report_played(SESSION, 1, 12_000)
        await asyncio.wait_for(waiting, 2)
        await chain.report_played(SESSION, 1, 9_000)  # playback never runs backwards
        await chain.report_played(SESSION, 2, 90_000)  # nor for a generation that is not current
        await asyncio.sleep(0.05)
        assert claim.played_samples() == 12_000

    async def test_capacity_bounds_what_is_taken(self, chain: Chain) -> None:
        for number in range(3):
            await chain.submit(turn(session=f"s{number}"))
        claims = chain.claims(Stage.LLM, consumer="a", capacity=2)
        async with asyncio.timeout(5):
            held = [await anext(claims), await anext(claims)]
        third = asyncio.ensure_future(anext(claims))
        await asyncio.sleep(0.1)
        assert not third.done()
        await chain.done(held[0])
        claim = await asyncio.wait_for(third, 5)
        assert claim.item.trace.session == "s2"

    async def test_a_released_item_is_taken_over_and_the_first_owner_refused(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn())
        first = await take(chain, Stage.LLM, "a")
        await first.publish(1, clause("one"))
        await chain.release(first)
        second = await take(chain, Stage.LLM, "b")
        assert second.taken_over and first.stale.is_set()
        assert [(e.seq, e.piece.text) for e in await second.published()] == [(1, "one")]
        with pytest.raises(LostClaim):
            await first.publish(2, clause("from the dead"))
        await chain.done(first)  # must not end the item under its new owner
        assert await second.publish(1, clause("one")) is False
        assert await second.publish(2, clause("two", last=True)) is True
        await chain.done(second)
        assert [e.piece.text for e in await gather(entries, 2)] == ["one", "two"]

    async def test_nothing_is_published_after_done(self, chain: Chain) -> None:
        await chain.submit(turn())
        claim = await take(chain, Stage.LLM)
        await chain.done(claim)
        with pytest.raises(LostClaim):
            await claim.publish(1, clause("late"))

    async def test_too_late_ends_visibly(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn(deadline_unix_ms=time.time_ns() // 1_000_000 - 1_000))
        await chain.submit(turn(session="other"))
        claim = await take(chain, Stage.LLM)
        assert claim.item.trace.session == "other"
        [entry] = await gather(entries, 1)
        assert (entry.seq, entry.piece.error.code, entry.piece.error.stage) == (1, "too_late", "llm")

    async def test_a_reply_that_has_begun_is_never_too_late(self, chain: Chain) -> None:
        await chain.submit(turn(deadline_unix_ms=time.time_ns() // 1_000_000 + 300))
        first = await take(chain, Stage.LLM)
        await first.publish(1, clause("one"))
        await asyncio.sleep(0.31)
        await chain.release(first)
        assert (await take(chain, Stage.LLM, "b")).taken_over

    async def test_an_item_that_kills_every_worker_ends_visibly(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn())
        for number in range(3):
            await chain.release(await take(chain, Stage.LLM, f"w{number}"))
        claims = chain.claims(Stage.LLM, consumer="last", capacity=1)
        taking = asyncio.ensure_future(anext(claims))
        [entry] = await gather(entries, 1)
        assert entry.piece.error.code == "worker_crashed"
        taking.cancel()
        await asyncio.wait([taking])

    async def test_closing_a_session_stops_its_workers(self, chain: Chain) -> None:
        await chain.open_session(SESSION)
        await chain.submit(turn())
        claim = await take(chain, Stage.LLM)
        await chain.close_session(SESSION)
        async with asyncio.timeout(2):
            await claim.stale.wait()
        with pytest.raises(StaleGeneration):
            await claim.publish(1, clause("x"))
        await chain.done(claim)
        await chain.close_session(SESSION)

    async def test_closing_the_chain_tells_its_readers(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn())
        reading = asyncio.ensure_future(anext(entries))
        await asyncio.sleep(0.02)
        await chain.close()
        with pytest.raises(ChainUnavailable):
            await asyncio.wait_for(reading, 2)
        with pytest.raises(ChainUnavailable):
            await chain.submit(turn(2))

    async def test_failures_of_a_worker_end_visibly(self, chain: Chain) -> None:
        entries = chain.subscribe("bad", [Track.TEXT])
        worse = chain.subscribe("worse", [Track.TEXT])

        async def llm(claim: Claim) -> None:
            await claim.publish(1, clause("one"))
            if claim.item.trace.session == "bad":
                raise BadRequest("No such thing.", fix="Ask for another.")
            raise ZeroDivisionError

        async with working(chain, Stage.LLM, llm):
            await chain.submit(turn(session="bad"))
            await chain.submit(turn(session="worse"))
            bad = (await gather(entries, 2))[1]
            internal = (await gather(worse, 2))[1]
        assert (bad.seq, bad.piece.error.code) == (2, "invalid_request")
        assert bad.piece.error.message == "No such thing. Fix: Ask for another."
        assert (internal.seq, internal.piece.error.code) == (2, "internal_error")

    async def test_a_worker_finishes_what_it_has_when_stopped(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        begun, go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def llm(claim: Claim) -> None:
            begun.set()
            await go_on.wait()
            await claim.publish(1, clause("done", last=True))

        async with working(chain, Stage.LLM, llm, drain_s=5, stop=stop) as task:
            await chain.submit(turn())
            await asyncio.wait_for(begun.wait(), 5)
            stop.set()
            await asyncio.sleep(0.02)
            assert not task.done()
            go_on.set()
            await asyncio.wait_for(task, 5)
        assert (await gather(entries, 1))[0].piece.last

    async def test_what_a_stopped_worker_cannot_finish_goes_to_another(self, chain: Chain) -> None:
        entries = chain.subscribe(SESSION, [Track.TEXT])
        begun = asyncio.Event()

        async def hang(claim: Claim) -> None:
            await claim.publish(1, clause("one"))
            begun.set()
            await asyncio.Event().wait()

        async def llm(claim: Claim) -> None:
            done = len(await claim.published())
            await claim.publish(done + 1, clause("two", last=True))

        async with working(chain, Stage.LLM, hang, consumer="first"):
            await chain.submit(turn())
            await asyncio.wait_for(begun.wait(), 5)
        async with working(chain, Stage.LLM, llm, consumer="second"):
            assert [e.piece.text for e in await gather(entries, 2)] == ["one", "two"]

    async def test_a_hint_reaches_one_listener_and_the_others_only_learn_of_it(self, chain: Chain) -> None:
        hint = pb.Turn(
            trace=pb.Trace(session=SESSION), history=[pb.Message(text="what is")], created_unix_ms=1
        )
        assert not await chain.foresee(hint), "nobody listens"
        got: list[pb.Turn] = []

        async def listen() -> None:
            async for turn in chain.foreseen():
                got.append(turn)

        async with asyncio.timeout(20):
            listeners = [asyncio.create_task(listen()) for _ in range(2)]
            while len(got) < 2:
                hint.created_unix_ms += 1
                got.clear()
                await chain.foresee(hint)
                await asyncio.sleep(0.1)
        assert sorted(len(turn.history) for turn in got) == [0, 1]
        assert {turn.trace.session for turn in got} == {SESSION}
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
