"""The chain over a real Redis keeps the contract, and leaves nothing behind."""

import asyncio
import resource
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from parley.chain.bench import hop_latency
from parley.chain.interface import Chain, Stage, Track
from parley.chain.redis import RedisChain
from parley.chain.work import WorkSource
from parley.errors import ChainUnavailable, ConfigError, LostClaim
from tests.chain_contract import SESSION, ChainContract, clause, gather, ids, take, turn

pytestmark = pytest.mark.integration


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def chain(redis_url: str, redis: Redis) -> AsyncIterator[RedisChain]:
    chain = RedisChain(redis_url)
    await chain.start()
    yield chain
    await chain.close()


class TestRedisChain(ChainContract):
    pass


async def test_every_key_of_a_session_expires(chain: RedisChain, redis: Redis) -> None:
    await chain.open_session(SESSION)
    await chain.submit(turn())
    claim = await take(chain, Stage.LLM)
    await claim.publish(1, clause("a"))
    await chain.report_played(SESSION, 1, 100)
    await chain.flush(SESSION, 2)
    await chain.done(claim)
    lasting = {key async for key in redis.scan_iter() if await redis.ttl(key) < 0}
    assert lasting == {b"turns"}
    assert await redis.xlen("turns") == 0


async def test_done_items_are_deleted_and_a_closed_session_leaves_nothing(
    chain: RedisChain, redis: Redis
) -> None:
    await chain.open_session(SESSION)
    await chain.submit(turn())
    claim = await take(chain, Stage.LLM)
    await claim.publish(1, clause("a", last=True))
    await chain.done(claim)
    await chain.close_session(SESSION)
    left = {key.decode() async for key in redis.scan_iter() if not key.startswith(b"wake:")}
    assert left <= {"turns", f"ctl:{SESSION}"}
    assert await redis.ttl(f"ctl:{SESSION}") <= 5
    assert await redis.xlen("turns") == 0
    assert (await redis.xpending("turns", "llm"))["pending"] == 0


async def test_a_flush_frees_the_old_generation(chain: RedisChain, redis: Redis) -> None:
    await chain.submit(turn())
    claim = await take(chain, Stage.LLM)
    for seq in range(1, 200):
        await claim.publish(seq, clause("x" * 1000))
    await chain.flush(SESSION, 2)
    assert [entry_id for entry_id, _ in await redis.xrange(f"out:{SESSION}:text")] == [b"2-0"]


async def test_a_silent_worker_loses_its_item(redis_url: str, chain: RedisChain) -> None:
    dying = RedisChain(redis_url)
    entries = chain.subscribe(SESSION, [Track.TEXT])
    await chain.submit(turn())
    first = await take(dying, Stage.LLM, "a")
    await first.publish(1, clause("one"))
    await dying.close()  # no more heartbeats, and nothing given back
    second = await take(chain, Stage.LLM, "b")
    assert second.taken_over
    assert await second.publish(1, clause("one")) is False
    assert await second.publish(2, clause("two")) is True
    assert ids(await gather(entries, 2)) == [(1, 1), (1, 2)]


async def test_a_living_worker_keeps_its_item(redis_url: str, chain: RedisChain) -> None:
    other = RedisChain(redis_url, take_over_s=0.4, heartbeat_s=0.1)
    alive = RedisChain(redis_url, take_over_s=0.4, heartbeat_s=0.1)
    await chain.submit(turn())
    claim = await take(alive, Stage.LLM, "a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.2):
            await anext(other.claims(Stage.LLM, consumer="b", capacity=1))
    assert await claim.publish(1, clause("mine")) is True
    await alive.close()
    await other.close()


async def test_a_worker_that_was_stalled_learns_that_it_lost_its_item(
    redis_url: str, chain: RedisChain
) -> None:
    stalled = RedisChain(redis_url, heartbeat_s=0.05)
    await chain.submit(turn())
    first = await take(stalled, Stage.LLM, "a")
    thief = RedisChain(redis_url, take_over_s=0.0)
    second = await take(thief, Stage.LLM, "b")
    async with asyncio.timeout(2):
        await first.stale.wait()
    with pytest.raises(LostClaim):
        await first.publish(1, clause("x"))
    assert await second.publish(1, clause("x")) is True
    await stalled.close()
    await thief.close()


async def test_two_workers_share_the_items(redis_url: str, chain: RedisChain) -> None:
    other = RedisChain(redis_url)
    ours = chain.claims(Stage.LLM, consumer="a", capacity=10)
    theirs = other.claims(Stage.LLM, consumer="b", capacity=10)
    seen: list[str] = []

    async def collect(claims, via: Chain) -> None:
        async for claim in claims:
            seen.append(claim.item.trace.session)
            await via.done(claim)

    tasks = [asyncio.create_task(collect(ours, chain)), asyncio.create_task(collect(theirs, other))]
    names = [f"s{number}" for number in range(40)]
    for name in names:
        await chain.submit(turn(session=name))
    async with asyncio.timeout(5):
        while len(seen) < len(names):
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert sorted(seen) == sorted(names)
    await other.close()


async def test_names_of_dead_workers_are_forgotten_but_not_their_items(
    redis_url: str, chain: RedisChain, redis: Redis
) -> None:
    await chain.submit(turn())
    await take(chain, Stage.LLM, "busy")
    source = WorkSource(redis_url, "turns", "llm", "idle", every_s=1, idle_ms=60_000)
    assert await source.fetch(1, held=set()) == []
    await asyncio.sleep(0.005)
    await source.forget(1)
    await source.close()
    assert [consumer["name"] for consumer in await redis.xinfo_consumers("turns", "llm")] == [b"busy"]


async def test_one_reader_serves_many_sessions(chain: RedisChain) -> None:
    names = [f"s{number}" for number in range(30)]
    readers = {name: chain.subscribe(name, [Track.TEXT, Track.AUDIO]) for name in names}
    for name in names:
        await chain.flush(name, 7)
    for entries in readers.values():
        assert {(e.track, e.generation) for e in await gather(entries, 2)} == {
            (Track.TEXT, 7),
            (Track.AUDIO, 7),
        }


async def test_cancelled_calls_do_not_mix_up_replies(chain: RedisChain) -> None:
    await chain.submit(turn())
    claim = await take(chain, Stage.LLM)
    for seq in range(1, 60):
        call = asyncio.create_task(claim.publish(seq, clause("x" * 5_000)))
        await asyncio.sleep(0 if seq % 2 else 0.0003)
        call.cancel()
        await asyncio.wait([call])
    assert await claim.publish(100, clause("end")) is True
    assert await claim.publish(100, clause("end")) is False
    published = await claim.published()
    assert published[-1].piece.text == "end" and sorted(ids(published)) == ids(published)


async def test_no_redis_is_told_with_the_fix() -> None:
    chain = RedisChain("redis://127.0.0.1:1/0")
    with pytest.raises(ChainUnavailable, match="PARLEY_REDIS_URL"):
        await chain.start()
    with pytest.raises(ChainUnavailable):
        await chain.submit(turn())
    entries = chain.subscribe(SESSION, [Track.TEXT])
    with pytest.raises(ChainUnavailable):
        await gather(entries, 1)
    assert not chain.available
    await chain.close()


async def test_a_password_is_not_shown() -> None:
    chain = RedisChain("redis://:hush@127.0.0.1:1/0")
    with pytest.raises(ChainUnavailable) as caught:
        await chain.start()
    assert "hush" not in str(caught.value)
    await chain.close()


def test_a_malformed_address_is_told() -> None:
    with pytest.raises(ConfigError):
        RedisChain("http://127.0.0.1")


async def test_an_idle_chain_costs_next_to_nothing(chain: RedisChain) -> None:
    entries = chain.subscribe(SESSION, list(Track))
    idle = asyncio.ensure_future(anext(chain.claims(Stage.LLM, consumer="a", capacity=1)))
    await asyncio.sleep(0.2)
    before = resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.sleep(2)
    after = resource.getrusage(resource.RUSAGE_SELF)
    idle.cancel()
    await asyncio.wait([idle])
    await entries.aclose()  # type: ignore[attr-defined]
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.1  # CPU seconds in 2 s: far above what it takes, far below a busy loop


async def test_hop_bench_counts_every_hop(redis_url: str) -> None:
    result = await hop_latency(redis_url, 30)
    assert result["n"] == 30 and 0 < result["median_ms"] <= result["p95_ms"] <= result["max_ms"]
