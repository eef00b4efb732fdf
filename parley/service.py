"""The shell of every model service: one process, two doors (gRPC and the chain's worker) onto one engine."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
from pydantic import Field

from parley.chain.interface import Chain, Claim, Stage
from parley.chain.redis import RedisChain
from parley.chain.worker import run_worker
from parley.errors import ChainUnavailable, ParleyError
from parley.handover import notify_ready, port_free
from parley.rpc.server import RpcServer
from parley.settings import Settings, check_bind, is_loopback
from parley.telemetry import logs, metrics, tracing
from parley.version import version
from proto.parley.v1 import info_pb2

log = logging.getLogger(__name__)

CHAIN_HEALTH = "chain"


class ServiceSettings(Settings):
    """Settings that all four services share; each adds its engine's, with its own prefix PARLEY_{NAME}_."""

    port: int = Field(description="gRPC port.")
    metrics_port: int = Field(description="Prometheus port.")
    engine: str = Field(description="Which engine to load.")
    concurrency: int = Field(default=8, description="Replies worked on at once.", ge=1)
    drain_s: float = Field(default=5.0, description="Seconds that a reply may take to finish after SIGTERM.")


@dataclass(frozen=True, slots=True)
class Service:
    """What a service folder gives to `run`.

    Attributes:
        name: "asr", "llm", "tts" or "sda".
        grpc_name: Full name of its gRPC service, "parley.v1.Asr".
        engine: Name of the engine in use.
        model: The model or voice behind it, in words.
        add_to: Registers the servicer on a server.
        stage: The chain's stage that it works for; None: gRPC only.
        handle: Works off one claim. ParleyError becomes an error piece; StaleGeneration and LostClaim end
            quietly.
        beside: Runs beside the worker, on the same chain, until it is cancelled.
        calls_tools: The engine can call functions.
        retire: Called once it is to stop: streams that could go on for ever should end when that hurts least.
    """

    name: str
    grpc_name: str
    engine: str
    model: str
    add_to: Callable[[grpc.aio.Server], None]
    stage: Stage | None = None
    handle: Callable[[Claim], Awaitable[None]] | None = None
    retire: Callable[[], None] | None = None
    calls_tools: bool = False
    beside: Callable[[Chain], Coroutine[Any, Any, None]] | None = None


async def run(service: Service, settings: ServiceSettings) -> None:
    """Serves until SIGTERM, SIGINT or cancellation; then drains.

    The gRPC door is open from the start. The chain's worker waits for Redis as long as it takes, and the
    health service named "chain" tells whether it is there; health of "" tells only that the engine is ready.

    Where a predecessor still runs (`bind_wait_s`), this process works for the chain beside it and gets the
    ports once that one has let go of them: whoever restarts a service like this never leaves it unattended.

    Args:
        service: What to serve; its engine is loaded.
        settings: Where and how.

    Raises:
        ConfigError: A port cannot be bound, or must not be without API keys.
    """
    logs.setup(service.name, settings.log_level)
    check_bind(settings.host, settings.api_keys, private_network=settings.private_network)
    open_to_all = is_loopback(settings.host) or settings.private_network
    server = RpcServer(
        grpc_name=service.grpc_name,
        info=info_pb2.ServiceInfo(
            name=service.name,
            engine=service.engine,
            model=service.model,
            version=version(),
            calls_tools=service.calls_tools,
        ),
        add_to=service.add_to,
        keys=frozenset() if open_to_all else settings.keys(),
    )
    with stop_on_signals() as stop, tracing.exporting(service.name):
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_serve(service, settings, server, stop))
                tasks.create_task(_work(service, settings, server, stop))
        except* ParleyError as failed:
            raise failed.exceptions[0] from None
    log.info("stopped")


async def _serve(service: Service, settings: ServiceSettings, server: RpcServer, stop: asyncio.Event) -> None:
    """Keeps the gRPC door and the metrics open until `stop`; calls that run then get `drain_s` to end."""
    await port_free(settings.host, settings.port, wait_s=settings.bind_wait_s)
    await server.start(settings.host, settings.port)
    try:
        await port_free(settings.host, settings.metrics_port, wait_s=settings.bind_wait_s)
        shown = metrics.MetricsServer(settings.host, settings.metrics_port)
        try:
            log.info("serving", extra={"port": server.port, "engine": service.engine, "model": service.model})
            await stop.wait()
        finally:
            if service.retire is not None:
                service.retire()
            closing = asyncio.get_running_loop().run_in_executor(None, shown.close)
    finally:
        await server.stop(settings.drain_s)
    await closing


async def _work(service: Service, settings: ServiceSettings, server: RpcServer, stop: asyncio.Event) -> None:
    """Works for the chain, if the service has a stage, until `stop`."""
    if service.stage is None or service.handle is None:
        notify_ready()
        await stop.wait()
        return
    chain = RedisChain(settings.redis_url)
    try:
        async with asyncio.TaskGroup() as group:
            watch = [group.create_task(_watch_chain(chain, server))]
            if service.beside is not None:
                watch.append(group.create_task(service.beside(chain)))
            await run_worker(
                chain,
                service.stage,
                service.handle,
                consumer=f"{socket.gethostname()}-{os.getpid()}",
                capacity=settings.concurrency,
                drain_s=settings.drain_s,
                stop=stop,
            )
            for task in watch:
                task.cancel()
    finally:
        await chain.close()


async def _watch_chain(chain: RedisChain, server: RpcServer) -> None:
    """Keeps the health of "chain" true, and says in the log when it changes."""
    serving: bool | None = None
    while True:
        try:
            await chain.start()
            now = True
        except ChainUnavailable as error:
            now = False
            if serving is not False:
                log.warning("waiting for the chain", extra={"reason": str(error)})
        if now != serving:
            serving = now
            await server.set_health(CHAIN_HEALTH, now)
            if now:
                log.info("working for the chain")
                notify_ready()
        await asyncio.sleep(1)


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
