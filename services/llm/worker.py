"""The chain's door: a claimed turn in, clauses out on the session's text stream."""

import asyncio
import logging
import time
from contextlib import aclosing

from parley.chain.interface import Claim
from parley.engines import LlmEngine
from parley.errors import StaleGeneration
from parley.telemetry.metrics import observe_hop
from proto.parley.v1 import chain_pb2 as pb
from services.llm.replies import reply_pieces

log = logging.getLogger(__name__)


class Worker:
    """Works off turns, several at once; holds nothing between them."""

    def __init__(self, engine: LlmEngine) -> None:
        """Args:
        engine: Who answers.
        """
        self._engine = engine

    async def handle(self, claim: Claim) -> None:
        """Answers one turn. The model stops as soon as the generation is flushed or the claim lost.

        Raises:
            StaleGeneration: The reply is not wanted any more.
            LostClaim: Another worker goes on with it.
            ParleyError: The engine failed.
        """
        answering = asyncio.create_task(self._answer(claim))
        stale = asyncio.create_task(claim.stale.wait())
        try:
            await asyncio.wait({answering, stale}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stale.cancel()
            answering.cancel()
            # Cancelling closes the engine's stream; this waits until it is closed.
            await asyncio.wait({answering})
        if answering.cancelled():
            raise StaleGeneration("The turn was flushed or taken over while it was being answered.")
        answering.result()

    async def _answer(self, claim: Claim) -> None:
        turn = claim.item
        assert isinstance(turn, pb.Turn)
        if turn.want_audio:
            await claim.hand_on()
        seq, spoken, complete = await _already_said(claim) if claim.taken_over else (0, "", False)
        if complete:
            return
        if seq:
            log.info("continuing a reply", extra={"clauses": seq, "characters": len(spoken)})
        async with aclosing(reply_pieces(self._engine, turn, spoken=spoken)) as pieces:
            async for piece in pieces:
                seq += 1
                await claim.publish(seq, piece)
                if seq == 1 and turn.created_unix_ms:
                    observe_hop("llm_first_clause", max(0.0, time.time() - turn.created_unix_ms / 1000))


async def _already_said(claim: Claim) -> tuple[int, str, bool]:
    """The last seq, the text so far and whether the reply is complete, of a worker that died."""
    seq, text, complete = 0, "", False
    for entry in await claim.published():
        if isinstance(entry.piece, pb.TextPiece):
            seq = max(seq, entry.seq)
            text += entry.piece.text
            complete = complete or entry.piece.last or entry.piece.HasField("error")
    return seq, text, complete
