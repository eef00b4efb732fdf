"""The chain's door: speaks the replies that come in over `sentences`."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import aclosing

from parley.chain.interface import Claim
from parley.media.clock import ms_to_samples
from proto.parley.v1 import chain_pb2 as pb
from services.tts.pacing import Pacer
from services.tts.reply import speech
from services.tts.voices import Casting


class Worker:
    """Works off claims of the tts stage, several at once.

    Args:
        casting: Finds the voices.
        executor: Threads for the synthesis.
        ahead_ms: Speech sent ahead of what the client has played.
    """

    def __init__(self, casting: Casting, executor: Executor, *, ahead_ms: int = 2000) -> None:
        self._casting = casting
        self._executor = executor
        self._ahead = ms_to_samples(ahead_ms)

    async def handle(self, claim: Claim) -> None:
        """Speaks one reply from its start; what a worker that died has sent is refused as a repeat.

        Raises:
            StaleGeneration: The reply was flushed.
            LostClaim: Another worker has it now.
            ParleyError: The voice is missing, or the engine failed.
        """
        reply = claim.item
        assert isinstance(reply, pb.Reply)
        if reply.video.codec:
            await claim.hand_on()
        loop = asyncio.get_running_loop()
        speaker = await loop.run_in_executor(self._executor, self._casting.speaker, reply.avatar)
        repeating = claim.taken_over
        pacer = Pacer(self._casting.engine, speaker)
        async with aclosing(speech(pacer, _texts(claim), executor=self._executor)) as pieces:
            seq = 0
            async for piece in pieces:
                seq += 1
                if not repeating:
                    await claim.wait_for_credit(piece.pts_samples, ahead_samples=self._ahead)
                repeating = not await claim.publish(seq, piece) and repeating


async def _texts(claim: Claim) -> AsyncIterator[tuple[int, pb.TextPiece]]:
    async for entry in claim.upstream():
        if isinstance(entry.piece, pb.TextPiece):
            yield entry.seq, entry.piece
