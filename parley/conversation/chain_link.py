"""Keeps a conversation on its chain: commands out in order, pieces in, and back again after an outage."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from parley.aio import Signal
from parley.chain.interface import Chain, Entry, Track
from parley.errors import ChainUnavailable, ParleyError
from proto.parley.v1 import chain_pb2 as pb

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 2.0
_COMMAND_TIMEOUT_S = 5.0
_NOBODY_LISTENS_S = 30.0


@dataclass(frozen=True, slots=True)
class _Hint:
    turn: pb.Turn


@dataclass(slots=True)
class _Played:
    generation: int
    samples: int


class ChainLink:
    """One session's end of the chain. Its methods only queue; `run` does the work."""

    def __init__(
        self,
        chain: Chain,
        session: str,
        *,
        on_entry: Callable[[Entry], None],
        on_lost: Callable[[ParleyError], None],
        on_refused: Callable[[int, ParleyError], None],
    ) -> None:
        """Makes an unconnected link.

        Args:
            chain: The carrier.
            session: Whose.
            on_entry: Gets each piece and flush.
            on_lost: Called once per outage.
            on_refused: Gets the generation of a turn that could not be submitted, and why.
        """
        self._chain = chain
        self._session = session
        self._on_entry = on_entry
        self._on_lost = on_lost
        self._on_refused = on_refused
        self._commands: deque[pb.Turn | int | _Played | _Hint] = deque()
        self._hints_from = 0.0  # loop time; before it nobody listens to hints
        self._changed = Signal()

    def submit(self, turn: pb.Turn) -> None:
        """Have `turn` answered."""
        self._forget_hints()
        self._put(turn)

    def foresee(self, turn: pb.Turn) -> None:
        """Hint at what may have to be answered soon; only the newest hint counts."""
        if asyncio.get_running_loop().time() >= self._hints_from:
            self._forget_hints()
            self._put(_Hint(turn))

    def flush(self, generation: int) -> None:
        """Void every generation below `generation`, and what was still to be said about them."""
        self._commands = deque(c for c in self._commands if not isinstance(c, _Played))
        self._put(generation)

    def played(self, generation: int, samples: int) -> None:
        """The playback position; only the newest counts."""
        last = self._commands[-1] if self._commands else None
        if isinstance(last, _Played) and last.generation == generation:
            last.samples = samples
        else:
            self._put(_Played(generation, samples))

    async def open(self) -> None:
        """Creates the session. Raises ChainUnavailable."""
        await _bounded(self._chain.open_session(self._session))

    async def close(self) -> None:
        """Ends the session; a chain that cannot be reached forgets it by itself."""
        try:
            await _bounded(self._chain.close_session(self._session))
        except ChainUnavailable as error:
            log.warning("session not closed", extra={"error": error.message})

    async def run(self) -> None:
        """Reads and writes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._write())

    async def _read(self) -> None:
        retry_s, told = _FIRST_RETRY_S, False
        while True:
            try:
                if told:
                    await self.open()
                    told = False
                async for entry in self._chain.subscribe(self._session, list(Track)):
                    retry_s = _FIRST_RETRY_S
                    self._on_entry(entry)
            except ChainUnavailable as error:
                log.warning("chain lost", extra={"error": error.message})
                if not told:
                    self._on_lost(error)
                    told = True
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, _LAST_RETRY_S)

    async def _write(self) -> None:
        while True:
            await self._changed.wait_for(lambda: bool(self._commands))
            command = self._commands.popleft()
            try:
                await _bounded(self._send(command))
            except ParleyError as error:
                log.warning("chain refused a command", extra={"error": error.message})
                if isinstance(command, pb.Turn):
                    self._on_refused(command.trace.generation, error)

    async def _send(self, command: pb.Turn | int | _Played | _Hint) -> None:
        match command:
            case _Played(generation, samples):
                await self._chain.report_played(self._session, generation, samples)
            case _Hint(turn):
                if not await self._chain.foresee(turn):
                    self._hints_from = asyncio.get_running_loop().time() + _NOBODY_LISTENS_S
            case int():
                await self._chain.flush(self._session, command)
            case _:
                await self._chain.submit(command)

    def _forget_hints(self) -> None:
        self._commands = deque(c for c in self._commands if not isinstance(c, _Hint))

    def _put(self, command: pb.Turn | int | _Played | _Hint) -> None:
        self._commands.append(command)
        self._changed.notify()


async def _bounded(work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(_COMMAND_TIMEOUT_S):
            await work
    except TimeoutError as error:
        raise ChainUnavailable("The chain does not answer.", fix="Look at Redis.") from error
