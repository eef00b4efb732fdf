"""The llm service over real gRPC."""

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache

import grpc
import grpc.aio
import pytest

from parley.engines import LlmEngine
from parley.rpc.server import RpcServer
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import info_pb2, llm_pb2_grpc
from services.llm.engines.fake import FakeEngine
from services.llm.engines.notes import NotesEngine
from services.llm.servicer import LlmServicer


@lru_cache(maxsize=1)
def notes() -> NotesEngine:
    """One for all tests."""
    return NotesEngine(REPOSITORY / "avatars")


class Running:
    """A server on a free port, and a stub for it."""

    def __init__(self, engine: LlmEngine) -> None:
        servicer = LlmServicer(engine)
        self.server = RpcServer(
            grpc_name="parley.v1.Llm",
            info=info_pb2.ServiceInfo(name="llm", engine=engine.name),
            add_to=lambda server: llm_pb2_grpc.add_LlmServicer_to_server(servicer, server),
        )

    async def __aenter__(self) -> llm_pb2_grpc.LlmStub:
        await self.server.start("127.0.0.1", 0)
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.server.port}")
        return llm_pb2_grpc.LlmStub(self.channel)

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self.server.stop(0)


def turn(text: str, avatar: str = "mira") -> pb.Turn:
    return pb.Turn(avatar=avatar, history=[pb.Message(role=pb.ROLE_USER, text=text)])


async def collect(stream: AsyncIterator[pb.TextPiece]) -> list[pb.TextPiece]:
    async with asyncio.timeout(20):
        return [piece async for piece in stream]


async def test_an_answer_comes_clause_by_clause_with_its_source() -> None:
    async with Running(notes()) as stub:
        pieces = await collect(stub.Generate(turn("what is the north star")))
    assert len(pieces) >= 2
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert "".join(piece.text for piece in pieces).startswith("The north star stands almost exactly")
    assert list(pieces[0].citations) == ["night_sky/the-north-star"]
    assert all(piece.created_unix_ms for piece in pieces)


@pytest.mark.parametrize(
    ("work", "status", "code"),
    [
        (pb.Turn(avatar="mira"), grpc.StatusCode.INVALID_ARGUMENT, "invalid_request"),
        (turn("hello", avatar="../etc"), grpc.StatusCode.NOT_FOUND, "unknown_avatar"),
        (turn("hello", avatar="nobody"), grpc.StatusCode.NOT_FOUND, "unknown_avatar"),
    ],
)
async def test_what_cannot_be_answered_is_refused(work: pb.Turn, status: grpc.StatusCode, code: str) -> None:
    async with Running(notes()) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await collect(stub.Generate(work))
    assert failed.value.code() is status
    assert dict(failed.value.trailing_metadata() or ())["parley-code"] == code


async def test_cancelling_the_call_stops_the_model() -> None:
    engine = FakeEngine(["A clause, " + "word " * 10_000], delay_s=0.001)
    async with Running(engine) as stub:
        call = stub.Generate(turn("hello"))
        async with asyncio.timeout(10):
            assert (await call.read()).text == "A clause,"
        call.cancel()
        async with asyncio.timeout(10):
            made = -1
            while made != engine.words_made:
                made = engine.words_made
                await asyncio.sleep(0.05)
    assert made < 10_000
