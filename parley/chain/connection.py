"""Connections to Redis, and its failures in Parley's words."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from parley.errors import ChainUnavailable, ConfigError

TIMEOUT_S = 3.0
BLOCK_MS = 1_000  # a blocking command is never cancelled, so this bounds how long stopping takes


def connect(url: str, *, blocking: bool = False) -> "aioredis.Redis":
    """A client; nothing is sent yet.

    One retry without pause: after Redis restarted, the first use of an old connection fails, and every
    command of the chain may be repeated safely.

    Args:
        url: "redis://…", "rediss://…" or "unix://…".
        blocking: For one task that waits in Redis; it must not share the client.

    Raises:
        ConfigError: `url` is malformed.
    """
    try:
        pool = aioredis.BlockingConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=None,  # see `carrier`
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0 if blocking else 1),
            retry_on_error=[RedisConnectionError],
            max_connections=1 if blocking else 32,
            timeout=TIMEOUT_S,
        )
    except ValueError as error:
        raise ConfigError(
            f"PARLEY_REDIS_URL is not a Redis address: {error}", fix="Use redis://HOST:PORT/0."
        ) from error
    return aioredis.Redis.from_pool(pool)


@asynccontextmanager
async def carrier(url: str, *, blocking: bool = False) -> AsyncIterator[None]:
    """Turns whatever goes wrong with Redis inside the block into ChainUnavailable, also when it takes too
    long.

    The library's own timeout is not used: on Python 3.11 it may swallow a cancellation (`asyncio.wait_for`
    returns the result when both come at once), and a task that cannot be cancelled hangs its group.

    Args:
        url: Redis, for the message.
        blocking: The block waits in Redis for up to `BLOCK_MS`.

    Raises:
        ChainUnavailable: With the cause and the fix.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S + (BLOCK_MS / 1000 if blocking else 0)):
            yield
    except (RedisError, OSError) as error:  # a TimeoutError is an OSError
        raise ChainUnavailable(
            f"Redis at {_without_password(url)} does not work: {error or 'no answer'}",
            fix="Start it (`redis-server`, or `parley up`), or set PARLEY_REDIS_URL to where it is.",
        ) from error


class Scripts:
    """Runs scripts by their hash: `execute(script, keys, args)`."""

    def __init__(self, url: str, client: "aioredis.Redis") -> None:
        """Args:
        url: Redis, for messages.
        client: Runs them.
        """
        self._url = url
        self._client = client
        self._known: dict[str, Any] = {}

    async def __call__(self, script: str, keys: Sequence[str], args: Sequence[str | int | bytes]) -> Any:
        """What the script returns.

        Raises:
            ChainUnavailable: Redis does not answer, or refuses.
        """
        if script not in self._known:
            self._known[script] = self._client.register_script(script)
        async with carrier(self._url):
            return await self._known[script](keys=keys, args=args)


def _without_password(url: str) -> str:
    """The address as it may appear in logs."""
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
