"""The chain's door: a claimed turn in, clauses out on the session's text stream."""

import asyncio
import logging
import time
from contextlib import aclosing
from pathlib import Path

from parley.aio import with_signs_of_life
from parley.avatars import load_avatar
from parley.chain.interface import Claim, Stage
from parley.engines import LlmEngine
from parley.errors import ServiceUnavailable, StaleGeneration
from parley.telemetry.metrics import observe_hop
from proto.parley.v1 import chain_pb2 as pb
from services.llm.foresight import Foresight
from services.llm.replies import reply_pieces
from services.llm.tools.rounds import Toolbox

log = logging.getLogger(__name__)

SIGN_OF_LIFE_S = 1.0
"""A conversation takes a mind that is silent for two seconds for dead."""


class Worker:
    """Works off turns, several at once; holds nothing between them."""

    def __init__(
        self,
        engine: LlmEngine,
        avatars_dir: Path,
        toolbox: Toolbox | None = None,
        foresight: Foresight | None = None,
    ) -> None:
        """Args:
        engine: Who answers.
        avatars_dir: Where the avatars are, each with its own words of apology.
        toolbox: Functions that the engine may call.
        foresight: What reads ahead, and is to stop once the turn is there.
        """
        self._foresight = foresight
        self._engine = engine
        self._toolbox = toolbox
        self._avatars_dir = avatars_dir

    async def handle(self, claim: Claim) -> None:
        """Answers one turn. The model stops as soon as the generation is flushed or the claim lost.

        When the model cannot be reached the avatar says so itself, and a notice tells why.

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
        if self._foresight is not None:
            self._foresight.stop(turn.trace.session)
        if turn.want_audio:
            await claim.hand_on()
        seq, spoken, complete = await _already_said(claim) if claim.taken_over else (0, "", False)
        if complete:
            return
        if seq:
            log.info("continuing a reply", extra={"clauses": seq, "characters": len(spoken)})

        async def wanted() -> None:
            # A guess that came true is given its first sample of credit when it is released.
            await claim.wait_for_credit(1, ahead_samples=0)

        reply = reply_pieces(self._engine, turn, spoken=spoken, toolbox=self._toolbox, wanted=wanted)
        pieces = with_signs_of_life(reply, every_s=SIGN_OF_LIFE_S, sign=pb.TextPiece)
        begun = bool(spoken)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    seq += 1
                    await claim.publish(seq, piece)
                    if piece.text and not begun and turn.created_unix_ms:
                        observe_hop("llm_first_clause", max(0.0, time.time() - turn.created_unix_ms / 1000))
                    begun = begun or bool(piece.text)
        except ServiceUnavailable as error:
            await claim.publish(seq + 1, self._apology(turn, error, begun=begun))

    def _apology(self, turn: pb.Turn, error: ServiceUnavailable, *, begun: bool) -> pb.TextPiece:
        log.warning("the model cannot be reached", extra={"reason": str(error)})
        text = load_avatar(self._avatars_dir, turn.avatar).mind.apology
        notice = pb.StageError(stage=Stage.LLM.value, code=error.code, message=str(error))
        return pb.TextPiece(text=f" {text}" if begun else text, last=True, notice=notice)


async def _already_said(claim: Claim) -> tuple[int, str, bool]:
    """The last seq, the text so far and whether the reply is complete, of a worker that died."""
    seq, text, complete = 0, "", False
    for entry in await claim.published():
        if isinstance(entry.piece, pb.TextPiece):
            seq = max(seq, entry.seq)
            text += entry.piece.text
            complete = complete or entry.piece.last or entry.piece.HasField("error")
    return seq, text, complete
