"""The gRPC door: `Speak`, text in as it comes, speech out."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import aclosing

import grpc.aio

from parley.errors import BadRequest
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import tts_pb2, tts_pb2_grpc
from services.tts.pacing import Pacer
from services.tts.reply import speech
from services.tts.voices import Casting

IDLE_S = 60.0


class TtsServicer(tts_pb2_grpc.TtsServicer):
    """Serves `parley.v1.Tts`.

    Args:
        casting: Finds the voices.
        executor: Threads for the synthesis.
    """

    def __init__(self, casting: Casting, executor: Executor) -> None:
        self._casting = casting
        self._executor = executor

    async def Speak(
        self,
        requests: AsyncIterator[tts_pb2.SpeakRequest],
        context: "grpc.aio.ServicerContext[tts_pb2.SpeakRequest, pb.SpeechPiece]",
    ) -> AsyncIterator[pb.SpeechPiece]:
        """Speaks one reply; see tts.proto. gRPC's flow control is the back-pressure.

        Raises:
            BadRequest: No request came, or its voice or speed makes no sense.
            UnknownAvatar: There is no such avatar.
            EngineUnavailable: The voice is not installed.
        """
        first = await _next(requests)
        if first is None:
            raise BadRequest("The call holds no request.", fix="Send an avatar or a voice, and text.")
        speaker = await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: self._casting.speaker(first.avatar, voice=first.voice, speed=first.speed)
        )

        pacer = Pacer(self._casting.engine, speaker)
        async with aclosing(speech(pacer, _texts(first, requests), executor=self._executor)) as pieces:
            async for piece in pieces:
                yield piece


async def _texts(
    first: tts_pb2.SpeakRequest, requests: AsyncIterator[tts_pb2.SpeakRequest]
) -> AsyncIterator[tuple[int, pb.TextPiece]]:
    """The text pieces of a call, numbered; a call that ends without `last` ends the reply."""
    request: tts_pb2.SpeakRequest | None = first
    seq = 0
    while request is not None:
        if request.HasField("piece"):
            seq += 1
            yield seq, request.piece
        request = await _next(requests)


async def _next(requests: AsyncIterator[tts_pb2.SpeakRequest]) -> tts_pb2.SpeakRequest | None:
    """The next request; None when the caller has sent all.

    Raises:
        BadRequest: None came for a minute.
    """
    try:
        async with asyncio.timeout(IDLE_S):
            return await anext(requests, None)
    except TimeoutError:
        raise BadRequest(
            f"No text came for {IDLE_S:.0f} s.", fix="Send `last` with the last clause."
        ) from None
