"""The ears over real gRPC."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from parley.conversation.interface import EarStream
from parley.errors import BadRequest, EngineUnavailable, ParleyError, ServiceUnavailable, UnknownAvatar
from parley.rpc.ears import GrpcEars
from parley.rpc.server import RpcServer
from proto.parley.v1 import asr_pb2 as pb
from proto.parley.v1 import asr_pb2_grpc, info_pb2
from services.asr.config import AsrSettings
from services.asr.engines import load
from services.asr.engines.sphinx import SphinxEngine
from services.asr.inprocess import LocalEars
from services.asr.servicer import AsrServicer
from tests.unit.services.asr.speech import pcm24k, recorded, room

PATIENCE_S = 60


@pytest.fixture(scope="module")
def engine() -> SphinxEngine:
    return SphinxEngine(warm=2)


@pytest.fixture
def servicer(engine: SphinxEngine) -> AsrServicer:
    return AsrServicer(engine, AsrSettings())


@pytest.fixture
async def ears(engine: SphinxEngine, servicer: AsrServicer) -> AsyncIterator[GrpcEars]:
    server = RpcServer(
        grpc_name="parley.v1.Asr",
        info=info_pb2.ServiceInfo(name="asr", engine=engine.name),
        add_to=lambda to: asr_pb2_grpc.add_AsrServicer_to_server(servicer, to),
    )
    await server.start("127.0.0.1", 0)
    client = GrpcEars(f"127.0.0.1:{server.port}")
    yield client
    await client.close()
    await server.stop(0)


def said(name: str) -> bytes:
    return pcm24k(np.concatenate([room(400), recorded(name), room(700, seed=1)]))


async def converse(
    ears: GrpcEars | LocalEars, pcm: bytes, *, config: pb.ListenConfig | None = None
) -> list[pb.ListenEvent]:
    """Streams `pcm`, asks for the transcript, and reads up to it."""
    stream = await ears.open(config or pb.ListenConfig(session="s", vad=True))
    events = []
    async with asyncio.timeout(PATIENCE_S):
        for start in range(0, len(pcm), 960):
            await stream.send(pb.ListenRequest(pcm=pcm[start : start + 960]))
            await asyncio.sleep(0)
        await stream.send(pb.ListenRequest(finalize=pb.Finalize(id=7)))
        async for event in stream.events():
            events.append(event)
            if event.HasField("final"):
                break
    await stream.close()
    return events


def kinds(events: list[pb.ListenEvent]) -> list[str]:
    return [str(event.WhichOneof("kind")) for event in events]


async def test_a_person_is_heard(ears: GrpcEars) -> None:
    events = await converse(ears, said("something"))

    told = kinds(events)
    assert told[0] == "ready" and events[0].ready.engine == "sphinx"
    assert told.index("speech_started") < told.index("speech_stopped") < told.index("pause")
    assert "partial" in told
    final = events[-1].final
    assert final.id == 7 and final.error == ""
    assert {"somewhere", "do", "something"} <= set(final.text.split())
    assert 0.5 < final.confidence <= 1
    starts = [word.start_samples for word in final.words]
    assert starts == sorted(starts) and starts[0] > 0.4 * 24_000


async def test_push_to_talk(ears: GrpcEars) -> None:
    events = await converse(ears, said("something"), config=pb.ListenConfig(session="ptt", vad=False))
    assert set(kinds(events)) <= {"ready", "partial", "final"}
    assert "somewhere" in events[-1].final.text


async def test_the_same_ears_in_process(engine: SphinxEngine) -> None:
    local = LocalEars(engine)
    events = await converse(local, said("something"))
    assert "somewhere" in events[-1].final.text
    local.close()


async def test_a_turn_after_reset_begins_empty(ears: GrpcEars) -> None:
    stream = await ears.open(pb.ListenConfig(session="two turns", vad=True))
    texts = []
    async with asyncio.timeout(PATIENCE_S):
        for number, name in enumerate(["something", "goforward"], 1):
            await stream.send(pb.ListenRequest(pcm=said(name)))
            await stream.send(pb.ListenRequest(finalize=pb.Finalize(id=number)))
            await stream.send(pb.ListenRequest(reset=pb.Reset()))
        async for event in stream.events():
            if event.HasField("final"):
                texts.append(event.final.text)
                if event.final.id == 2:
                    break
    await stream.close()
    assert "something" in texts[0]
    assert "forward" in texts[1] and "something" not in texts[1]


async def test_sessions_side_by_side(ears: GrpcEars) -> None:
    async with asyncio.TaskGroup() as group:
        names = ["something", "goforward", "something"]
        talks = [group.create_task(converse(ears, said(name))) for name in names]
    finals = [talk.result()[-1].final.text for talk in talks]
    assert finals[0] == finals[2] == "go somewhere and do something"
    assert "forward" in finals[1]


async def refused(ears: GrpcEars, *requests: pb.ListenRequest) -> ParleyError:
    stream = await ears.open(pb.ListenConfig(session="bad", vad=True))
    with pytest.raises(ParleyError) as caught:
        async with asyncio.timeout(PATIENCE_S):
            for request in requests:
                await stream.send(request)
            async for _ in stream.events():
                pass
    return caught.value


async def test_malformed_requests_are_refused_and_the_server_lives(ears: GrpcEars) -> None:
    odd = await refused(ears, pb.ListenRequest(pcm=b"\0\0\0"))
    assert isinstance(odd, BadRequest) and "3 bytes" in odd.message
    empty = await refused(ears, pb.ListenRequest())
    assert isinstance(empty, BadRequest)
    twice = await refused(ears, pb.ListenRequest(config=pb.ListenConfig(session="again")))
    assert isinstance(twice, BadRequest) and "once" in twice.message

    events = await converse(ears, said("something"))
    assert "somewhere" in events[-1].final.text


async def test_a_stream_must_begin_with_its_config(ears: GrpcEars) -> None:
    call = ears._stub.Listen(iter([pb.ListenRequest(pcm=b"\0\0")]))
    with pytest.raises(Exception, match="config"):
        async for _ in call:
            pass


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (pb.ListenConfig(avatar="nobody"), UnknownAvatar),
        (pb.ListenConfig(avatar="../../etc"), UnknownAvatar),
        (pb.ListenConfig(language="fr-FR"), BadRequest),
        (pb.ListenConfig(vad=True, vad_threshold=7), BadRequest),
    ],
)
async def test_bad_configs_say_why(ears: GrpcEars, config: pb.ListenConfig, error: type[ParleyError]) -> None:
    stream = await ears.open(config)
    with pytest.raises(error):
        async with asyncio.timeout(PATIENCE_S):
            async for _ in stream.events():
                pass


async def test_nobody_listens_is_a_clear_error() -> None:
    ears = GrpcEars("127.0.0.1:1")
    with pytest.raises(ServiceUnavailable, match=r"asr at 127\.0\.0\.1:1"):
        async with asyncio.timeout(PATIENCE_S):
            stream = await ears.open(pb.ListenConfig(session="s"))
            async for _ in stream.events():
                pass
    await ears.close()


def test_auto_prefers_installed_whisper_weights() -> None:
    assert load("auto", AsrSettings(model="", warm=0)).name == "sphinx"
    with pytest.raises(EngineUnavailable, match="/no/such/model"):
        load("auto", AsrSettings(model="/no/such/model"))


async def test_ears_that_are_to_stop_hear_the_turn_out_first(servicer: AsrServicer, ears: GrpcEars) -> None:
    resting = await ears.open(pb.ListenConfig(session="rests", vad=True))
    talking = await ears.open(pb.ListenConfig(session="talks", vad=True))
    told: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        await talking.send(pb.ListenRequest(pcm=said("something")))
        async for event in talking.events():
            told.append(str(event.WhichOneof("kind")))
            if event.HasField("speech_stopped"):
                break
        servicer.retire()
        assert kinds([event async for event in _until(resting, "leaving")]) == ["ready", "leaving"]
        await talking.send(pb.ListenRequest(finalize=pb.Finalize(id=1)))
        assert "leaving" not in kinds([event async for event in _until(talking, "final")])
        await talking.send(pb.ListenRequest(reset=pb.Reset()))
        assert kinds([event async for event in _until(talking, "leaving")])[-1] == "leaving"
    await resting.close()
    await talking.close()


async def _until(stream: EarStream, kind: str) -> AsyncIterator[pb.ListenEvent]:
    async for event in stream.events():
        yield event
        if event.HasField(kind):
            return
