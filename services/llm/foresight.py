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
LIMIT_S = 10.0
_READ = Counter("parley_llm_prefills_total", "Turns read ahead, by how that ended.", ["end"])


@runtime_checkable
class ReadsAhead(LlmEngine, Protocol):
    """An engine to which it is of use."""

    async def prefill(self, turn: pb.Turn) -> None:
        """Reads a turn that is not over; `turn.history[-1]` are the person's words so far. Never fails."""


class Foresight:
    """Reads ahead for several conversations, at most `AT_ONCE` of them.

    Of each only the newest words count. But what is being read is read to its end before they are: hints that
    come faster than the server reads would otherwise let none of it be finished.
    """

    def __init__(self, engine: ReadsAhead, toolbox: Toolbox | None = None) -> None:
        """Args:
        engine: Who reads.
        toolbox: What it will be offered: that stands in the prompt, too.
        """
        self._engine = engine
        self._toolbox = toolbox
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._newest: dict[str, pb.Turn] = {}

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
        """A hint. One without words says that another process reads for this session now."""
        session = turn.trace.session
        if not turn.history:
            self.stop(session)
        elif session in self._reading:
            self._newest[session] = turn
        elif len(self._reading) >= AT_ONCE:
            _READ.labels("no_room").inc()
        else:
            self._newest[session] = turn
            self._reading[session] = asyncio.create_task(self._read(session), name=f"prefill {session}")

    def stop(self, session: str) -> None:
        """The turn is over: what is read for it now comes too late."""
        self._newest.pop(session, None)
        if task := self._reading.pop(session, None):
            task.cancel()

    async def _read(self, session: str) -> None:
        try:
            while (turn := self._newest.pop(session, None)) is not None:
                async with asyncio.timeout(LIMIT_S):
                    await self._engine.prefill(offered(self._engine, turn, self._toolbox))
                _READ.labels("read").inc()
            del self._reading[session]
        except TimeoutError:
            _READ.labels("too_slow").inc()
            self.stop(session)
        except asyncio.CancelledError:
            _READ.labels("overtaken").inc()
            raise
