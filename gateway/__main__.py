"""Starts the gateway: `python -m gateway`."""

import asyncio
import contextlib
import logging
import sys

from pydantic import ValidationError

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.conversations import Conversations
from gateway.realtime.registry import Registry
from gateway.realtime.vault import RedisVault
from gateway.server import Server, listen
from gateway.services import Services
from parley.errors import ParleyError
from parley.handover import notify_ready, port_free
from parley.jobs.board import RedisBoard
from parley.telemetry import logs, tracing

log = logging.getLogger("gateway")


async def serve(settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        ConfigError: The address cannot be bound.
    """
    conversations = Conversations(settings)
    services = Services(settings)
    vault = RedisVault(settings.redis_url, keep_s=settings.resume_s)
    registry = Registry(max_sessions=settings.max_sessions, resume_s=settings.resume_s, vault=vault)
    app = create_app(settings, services, registry, conversations.make, RedisBoard(settings.redis_url))
    try:
        # All is made before the predecessor is asked to leave: nobody should be refused in between.
        notify_ready()
        await port_free(settings.host, settings.port, wait_s=settings.bind_wait_s)
        with contextlib.closing(listen(settings)) as listener:
            host, port = listener.getsockname()[:2]
            log.info(
                "The gateway listens.", extra={"host": host, "port": port, "keys": bool(settings.keys())}
            )
            await Server(app, settings, registry).serve(sockets=[listener])
    finally:
        await conversations.close()
        await vault.close()


def main() -> int:
    """Reads the environment and serves; 1 if the configuration is wrong."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    logs.setup("gateway", settings.log_level)
    try:
        with tracing.exporting("gateway"):
            asyncio.run(serve(settings))
    except ParleyError as error:
        log.error("The gateway cannot run.", extra={"code": error.code, "reason": str(error)})
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
