"""Which conversations are held now, which can be resumed, and whether there is room for another."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway import metrics
from gateway.errors import Refused
from gateway.realtime.vault import Parked, Vault

MAX_PARKED = 64
LET_GO_S = 10.0


class Held(Protocol):
    """A conversation that is connected now."""

    session: str
    avatar_name: str
    over: asyncio.Event

    def close(self, code: int, reason: str) -> None:
        """Ends it soon, with that websocket close code."""

    async def rest(self) -> None:
        """Waits until nobody speaks."""


class Registry:
    """Counts, finds and parks conversations."""

    def __init__(self, *, max_sessions: int, resume_s: float, vault: Vault | None = None) -> None:
        """Makes an empty one.

        Args:
            max_sessions: Conversations at once.
            resume_s: How long one that was left can be resumed.
            vault: Where conversations go when this gateway stops; None: they are over then.
        """
        self._vault = vault
        self._handing_over: set[asyncio.Task[None]] = set()
        self._max_sessions = max_sessions
        self._resume_s = resume_s
        self._taken = 0
        self._held: dict[str, Held] = {}
        self._parked: dict[str, tuple[Parked, asyncio.TimerHandle]] = {}
        self.draining = False

    @property
    def busy(self) -> int:
        """Places that are taken."""
        return self._taken

    @property
    def load(self) -> dict[str, int]:
        """Places taken and places there are."""
        return {"active": self._taken, "max": self._max_sessions}

    def check_room(self) -> None:
        """Refuses when there is no place for another conversation.

        Raises:
            Refused: 503, full or shutting down.
        """
        if self.draining:
            raise Refused(503, "going_away", "The server is shutting down.", fix="Try again in a moment.")
        if self._taken >= self._max_sessions:
            raise Refused(
                503,
                "server_full",
                f"All {self._max_sessions} places are taken.",
                fix="Try again later, or raise PARLEY_GATEWAY_MAX_SESSIONS.",
            )

    @contextmanager
    def place(self) -> Iterator[None]:
        """Takes a place for as long as the block runs.

        Raises:
            Refused: 503, full or shutting down.
        """
        self.check_room()
        self._taken += 1
        metrics.SESSIONS.set(self._taken)
        try:
            yield
        finally:
            self._taken -= 1
            metrics.SESSIONS.set(self._taken)

    @contextmanager
    def holding(self, held: Held) -> Iterator[None]:
        """Makes a conversation known while the block runs."""
        self._held[held.session] = held
        try:
            yield
        finally:
            del self._held[held.session]
            held.over.set()

    async def resume(self, session: str, avatar: str) -> Parked | None:
        """Takes a parked conversation out, first asking a connection that still holds it to let go.

        Returns:
            None when there is none of that id with that avatar (or no longer).
        """
        held = self._held.get(session)
        if held is not None:
            held.close(1000, "The conversation goes on in another connection.")
            try:
                async with asyncio.timeout(LET_GO_S):
                    await held.over.wait()
            except TimeoutError:
                return None
        parked, timer = self._parked.get(session, (None, None))
        if parked is None or timer is None:
            return await self._vault.take(session, avatar) if self._vault else None
        if parked.avatar != avatar:
            return None
        timer.cancel()
        self._forget(session)
        return parked

    def park(self, parked: Parked) -> None:
        """Keeps a conversation for `resume_s`; the oldest leaves when there are too many."""
        if self.draining:
            if self._vault is not None:
                task = asyncio.get_running_loop().create_task(self._vault.put(parked))
                self._handing_over.add(task)
            return
        while len(self._parked) >= MAX_PARKED:
            oldest = next(iter(self._parked))
            self._parked[oldest][1].cancel()
            self._forget(oldest)
        timer = asyncio.get_running_loop().call_later(self._resume_s, self._forget, parked.session)
        self._parked[parked.session] = (parked, timer)
        metrics.PARKED.set(len(self._parked))

    def _forget(self, session: str) -> None:
        del self._parked[session]
        metrics.PARKED.set(len(self._parked))

    async def end(self, avatar: str) -> int:
        """Ends the conversations with an avatar that is no more, and forgets those that could be resumed.

        Returns:
            How many were connected.
        """
        held = [one for one in self._held.values() if one.avatar_name == avatar]
        for one in held:
            one.close(1001, "The avatar was deleted.")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await asyncio.gather(*(one.over.wait() for one in held))
        for parked, timer in [entry for entry in self._parked.values() if entry[0].avatar == avatar]:
            timer.cancel()
            self._forget(parked.session)
        return len(held)

    async def drain(self, timeout_s: float) -> None:
        """Takes no more conversations, and closes each with 1001 in its next rest.

        Args:
            timeout_s: What is still being said after that is cut off.
        """
        self.draining = True
        held = list(self._held.values())
        if self._vault is not None:
            await asyncio.gather(*(self._vault.announce(one.session) for one in held))
        for parked, timer in self._parked.values():
            timer.cancel()
            self.park(parked)
        self._parked.clear()
        await asyncio.gather(*(_let_go(one, timeout_s) for one in held))
        await asyncio.gather(*self._handing_over)


async def _let_go(held: Held, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await held.rest()
    held.close(1001, "The server is shutting down.")
    with contextlib.suppress(TimeoutError):  # the server cancels what is left
        async with asyncio.timeout(timeout_s):
            await held.over.wait()
