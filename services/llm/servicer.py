"""The gRPC door: `Llm.Generate`."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc.aio

from parley.engines import LlmEngine
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import llm_pb2_grpc
from services.llm.replies import reply_pieces
from services.llm.tools.rounds import Toolbox


class LlmServicer(llm_pb2_grpc.LlmServicer):
    """Answers turns directly, without the chain."""

    def __init__(self, engine: LlmEngine, toolbox: Toolbox | None = None) -> None:
        """Args:
        engine: Who answers.
        toolbox: Functions that it may call.
        """
        self._engine = engine
        self._toolbox = toolbox

    async def Generate(
        self, request: pb.Turn, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.TextPiece]:
        """Streams the reply's clauses. Cancelling the call stops the model."""
        async with aclosing(reply_pieces(self._engine, request, toolbox=self._toolbox)) as pieces:
            async for piece in pieces:
                yield piece
