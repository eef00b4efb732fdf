"""`parley.v1.Tts` over a real gRPC connection."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc.aio
import pytest

from parley.errors import BadRequest, ParleyError, UnknownAvatar
from parley.media.clock import FRAME_SAMPLES
from parley.rpc.client import channel
from parley.rpc.errors import translated
from parley.rpc.server import RpcServer
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import info_pb2, tts_pb2, tts_pb2_grpc
from services.tts import servicer as servicer_module
from services.tts.engines.fake import FakeEngine
from services.tts.servicer import TtsServicer
from services.tts.voices import Casting

MANIFEST = "title: Ann\ndescription: Somebody.\nvoice: {engine: fake, voice: low}\n"
PATIENCE_S = 10.0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
async def stub(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[tts_pb2_grpc.TtsStub]:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "avatar.yaml").write_text(MANIFEST, encoding="utf-8")
    engine = FakeEngine()
    servicer = TtsServicer(Casting(engine, tmp_path), executor)
    server = RpcServer(
        grpc_name="parley.v1.Tts",
        info=info_pb2.ServiceInfo(name="tts", engine=engine.name, model=engine.model, version="0"),
        add_to=lambda grpc: tts_pb2_grpc.add_TtsServicer_to_server(servicer, grpc),
        keys=frozenset(),
    )
    await server.start("127.0.0.1", 0)
    async with channel(f"127.0.0.1:{server.port}") as link:
        yield tts_pb2_grpc.TtsStub(link)
    await server.stop(1.0)


def requests(texts: Sequence[str], **first: object) -> Iterator[tts_pb2.SpeakRequest]:
    yield tts_pb2.SpeakRequest(**first)  # type: ignore[arg-type]
    for number, text in enumerate(texts, 1):
        yield tts_pb2.SpeakRequest(piece=pb.TextPiece(text=text, last=number == len(texts)))


async def speak(stub: tts_pb2_grpc.TtsStub, texts: Sequence[str], **first: object) -> list[pb.SpeechPiece]:
    with translated("tts"):
        call = stub.Speak(requests(texts, **first), timeout=PATIENCE_S)
        return [piece async for piece in call]


async def test_a_reply(stub: tts_pb2_grpc.TtsStub) -> None:
    pieces = await speak(stub, ["Hello there,", " how are you?"], avatar="ann")
    at = 0
    for piece in pieces:
        assert piece.pts_samples == at
        assert len(piece.pcm) % (2 * FRAME_SAMPLES) == 0
        assert piece.created_unix_ms > 0
        at += len(piece.pcm) // 2
    assert [piece.last for piece in pieces].count(True) == 1
    assert pieces[-1].last
    assert {piece.clause for piece in pieces} == {1, 2}


async def test_speech_comes_while_text_is_still_being_written(stub: tts_pb2_grpc.TtsStub) -> None:
    call = stub.Speak(timeout=PATIENCE_S)
    await call.write(tts_pb2.SpeakRequest(avatar="ann", piece=pb.TextPiece(text="Hello,")))
    first = await call.read()
    assert first.clause == 1
    await call.write(tts_pb2.SpeakRequest(piece=pb.TextPiece(text=" you.", last=True)))
    await call.done_writing()
    pieces = [first]
    while (piece := await call.read()) is not grpc.aio.EOF:
        pieces.append(piece)
    assert pieces[-1].last


async def test_speed_and_voice(stub: tts_pb2_grpc.TtsStub) -> None:
    usual = await speak(stub, ["Quite a long sentence this is."], voice="high")
    fast = await speak(stub, ["Quite a long sentence this is."], voice="high", speed=2.0)
    assert len(fast) < len(usual)


async def test_a_call_that_ends_without_last_ends_the_reply(stub: tts_pb2_grpc.TtsStub) -> None:
    call = stub.Speak(
        iter([tts_pb2.SpeakRequest(avatar="ann", piece=pb.TextPiece(text="Hello."))]), timeout=PATIENCE_S
    )
    assert [piece.last async for piece in call][-1]


@pytest.mark.parametrize(
    ("first", "error"),
    [
        ({"avatar": "nobody"}, UnknownAvatar),
        ({"avatar": "../ann"}, UnknownAvatar),
        ({"voice": "nobody"}, BadRequest),
        ({"avatar": "ann", "speed": 7.0}, BadRequest),
        ({}, BadRequest),
    ],
)
async def test_nonsense_is_refused_by_name(
    stub: tts_pb2_grpc.TtsStub, first: dict[str, object], error: type[ParleyError]
) -> None:
    with pytest.raises(error, match="Fix:"):
        await speak(stub, ["Hello."], **first)


async def test_an_empty_call_is_refused(stub: tts_pb2_grpc.TtsStub) -> None:
    with pytest.raises(BadRequest), translated("tts"):
        call = stub.Speak(iter(()), timeout=PATIENCE_S)
        assert [piece async for piece in call] == []


async def test_a_silent_caller_is_not_waited_for_for_ever(
    stub: tts_pb2_grpc.TtsStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer_module, "IDLE_S", 0.05)
    with pytest.raises(BadRequest), translated("tts"):
        call = stub.Speak(timeout=PATIENCE_S)
        await call.write(tts_pb2.SpeakRequest(avatar="ann"))
        await call.read()


async def test_cancelling_stops_it(stub: tts_pb2_grpc.TtsStub) -> None:
    call = stub.Speak(timeout=PATIENCE_S)
    await call.write(tts_pb2.SpeakRequest(avatar="ann", piece=pb.TextPiece(text="Hello,")))
    await call.read()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert (await speak(stub, ["Still here."], avatar="ann"))[-1].last
