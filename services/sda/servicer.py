"""The gRPC door: `Sda.Animate` and `Sda.Idle`."""

from collections.abc import AsyncIterator

import grpc.aio

from parley.errors import BadRequest
from parley.media.clock import FRAME_SAMPLES
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import sda_pb2, sda_pb2_grpc
from services.sda.drawing import Studio, pieces, seed_of, steps


class SdaServicer(sda_pb2_grpc.SdaServicer):
    """Animates speech without the chain; nothing is dropped or paced, the caller reads at its own rate."""

    def __init__(self, studio: Studio) -> None:
        """Args:
        studio: Who draws.
        """
        self._studio = studio

    async def Animate(
        self, requests: AsyncIterator[sda_pb2.AnimateRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.VideoPiece]:
        """Speech in as it comes, frames out."""
        requests = aiter(requests)
        first = await anext(requests, None)
        if first is None:
            raise BadRequest(
                "An Animate stream needs at least one request.", fix="Send avatar and video first."
            )
        drawing = await self._studio.open(first.avatar, first.video, seed=seed_of("animate", first.avatar))
        engine = drawing.engine
        try:
            request = first
            while True:  # a caller that hangs up its side has said all there is
                if request.HasField("piece"):
                    first_step = 0 if drawing.drawn else engine.lookahead_samples + FRAME_SAMPLES
                    for step in steps(request.piece, first=first_step):
                        frames = await self._studio.push(drawing, step, lambda pts: False)
                        if frames or step.last:
                            yield pb.VideoPiece(
                                frames=frames, codec=first.video.codec, engine=engine.name, last=step.last
                            )
                    if request.piece.last:
                        return
                request = await anext(requests, sda_pb2.AnimateRequest(piece=pb.SpeechPiece(last=True)))
        finally:
            await self._studio.close_drawing(drawing)

    async def Idle(
        self, request: sda_pb2.IdleRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.VideoPiece]:
        """The silent loop."""
        engine = self._studio.faces.engine(request.avatar)
        frames = await self._studio.idle(request.avatar, request.video)
        async for piece in pieces(frames, codec=request.video.codec, engine=engine.name):
            yield piece
