"""uvicorn, set up for realtime: how sockets behave, and how it ends."""

import socket

import uvicorn
from fastapi import FastAPI

from gateway.config import GatewaySettings
from gateway.realtime.registry import Registry
from parley.errors import ConfigError
from parley.settings import check_bind

TRANSPORT_MAX_BYTES = 16 << 20  # above the limit that is answered with an `error`, so that it can be answered
SEND_BUFFER_BYTES = 1 << 18
DEAD_PEER_MS = 20_000
BACKLOG = 2048


class Server(uvicorn.Server):
    """Closes conversations with 1001 before the connections are shut."""

    def __init__(self, app: FastAPI, settings: GatewaySettings, registry: Registry) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                ws="websockets-sansio",
                ws_max_size=TRANSPORT_MAX_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=20.0,
                ws_ping_timeout=20.0,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(settings.drain_s)),
            )
        )
        self._registry = registry
        self._drain_s = settings.drain_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then shuts down."""
        for server in self.servers:
            server.close()
        await self._registry.drain(self._drain_s)
        await super().shutdown(sockets)


def listen(settings: GatewaySettings) -> socket.socket:
    """Binds the port, and listens.

    A small send buffer keeps what is queued in our hands, where its order can still change; a peer that
    acknowledges nothing is given up by the kernel.

    Raises:
        ConfigError: The port is taken, or the address may not be bound without keys.
    """
    check_bind(settings.host, settings.api_keys, private_network=settings.private_network)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)  # whoever comes before uvicorn has started waits instead of being refused
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"The gateway cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            fix="Stop what uses the port, or set PARLEY_GATEWAY_PORT.",
        ) from error
    return listener
