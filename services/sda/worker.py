"""The chain's door: a reply's speech in, its face out on the session's video stream."""

import logging
import time
from contextlib import aclosing

from parley.chain.interface import Claim
from parley.errors import StaleGeneration
from parley.media.clock import FRAME_SAMPLES, ms_to_samples
from parley.telemetry.metrics import observe_hop
from proto.parley.v1 import chain_pb2 as pb
from services.sda.drawing import FRAMES_A_PIECE, Drawing, Studio, seed_of, steps

log = logging.getLogger(__name__)

LATE = 2 * FRAME_SAMPLES  # behind what was played by more than the frame being shown and one more


class Worker:
    """Works off replies, several at once; holds nothing between them.

    Args:
        studio: Who draws.
        ahead_ms: How far the face may run ahead of what was played.
    """

    def __init__(self, studio: Studio, *, ahead_ms: int = 2000) -> None:
        self._studio = studio
        self._ahead = ms_to_samples(ahead_ms)

    async def handle(self, claim: Claim) -> None:
        """Animates one reply. Frames already sent by a worker that died are drawn again, unseen.

        Raises:
            StaleGeneration: The reply is not wanted any more.
            LostClaim: Another worker goes on with it.
            ParleyError: It cannot be drawn.
        """
        reply = claim.item
        assert isinstance(reply, pb.Reply)
        if not reply.video.codec:
            return
        sent, complete = await _already_sent(claim) if claim.taken_over else (0, False)
        if complete:
            return
        if sent:
            log.info("continuing a face", extra={"frames": sent})
        seed = seed_of(reply.trace.session, reply.trace.generation)
        drawing = await self._studio.open(reply.avatar, reply.video, seed=seed, skip=sent)
        try:
            await self._animate(claim, reply, drawing)
        finally:
            await self._studio.close_drawing(drawing)

    async def _animate(self, claim: Claim, reply: pb.Reply, drawing: Drawing) -> None:
        engine = drawing.engine

        def late(pts: int) -> bool:
            return pts + LATE < claim.played_samples()

        async with aclosing(claim.upstream()) as entries:  # type: ignore[type-var]
            async for entry in entries:
                speech = entry.piece
                assert isinstance(speech, pb.SpeechPiece)
                if speech.HasField(
                    "error"
                ):  # the voice failed and says so itself: the face ends with what there is
                    speech = pb.SpeechPiece(last=True, has_phones=speech.has_phones)
                for step in steps(
                    speech, first=0 if drawing.drawn else engine.lookahead_samples + FRAME_SAMPLES
                ):
                    if claim.stale.is_set():
                        raise StaleGeneration("The reply was flushed or taken over while it was being drawn.")
                    frames = await self._studio.push(drawing, step, late)
                    first = drawing.drawn > 0 and bool(frames) and frames[0].pts_samples == 0
                    await self._publish(claim, drawing, frames, last=step.last, engine=engine.name)
                    if first and speech.created_unix_ms:
                        observe_hop("sda_first_frame", max(0.0, time.time() - speech.created_unix_ms / 1000))

    async def _publish(
        self, claim: Claim, drawing: Drawing, frames: list[pb.VideoFrame], *, last: bool, engine: str
    ) -> None:
        """Publishes in pieces of at most `FRAMES_A_PIECE`, as far ahead as the credit allows."""
        codec = claim.item.video.codec
        groups = [frames[i : i + FRAMES_A_PIECE] for i in range(0, len(frames), FRAMES_A_PIECE)]
        if last and not groups:
            groups = [[]]
        for number, group in enumerate(groups, 1):
            ends = last and number == len(groups)
            index = drawing.drawn if ends or not group else group[-1].pts_samples // FRAME_SAMPLES + 1
            if group:
                await claim.wait_for_credit(group[0].pts_samples, ahead_samples=self._ahead)
            piece = pb.VideoPiece(frames=group, codec=codec, engine=engine, last=ends)
            piece.created_unix_ms = time.time_ns() // 1_000_000
            await claim.publish(max(index, 1), piece)


async def _already_sent(claim: Claim) -> tuple[int, bool]:
    """How many frames a worker that died has sent, and whether that was all."""
    sent, complete = 0, False
    for entry in await claim.published():
        if isinstance(entry.piece, pb.VideoPiece):
            sent = max(sent, entry.seq)
            complete = complete or entry.piece.last or entry.piece.HasField("error")
    return sent, complete
