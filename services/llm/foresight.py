"""Reads a turn while it is being spoken, so that the model's server has little left to read at its end."""

import asyncio
import logging
from contextlib import aclosing
from typing import Protocol, runtime_checkable

from prometheus_client import Counter

from parley.chain.interface import Chain
from parley.engines import LlmEngine
from proto.parley.v1 import chain_pb2 as pb
from services.llm.tools.rounds import Toolbox, offered

log = logging.getLogger(__name__)

AT_ONCE = 4
LIMIT_S = 5.0
_READ = Counter("parley_llm_prefills_total", "Turns read ahead, by how that ended.", ["end"])


@runtime_checkable
class ReadsAhead(LlmEngine, Protocol):
    """An engine to which it is of use."""

    async def prefill(self, turn: pb.Turn) -> None:
        """Reads a turn that is not over; `turn.history[-1]` are the person's words so far. Never fails."""


class Foresight:
    """Reads ahead for several conversations, at most `AT_ONCE` of them, and only the newest of each."""

    def __init__(self, engine: ReadsAhead, toolbox: Toolbox | None = None) -> None:
        """Args:
        engine: Who reads.
        toolbox: What it will be offered: that stands in the prompt, too.
        """
        self._engine = engine
        self._toolbox = toolbox
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def run(self, chain: Chain) -> None:
        """Follows the chain's hints until cancelled."""
        try:
            async with aclosing(chain.foreseen()) as hints:  # type: ignore[type-var]
                async for turn in hints:
                    self.take(turn)
        finally:
            for session in list(self._reading):
                self.stop(session)

    def take(self, turn: pb.Turn) -> None:
        """A hint: stops reading what the session hinted before, and reads this."""
        session = turn.trace.session
        self.stop(session)
        if not turn.history:
            return
        if len(self._reading) >= AT_ONCE:
            _READ.labels("no_room").inc()
            return
        task = asyncio.create_task(self._read(turn), name=f"prefill {session}")
        self._reading[session] = task
        task.add_done_callback(lambda done: self._forget(session, done))

    def stop(self, session: str) -> None:
        """The turn is over, or goes on in another way: what is read for it now comes too late."""
        if task := self._reading.pop(session, None):
            task.cancel()

    def _forget(self, session: str, task: asyncio.Task[None]) -> None:
        if self._reading.get(session) is task:
            del self._reading[session]

    async def _read(self, turn: pb.Turn) -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._engine.prefill(offered(self._engine, turn, self._toolbox))
            _READ.labels("read").inc()
        except asyncio.CancelledError:
            _READ.labels("overtaken").inc()
            raise
        except TimeoutError:
            _READ.labels("too_slow").inc()
