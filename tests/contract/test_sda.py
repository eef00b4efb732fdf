"""The face over real gRPC."""

import asyncio
from pathlib import Path

import grpc.aio
import numpy as np
import pytest

from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES
from parley.media.video import VideoDecoder
from parley.rpc.server import RpcServer
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import info_pb2, info_pb2_grpc, sda_pb2, sda_pb2_grpc
from services.sda.config import SdaSettings
from services.sda.drawing import Studio
from services.sda.engines import Faces
from services.sda.servicer import SdaServicer


@pytest.fixture
async def face(tmp_path: Path):
    studio = Studio(Faces(SdaSettings(engine="fake", avatars_dir=tmp_path)), threads=2)
    servicer = SdaServicer(studio)
    info = info_pb2.ServiceInfo(name="sda", engine="fake", model="bar", version="test")
    server = RpcServer(
        grpc_name="parley.v1.Sda",
        info=info,
        add_to=lambda s: sda_pb2_grpc.add_SdaServicer_to_server(servicer, s),
    )
    await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
    await server.stop(0)
    studio.close()


def requests(count, *, codec="h264", each=4):
    audio = np.random.default_rng(0).uniform(-0.4, 0.4, count * FRAME_SAMPLES).astype(np.float32)
    yield sda_pb2.AnimateRequest(avatar="mira", video=pb.VideoFormat(codec=codec))
    for start in range(0, count, each):
        part = audio[start * FRAME_SAMPLES : (start + each) * FRAME_SAMPLES]
        piece = pb.SpeechPiece(
            pts_samples=start * FRAME_SAMPLES, pcm=float_to_pcm16(part), last=start + each >= count
        )
        yield sda_pb2.AnimateRequest(piece=piece)


@pytest.mark.parametrize("codec", ["h264", "vp8", "jpeg"])
async def test_speech_becomes_video(face, codec):
    stub = sda_pb2_grpc.SdaStub(face)
    async with asyncio.timeout(10):
        pieces = [p async for p in stub.Animate(requests(11, codec=codec))]
    shown = [f for p in pieces for f in p.frames]
    assert [f.pts_samples for f in shown] == [i * FRAME_SAMPLES for i in range(11)]
    assert shown[0].keyframe and pieces[-1].last and not pieces[0].last
    decoder = VideoDecoder(codec)
    assert all(decoder.decode(f.data)[0].shape == (64, 64, 3) for f in shown)


async def test_a_caller_that_ends_without_saying_so_gets_the_rest(face):
    stub = sda_pb2_grpc.SdaStub(face)
    given = list(requests(8))
    given[-1].piece.last = False
    async with asyncio.timeout(10):
        pieces = [p async for p in stub.Animate(given)]
    assert sum(len(p.frames) for p in pieces) == 8 and pieces[-1].last


async def test_frames_come_while_speech_is_still_being_given(face):
    stub = sda_pb2_grpc.SdaStub(face)
    call = stub.Animate()
    given = list(requests(20, each=5))
    async with asyncio.timeout(10):
        for request in given[:2]:
            await call.write(request)
        first = await call.read()
        assert first.frames[0].pts_samples == 0
        call.cancel()


async def test_the_idle_loop_starts_with_its_only_keyframe(face):
    stub = sda_pb2_grpc.SdaStub(face)
    async with asyncio.timeout(10):
        request = sda_pb2.IdleRequest(avatar="mira", video=pb.VideoFormat(codec="h264"))
        pieces = [p async for p in stub.Idle(request)]
        again = [p async for p in stub.Idle(request)]
    shown = [f for p in pieces for f in p.frames]
    assert [f.keyframe for f in shown] == [True] + [False] * 99
    assert pieces[-1].last and pieces == again


async def test_what_cannot_be_drawn_is_refused_with_its_cause(face):
    stub = sda_pb2_grpc.SdaStub(face)
    async with asyncio.timeout(10):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [p async for p in stub.Animate(requests(3, codec="av1"))]
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "av1" in (refused.value.details() or "")


async def test_it_says_what_it_is(face):
    info = await info_pb2_grpc.InfoStub(face).Describe(info_pb2.DescribeRequest(), timeout=5)
    assert (info.name, info.engine) == ("sda", "fake")
