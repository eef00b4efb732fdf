"""Jobs over a real Redis: queued once, made once, taken over, cancelled, forgotten."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from parley.errors import ChainUnavailable, LostClaim, ServiceUnavailable, StaleGeneration
from parley.jobs import keys
from parley.jobs.board import MOST_JOBS, JobEnded, MakerAbilities, NameTaken, RedisBoard
from parley.jobs.claim import JobClaim, Jobs
from parley.jobs.job import Job, UnknownJob
from tests.integration.conftest import RedisServer

pytestmark = pytest.mark.integration


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
async def board(redis: Redis, redis_url: str) -> AsyncIterator[RedisBoard]:
    one = RedisBoard(redis_url)
    yield one
    await one.close()


@pytest.fixture
async def maker(redis: Redis, redis_url: str) -> AsyncIterator[Jobs]:
    one = Jobs(redis_url, "first")
    yield one
    await one.close()


@pytest.fixture
async def other(redis: Redis, redis_url: str) -> AsyncIterator[Jobs]:
    """A maker that takes everybody for dead at once."""
    one = Jobs(redis_url, "second", take_over_s=0.0)
    yield one
    await one.close()


async def taken(jobs: Jobs) -> JobClaim:
    async with asyncio.timeout(10):
        while True:
            if claim := await jobs.take():
                return claim


async def test_a_job_is_posted_made_and_watched(board: RedisBoard, maker: Jobs, redis: Redis) -> None:
    job = Job.new("ada")
    await board.post(job)
    assert await board.get(job.id) == job
    seen: list[tuple[str, str, float]] = []

    async def watch() -> None:
        async for state in board.watch(job.id):
            seen.append((state.status, state.step, state.progress))

    watching = asyncio.create_task(watch())
    claim = await taken(maker)
    assert (claim.job, claim.deliveries) == (job, 1)
    await claim.publish(status="running", step="face", progress=0.5)
    await claim.publish(status="succeeded", step="done", progress=1.0)
    await claim.done()
    await asyncio.wait_for(watching, 5)
    assert seen[-2:] == [("running", "face", 0.5), ("succeeded", "done", 1.0)]
    assert [state.status async for state in board.watch(job.id)] == ["succeeded"], "resumes with the present"
    assert await redis.xlen(keys.STREAM) == 0
    assert sorted(await redis.keys("*job:*")) == [f"job:{job.id}".encode(), f"job:{job.id}:states".encode()]
    for key in await redis.keys("*job:*"):
        assert 0 < await redis.ttl(key) <= keys.KEEP_S
    await board.post(Job.new("ada"))  # the name is free again


async def test_names_are_reserved_and_the_queue_is_bounded(board: RedisBoard) -> None:
    first = Job.new("ada")
    await board.post(first)
    await board.post(first)  # said again after a lost connection
    with pytest.raises(NameTaken, match="being made"):
        await board.post(Job.new("ada"))
    for number in range(MOST_JOBS - 1):
        await board.post(Job.new(f"ada-{number}"))
    with pytest.raises(ServiceUnavailable) as busy:
        await board.post(Job.new("bob"))
    assert busy.value.code == "maker_busy"


async def test_a_queued_job_is_cancelled_and_no_maker_gets_it(
    board: RedisBoard, maker: Jobs, redis: Redis
) -> None:
    job = Job.new("ada")
    await board.post(job)
    assert (await board.cancel(job.id)).status == "cancelled"
    with pytest.raises(JobEnded):
        await board.cancel(job.id)
    assert await maker.take() is None and await maker.take() is None  # the first makes the group
    assert await redis.xlen(keys.STREAM) == 0
    await board.post(Job.new("ada"))


async def test_a_running_job_is_cancelled_under_its_maker(
    board: RedisBoard, maker: Jobs, redis: Redis
) -> None:
    job = Job.new("ada")
    await board.post(job)
    claim = await taken(maker)
    await claim.publish(status="running", step="face", progress=0.5)
    cancelled = await board.cancel(job.id)
    assert (cancelled.status, cancelled.step, cancelled.progress) == ("cancelled", "face", 0.5)
    with pytest.raises(StaleGeneration):
        await claim.beat()
    assert claim.ended.is_set()
    with pytest.raises(StaleGeneration):
        await claim.publish(step="placing")
    await claim.done()
    assert await redis.xlen(keys.STREAM) == 0
    assert (await board.get(job.id)).status == "cancelled"


async def test_what_is_being_put_into_place_cannot_be_cancelled(board: RedisBoard, maker: Jobs) -> None:
    job = Job.new("ada")
    await board.post(job)
    claim = await taken(maker)
    await claim.publish(status="running", step="placing", progress=0.95)
    with pytest.raises(JobEnded, match="made already"):
        await board.cancel(job.id)
    await claim.publish(status="succeeded", step="done", progress=1.0)


async def test_of_a_maker_that_is_silent_another_takes_over(
    board: RedisBoard, maker: Jobs, other: Jobs, redis: Redis
) -> None:
    job = Job.new("ada")
    await board.post(job)
    lost = await taken(maker)
    await lost.publish(status="running", step="voice", progress=0.2)
    await asyncio.sleep(0.01)
    claim = await taken(other)
    assert (claim.job.id, claim.deliveries) == (job.id, 2)
    for step in (lost.beat(), lost.publish(step="placing")):
        with pytest.raises(LostClaim):
            await step
    await lost.done()  # of no effect
    await claim.publish(step="face", progress=0.5)
    assert (await board.get(job.id)).step == "face"
    await claim.publish(status="succeeded", step="done", progress=1.0)
    await claim.done()
    assert await redis.xlen(keys.STREAM) == 0


async def test_a_job_that_is_given_up_is_taken_at_once(
    board: RedisBoard, maker: Jobs, redis_url: str
) -> None:
    await board.post(Job.new("ada"))
    claim = await taken(maker)
    await claim.release()
    patient = Jobs(redis_url, "third", take_over_s=60)
    assert (await taken(patient)).deliveries == 2
    await patient.close()


async def test_makers_are_known_for_as_long_as_they_say_so(
    board: RedisBoard, maker: Jobs, redis: Redis
) -> None:
    assert await board.maker() is None
    await maker.announce(MakerAbilities(drawn=True))
    assert await board.maker() == MakerAbilities(drawn=True)
    assert 0 < await redis.ttl(keys.MAKER) <= 5


async def test_a_forgotten_job_is_unknown_and_ends_the_watch(
    board: RedisBoard, maker: Jobs, redis: Redis
) -> None:
    job = Job.new("ada")
    await board.post(job)
    states = board.watch(job.id)
    assert (await anext(states)).status == "queued"
    await redis.delete(keys.states_key(job.id), keys.job_key(job.id))
    with pytest.raises(UnknownJob):
        await asyncio.wait_for(anext(states), 10)
    with pytest.raises(UnknownJob):
        await board.get(job.id)
    assert await maker.take() is None and await maker.take() is None  # the first makes the group
    assert await redis.xlen(keys.STREAM) == 0


async def test_without_redis_the_cause_is_named(own_redis: RedisServer) -> None:
    board, maker = RedisBoard(own_redis.url), Jobs(own_redis.url, "first")
    await board.post(Job.new("ada"))
    claim = await taken(maker)
    own_redis.stop()
    for call in (board.maker(), board.post(Job.new("bob")), maker.take(), claim.beat()):
        with pytest.raises(ChainUnavailable, match="redis"):
            await call
    assert claim.ended.is_set(), "who cannot know whether it still owns the job stops"
    await board.close()
    await maker.close()
