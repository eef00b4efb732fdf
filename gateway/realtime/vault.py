"""Conversations that a stopping gateway leaves to the one that comes after it, in Redis.

Nothing is written there before a gateway stops, and what is taken out is deleted.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Protocol

import redis.asyncio
from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError

from gateway.realtime.items import Item, Items
from gateway.realtime.session_config import SessionState

log = logging.getLogger(__name__)

COMING_S: Final = 30
TAKE_S: Final = 8.0
LOOK_S: Final = 0.1
_COMING: Final = b"coming"


@dataclass(frozen=True, slots=True)
class Parked:
    """A conversation that was left: only its words are kept, nothing of it runs.

    Attributes:
        visits: How often it was connected; each visit has chain keys of its own, so that late writes of an
            earlier one cannot get in the way.
    """

    session: str
    avatar: str
    state: SessionState
    items: Items
    visits: int


@dataclass(frozen=True, slots=True)
class _Written:
    avatar: str
    state: SessionState
    items: list[Item]
    visits: int


_FORM: Final = TypeAdapter(_Written)


class Vault(Protocol):
    """Where conversations wait for another gateway."""

    async def announce(self, session: str) -> None:
        """Says that `put` will follow soon, so that `take` waits for it."""

    async def put(self, parked: Parked) -> None:
        """Leaves a conversation."""

    async def take(self, session: str, avatar: str) -> Parked | None:
        """Takes a conversation out; None: there is none of that id with that avatar."""


class RedisVault:
    """Keeps them for `keep_s`. Where Redis fails, a conversation cannot be resumed, and the log says why."""

    def __init__(self, redis_url: str, *, keep_s: float) -> None:
        self._redis = redis.asyncio.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)
        self._keep_ms = round(keep_s * 1000)

    async def close(self) -> None:
        """Disconnects."""
        await self._redis.aclose()

    async def announce(self, session: str) -> None:
        """See `Vault.announce`."""
        await self._write(session, _COMING, COMING_S * 1000)

    async def put(self, parked: Parked) -> None:
        """See `Vault.put`."""
        if self._keep_ms > 0:
            written = _Written(parked.avatar, parked.state, list(parked.items), parked.visits)
            await self._write(parked.session, _FORM.dump_json(written), self._keep_ms)

    async def take(self, session: str, avatar: str) -> Parked | None:
        """See `Vault.take`."""
        try:
            async with asyncio.timeout(TAKE_S):
                while (raw := await self._redis.get(_key(session))) == _COMING:
                    await asyncio.sleep(LOOK_S)
            if raw is None:
                return None
            written = _FORM.validate_json(raw)
            if written.avatar != avatar or not await self._redis.delete(_key(session)):
                return None  # another's, or another gateway was faster
        except (RedisError, OSError, ValidationError) as error:
            log.warning("A conversation could not be taken over.", extra={"reason": str(error)})
            return None
        items = Items()
        for item in written.items:
            items.append(item)
        return Parked(session, avatar, written.state, items, written.visits)

    async def _write(self, session: str, value: bytes, keep_ms: int) -> None:
        try:
            await self._redis.set(_key(session), value, px=keep_ms)
        except (RedisError, OSError) as error:
            log.warning("A conversation could not be handed over.", extra={"reason": str(error)})


def _key(session: str) -> str:
    return f"parked:{session}"
