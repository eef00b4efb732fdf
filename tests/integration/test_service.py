"""A whole service shell: two doors, health, metrics, a Redis that comes late, and a graceful end."""

import asyncio
import logging
import os
import signal
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc.aio
import pytest

from parley.chain.interface import Claim, Stage, Track
from parley.chain.redis import RedisChain
from parley.errors import ConfigError, ServiceUnavailable
from parley.rpc import healthcheck
from parley.rpc.client import channel, describe
from parley.service import Service, ServiceSettings, run
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import llm_pb2_grpc
from tests.chain_contract import SESSION, clause, gather, turn
from tests.integration.conftest import RedisServer

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Gives the log back as it was: a service takes it over."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class Servicer(llm_pb2_grpc.LlmServicer):
    """Says one word."""

    async def Generate(self, request, context) -> AsyncIterator[pb.TextPiece]:
        yield pb.TextPiece(text="word", last=True)


def service(handle=None) -> Service:
    return Service(
        name="llm",
        grpc_name="parley.v1.Llm",
        engine="fake",
        model="one word",
        add_to=lambda server: llm_pb2_grpc.add_LlmServicer_to_server(Servicer(), server),
        stage=Stage.LLM if handle else None,
        handle=handle,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(redis_url: str = "redis://127.0.0.1:1/0", **options) -> ServiceSettings:
    return ServiceSettings(
        port=free_port(), metrics_port=free_port(), engine="fake", redis_url=redis_url, drain_s=2, **options
    )


@asynccontextmanager
async def running(what: Service, how: ServiceSettings) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run(what, how))
    try:
        await until_health(how, "", "SERVING")
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until_health(how: ServiceSettings, name: str, state: str) -> None:
    async with asyncio.timeout(10):
        while await asyncio.to_thread(healthcheck.check, f"127.0.0.1:{how.port}", name) != state:
            await asyncio.sleep(0.02)


async def test_both_doors_open_onto_one_service(own_redis: RedisServer) -> None:
    async def handle(claim: Claim) -> None:
        await claim.publish(1, clause("word", last=True))

    how = settings(own_redis.url)
    chain = RedisChain(own_redis.url)
    async with running(service(handle), how) as task:
        await until_health(how, "chain", "SERVING")
        assert (await describe(f"127.0.0.1:{how.port}")).model == "one word"
        async with channel(f"127.0.0.1:{how.port}") as link:
            pieces = [p.text async for p in llm_pb2_grpc.LlmStub(link).Generate(pb.Turn(), timeout=5)]
        assert pieces == ["word"]
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn())
        assert (await gather(entries, 1))[0].piece.text == "word"

        def scrape() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{how.metrics_port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())

        assert "parley_hop_seconds" in await asyncio.to_thread(scrape)
        assert not task.done()
    await chain.close()


async def test_sigterm_lets_the_reply_finish(own_redis: RedisServer) -> None:
    begun = asyncio.Event()

    async def handle(claim: Claim) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        await claim.publish(1, clause("word", last=True))

    chain = RedisChain(own_redis.url)
    entries = chain.subscribe(SESSION, [Track.TEXT])
    how = settings(own_redis.url)
    async with running(service(handle), how) as task:
        await chain.submit(turn())
        await asyncio.wait_for(begun.wait(), 10)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 10)
    assert (await gather(entries, 1))[0].piece.last
    with pytest.raises(ServiceUnavailable):
        await describe(f"127.0.0.1:{how.port}", timeout_s=0.5)
    await chain.close()


async def test_without_redis_the_grpc_door_works_and_the_worker_waits(
    own_redis: RedisServer,
) -> None:
    async def handle(claim: Claim) -> None:
        await claim.publish(1, clause("word", last=True))

    how = settings(own_redis.url)  # while Redis still holds its port
    own_redis.stop()
    async with running(service(handle), how):
        await until_health(how, "chain", "NOT_SERVING")
        assert (await describe(f"127.0.0.1:{how.port}")).engine == "fake"
        own_redis.start()
        await until_health(how, "chain", "SERVING")
        chain = RedisChain(own_redis.url)
        entries = chain.subscribe(SESSION, [Track.TEXT])
        await chain.submit(turn())
        assert (await gather(entries, 1))[0].piece.text == "word"
        await chain.close()


async def test_a_service_without_a_stage_needs_no_redis() -> None:
    how = settings()
    async with running(service(), how):
        assert (await describe(f"127.0.0.1:{how.port}")).name == "llm"


async def test_a_public_address_needs_keys() -> None:
    with pytest.raises(ConfigError, match="PARLEY_API_KEYS"):
        await run(service(), settings(host="0.0.0.0"))


async def test_a_public_address_with_keys_asks_for_them() -> None:
    how = settings(host="0.0.0.0", api_keys="secret")
    async with running(service(), how):
        address = f"127.0.0.1:{how.port}"
        async with channel(address) as link:
            with pytest.raises(grpc.aio.AioRpcError, match="API key"):
                _ = [p async for p in llm_pb2_grpc.LlmStub(link).Generate(pb.Turn(), timeout=5)]
        assert (await describe(address, api_key="secret")).name == "llm"
