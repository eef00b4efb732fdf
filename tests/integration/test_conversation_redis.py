"""A conversation over a real Redis, and over its death."""

import asyncio

import pytest

from parley.chain.redis import RedisChain
from parley.conversation import events as tell
from parley.conversation.events import ReplyStatus
from parley.conversation.session import Session
from tests.integration.conftest import RedisServer
from tests.unit.parley.conversation.cast import FACE, MIRA, FakeEars, Front, Workers

pytestmark = pytest.mark.integration


async def test_a_reply_fails_visibly_with_redis_and_the_next_turn_works(own_redis: RedisServer) -> None:
    chain, workers_chain = RedisChain(own_redis.url), RedisChain(own_redis.url)
    await chain.start()
    await workers_chain.start()
    workers = Workers(workers_chain)
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(workers.run())
        async with Session(avatar=MIRA, chain=chain, ears=FakeEars(), config=FACE) as session:
            front = Front(session)
            taking = tasks.create_task(front.run())

            await session.respond(verbatim="Hello.")
            first = await front.until(tell.ReplyDone)
            assert (first.status, first.text) == (ReplyStatus.COMPLETED, "Hello.")

            await session.respond(verbatim="This is a sentence that nobody will hear to its end. " * 3)
            await front.until(tell.ReplyAudio, 3)
            own_redis.stop()
            lost = await front.until(tell.ReplyDone, 2)
            assert (lost.status, lost.error_code) == (ReplyStatus.FAILED, "chain_unavailable")
            assert {p.code for p in front.all(tell.Problem)} == {"chain_unavailable"}

            own_redis.start()
            for attempt in range(3, 40):
                await asyncio.sleep(0.5)
                await session.interrupt()
                await session.respond(verbatim="Here I am again.")
                done = await front.until(tell.ReplyDone, attempt)
                if done.status is ReplyStatus.COMPLETED:
                    break
            assert done.text == "Here I am again."
        await taking
        working.cancel()
    await chain.close()
    await workers_chain.close()
