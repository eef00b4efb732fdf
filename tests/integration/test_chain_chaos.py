"""Workers killed or stopped, a Redis that goes away: nothing lost, nothing twice, nothing silent."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.chain.interface import Claim, Entry, Stage, Track
from parley.chain.redis import RedisChain
from parley.errors import ChainUnavailable, StaleGeneration
from tests.chain_contract import SESSION, clause, gather, ids, take, turn, working
from tests.integration.conftest import RedisServer

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

PIECES = 20


@asynccontextmanager
async def worker(url: str, consumer: str, *, pause_ms: int = 30) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.chain_worker_process"),
        *(url, consumer, str(PIECES), str(pause_ms)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def says(process: asyncio.subprocess.Process) -> str:
    """The next line that a worker prints."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode().strip()


@pytest.fixture
async def chain(own_redis: RedisServer) -> AsyncIterator[RedisChain]:
    chain = RedisChain(own_redis.url)
    await chain.start()
    yield chain
    await chain.close()


async def until(entries: AsyncIterator[Entry], seq: int) -> list[Entry]:
    """Entries up to the one with that seq."""
    got: list[Entry] = []
    async with asyncio.timeout(20):
        while not got or got[-1].seq != seq:
            got.append(await anext(entries))
    return got


async def test_kill_9_in_the_middle_of_a_reply(own_redis: RedisServer, chain: RedisChain) -> None:
    entries = chain.subscribe(SESSION, [Track.TEXT])
    await chain.submit(turn())
    async with worker(own_redis.url, "first") as first, worker(own_redis.url, "second") as second:
        got = await until(entries, 5)
        # Either may have it; kill the one that does.
        told = {asyncio.create_task(says(each)): each for each in (first, second)}
        [told_first], others = await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        told[told_first].kill()
        got += await until(entries, PIECES)
        for other in others:
            assert await other == "claimed"
            assert await says(told[other]) == "finished"
    assert ids(got) == [(1, seq) for seq in range(1, PIECES + 1)]
    assert [entry.piece.text for entry in got] == [str(seq) for seq in range(1, PIECES + 1)]


async def test_a_worker_that_starts_later_takes_over(own_redis: RedisServer, chain: RedisChain) -> None:
    entries = chain.subscribe(SESSION, [Track.TEXT])
    await chain.submit(turn())
    async with worker(own_redis.url, "first") as first:
        got = await until(entries, 5)
        first.kill()
    async with worker(own_redis.url, "second"):
        got += await until(entries, PIECES)
    assert ids(got) == [(1, seq) for seq in range(1, PIECES + 1)]


async def test_a_zombie_is_refused(own_redis: RedisServer, chain: RedisChain) -> None:
    entries = chain.subscribe(SESSION, [Track.TEXT])
    await chain.submit(turn())
    async with worker(own_redis.url, "zombie", pause_ms=50) as zombie:
        got = await until(entries, 5)
        assert await says(zombie) == "claimed"
        zombie.send_signal(signal.SIGSTOP)
        async with worker(own_redis.url, "heir") as heir:
            assert await says(heir) == "claimed"
            got += await until(entries, 10)
            zombie.send_signal(signal.SIGCONT)  # in the middle of the heir's work
            assert await says(zombie) == "lost_claim"
            got += await until(entries, PIECES)
            assert await says(heir) == "finished"
    assert ids(got) == [(1, seq) for seq in range(1, PIECES + 1)]


async def test_the_first_turn_after_a_redis_restart_works(own_redis: RedisServer, chain: RedisChain) -> None:
    ended: list[str] = []

    async def llm(claim: Claim) -> None:
        try:
            await claim.publish(1, clause("begun"))
            if claim.item.trace.generation == 1:
                await claim.wait_for_credit(960_000, ahead_samples=0)
            await claim.publish(2, clause("done", last=True))
        except (ChainUnavailable, StaleGeneration) as error:
            ended.append(error.code)
            raise

    async with working(chain, Stage.LLM, llm):
        entries = chain.subscribe(SESSION, list(Track))
        await chain.submit(turn(1))
        await gather(entries, 1)
        own_redis.stop()
        with pytest.raises(ChainUnavailable, match="Fix:"):
            await gather(entries, 1)
        with pytest.raises(ChainUnavailable):
            await chain.submit(turn(2))
        async with asyncio.timeout(5):
            while not ended:
                await asyncio.sleep(0.01)
        assert not chain.available
        own_redis.start()
        entries = await _subscribed(chain)
        await chain.submit(turn(2))
        assert ids(await gather(entries, 2)) == [(2, 1), (2, 2)]
    assert ended == ["chain_unavailable"] and chain.available


async def _subscribed(chain: RedisChain) -> AsyncIterator[Entry]:
    """A subscription that holds: until the reader has reconnected, new ones are told that Redis is away."""
    async with asyncio.timeout(10):
        while not chain.available:
            await asyncio.sleep(0.02)
    return chain.subscribe(SESSION, [Track.TEXT])


async def test_a_redis_that_lost_its_data_ends_what_ran(own_redis: RedisServer, chain: RedisChain) -> None:
    await chain.submit(turn(1))
    claim = await take(chain, Stage.LLM)
    own_redis.stop()
    own_redis.start()
    async with asyncio.timeout(5):
        await claim.stale.wait()
    with pytest.raises((StaleGeneration, ChainUnavailable)):
        await claim.publish(1, clause("x"))
    async with asyncio.timeout(10):
        while not chain.available:
            await asyncio.sleep(0.02)
    await chain.submit(turn(2))
    assert (await take(chain, Stage.LLM, "b")).item.trace.generation == 2
