"""The gRPC shell: errors with their codes, keys, health, reflection, limits, a graceful end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parley.errors import BadRequest, ConfigError, ParleyError, ServiceUnavailable, UnknownAvatar
from parley.rpc import healthcheck
from parley.rpc.client import channel, describe
from parley.rpc.errors import translated
from parley.rpc.limits import MAX_MESSAGE_BYTES
from parley.rpc.server import RpcServer
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import info_pb2, llm_pb2_grpc, tts_pb2, tts_pb2_grpc


class Llm(llm_pb2_grpc.LlmServicer):
    """Does what the avatar's name says."""

    cancelled = False

    async def Generate(
        self, request: pb.Turn, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.TextPiece]:
        yield pb.TextPiece(text="one")
        if request.avatar == "nobody":
            raise UnknownAvatar("There is no avatar named 'nobody'.", fix="Choose one of: mira – or théo.")
        if request.avatar == "broken":
            raise ZeroDivisionError
        if request.avatar == "slow":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                Llm.cancelled = True
                raise
        yield pb.TextPiece(text="two", last=True)


class Tts(tts_pb2_grpc.TtsServicer):
    """Echoes; refuses a speed of 9."""

    async def Speak(self, request_iterator, context) -> AsyncIterator[pb.SpeechPiece]:
        async for request in request_iterator:
            if request.speed == 9:
                raise BadRequest("speed must be 0.5 to 2.", code="bad_speed")
            yield pb.SpeechPiece(pcm=request.piece.text.encode(), last=request.piece.last)


def add_both(server: grpc.aio.Server) -> None:
    llm_pb2_grpc.add_LlmServicer_to_server(Llm(), server)
    tts_pb2_grpc.add_TtsServicer_to_server(Tts(), server)


@asynccontextmanager
async def serving(**options) -> AsyncIterator[RpcServer]:
    info = info_pb2.ServiceInfo(name="llm", engine="fake", model="three words", version="1")
    server = RpcServer(grpc_name="parley.v1.Llm", info=info, add_to=add_both, **options)
    await server.start("127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.stop(0)


async def collect(address: str, avatar: str, *, api_key: str = "") -> list[str]:
    async with channel(address, api_key=api_key) as link:
        with translated("llm"):
            return [
                p.text async for p in llm_pb2_grpc.LlmStub(link).Generate(pb.Turn(avatar=avatar), timeout=5)
            ]


async def test_a_call_and_who_answers() -> None:
    async with serving() as server:
        address = f"127.0.0.1:{server.port}"
        assert await collect(address, "mira") == ["one", "two"]
        assert (await describe(address)).engine == "fake"


async def test_a_parley_error_arrives_as_it_was_raised() -> None:
    async with serving() as server:
        with pytest.raises(UnknownAvatar) as caught:
            await collect(f"127.0.0.1:{server.port}", "nobody")
    assert caught.value.code == "unknown_avatar"
    assert caught.value.message == "There is no avatar named 'nobody'."
    assert caught.value.fix == "Choose one of: mira – or théo."


async def test_an_unexpected_error_tells_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        with pytest.raises(ParleyError) as caught:
            await collect(f"127.0.0.1:{server.port}", "broken")
    assert caught.value.code == "internal_error" and "division" not in str(caught.value)
    assert "ZeroDivisionError" in caplog.text


async def test_a_stream_both_ways() -> None:
    async with serving() as server, channel(f"127.0.0.1:{server.port}") as link:
        call = tts_pb2_grpc.TtsStub(link).Speak(timeout=5)
        await call.write(tts_pb2.SpeakRequest(piece=pb.TextPiece(text="hi")))
        assert (await call.read()).pcm == b"hi"
        await call.write(tts_pb2.SpeakRequest(speed=9))
        with pytest.raises(BadRequest) as caught, translated("tts"):
            await call.read()
        assert caught.value.code == "bad_speed"


async def test_cancelling_a_call_stops_the_work() -> None:
    Llm.cancelled = False
    async with serving() as server, channel(f"127.0.0.1:{server.port}") as link:
        call = llm_pb2_grpc.LlmStub(link).Generate(pb.Turn(avatar="slow"))
        assert (await call.read()).text == "one"
        call.cancel()
        async with asyncio.timeout(2):
            while not Llm.cancelled:
                await asyncio.sleep(0.01)


async def test_nobody_there_is_told_with_the_fix() -> None:
    with pytest.raises(ServiceUnavailable, match=r"127\.0\.0\.1:1 is running"):
        await describe("127.0.0.1:1")


async def test_keys_are_asked_for_but_not_by_health_checks() -> None:
    async with serving(keys=frozenset({"k1", "k2"})) as server:
        address = f"127.0.0.1:{server.port}"
        for wrong in ("", "k3"):
            with pytest.raises(ParleyError) as caught:
                await collect(address, "mira", api_key=wrong)
            assert caught.value.code == "invalid_api_key"
        assert await collect(address, "mira", api_key="k2") == ["one", "two"]
        assert (await describe(address, api_key="k1")).name == "llm"
        async with channel(address, api_key="k1") as link:
            call = tts_pb2_grpc.TtsStub(link).Speak(timeout=5)
            await call.write(tts_pb2.SpeakRequest(piece=pb.TextPiece(text="hi")))
            assert (await call.read()).pcm == b"hi"
            await call.done_writing()
        assert await asyncio.to_thread(healthcheck.check, address) == "SERVING"


async def test_health_and_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving() as server:
        port = str(server.port)
        assert await asyncio.to_thread(healthcheck.main, [port]) == 0
        assert await asyncio.to_thread(healthcheck.main, [f"127.0.0.1:{port}", "parley.v1.Llm"]) == 0
        await server.set_health("chain", False)
        assert await asyncio.to_thread(healthcheck.main, [port, "chain"]) == 1
        assert await asyncio.to_thread(healthcheck.main, [port, "nothing"]) == 1
    assert healthcheck.main([port]) == 1
    assert healthcheck.main([]) == 2
    assert capsys.readouterr().out.splitlines()[:3] == ["SERVING", "SERVING", "NOT_SERVING"]


async def test_reflection_names_the_services() -> None:
    async with serving() as server, channel(f"127.0.0.1:{server.port}") as link:
        call = reflection_pb2_grpc.ServerReflectionStub(link).ServerReflectionInfo(timeout=5)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()
    names = {service.name for service in answer.list_services_response.service}
    assert {"parley.v1.Llm", "parley.v1.Info", "grpc.health.v1.Health"} <= names


async def test_a_message_over_the_limit_is_refused() -> None:
    async with serving() as server:
        with pytest.raises(ServiceUnavailable, match="RESOURCE_EXHAUSTED"):
            await collect(f"127.0.0.1:{server.port}", "x" * (MAX_MESSAGE_BYTES + 1))


async def test_a_port_in_use_is_told() -> None:
    async with serving() as server:
        other = RpcServer(grpc_name="x", info=info_pb2.ServiceInfo(), add_to=add_both)
        with pytest.raises(ConfigError, match=str(server.port)):
            await other.start("127.0.0.1", server.port)
        await other.stop(0)


async def test_stopping_lets_a_running_call_end() -> None:
    async with serving() as server, channel(f"127.0.0.1:{server.port}") as link:
        call = tts_pb2_grpc.TtsStub(link).Speak(timeout=5)
        await call.write(tts_pb2.SpeakRequest(piece=pb.TextPiece(text="hi")))
        await call.read()
        watch = health_pb2_grpc.HealthStub(link).Watch(health_pb2.HealthCheckRequest(), timeout=5)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stopping = asyncio.create_task(server.stop(5))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        await call.write(tts_pb2.SpeakRequest(piece=pb.TextPiece(text="bye", last=True)))
        assert (await call.read()).pcm == b"bye"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        await asyncio.wait_for(stopping, 5)
