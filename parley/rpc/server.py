"""The gRPC door of a service: asyncio server with health, reflection, limits, errors and a graceful end."""

from collections.abc import Callable

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from parley.errors import ConfigError
from parley.rpc.interceptors import ErrorInterceptor, KeyInterceptor
from parley.rpc.limits import SERVER_OPTIONS
from proto.parley.v1 import info_pb2, info_pb2_grpc


class InfoServicer(info_pb2_grpc.InfoServicer):
    """Tells what runs here."""

    def __init__(self, info: info_pb2.ServiceInfo) -> None:
        self._info = info

    async def Describe(
        self, request: info_pb2.DescribeRequest, context: grpc.aio.ServicerContext
    ) -> info_pb2.ServiceInfo:
        """The service's name, engine, model and version."""
        return self._info


class RpcServer:
    """One gRPC server. `port` is known once it was started."""

    def __init__(
        self,
        *,
        grpc_name: str,
        info: info_pb2.ServiceInfo,
        add_to: Callable[[grpc.aio.Server], None],
        keys: frozenset[str] = frozenset(),
    ) -> None:
        """Prepares the server.

        Args:
            grpc_name: Full name of the service, "parley.v1.Asr"; for reflection and health.
            info: What `Describe` answers.
            add_to: Registers the servicer.
            keys: API keys that callers must send; empty: none asked.
        """
        self.port = 0
        interceptors: list[grpc.aio.ServerInterceptor] = [KeyInterceptor(keys)] if keys else []
        self._server = grpc.aio.server(
            interceptors=[*interceptors, ErrorInterceptor()], options=SERVER_OPTIONS
        )
        self._health = health_aio.HealthServicer()
        self._names = ["", grpc_name]
        add_to(self._server)
        info_pb2_grpc.add_InfoServicer_to_server(InfoServicer(info), self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflected = (grpc_name, "parley.v1.Info", "grpc.health.v1.Health", reflection.SERVICE_NAME)
        reflection.enable_server_reflection(reflected, self._server)

    async def start(self, host: str, port: int) -> None:
        """Binds and serves.

        Args:
            host: Address to bind.
            port: 0 takes a free one.

        Raises:
            ConfigError: The port cannot be bound.
        """
        address = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ConfigError(
                f"gRPC cannot be served on {address}: {error}.",
                fix="Stop what uses the port, or set another.",
            ) from error
        await self._server.start()
        for name in self._names:
            await self.set_health(name, True)

    async def set_health(self, name: str, serving: bool) -> None:
        """Sets what the health service says of `name`; "" is the server as a whole."""
        status = health_pb2.HealthCheckResponse
        await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Says "not serving", refuses new calls and gives those that run `grace_s` seconds to end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
