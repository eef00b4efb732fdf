"""Faults while a reply is being spoken: nothing lost, nothing twice, or a clear error soon."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest
from websockets.asyncio.client import connect

from parley.bench.questions import spoken
from parley.client import ReplyRecord, TalkClient, ask
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES
from parley.media.video import VideoDecoder
from proto.parley.v1 import chain_pb2, tts_pb2, tts_pb2_grpc
from tests.stack import RunningStack

pytestmark = pytest.mark.chaos

LONG_QUESTION = "How does this program work?"
SHORT_QUESTION = "What is your name?"
VISIBLE_FAILURE_S = 2.0


@pytest.fixture(scope="module")
def victim(artifacts: Path) -> Iterator[RunningStack]:
    """A stack of its own: these tests break it."""
    with RunningStack(artifacts / "logs" / "chaos") as running:
        yield running


@pytest.fixture
async def client(victim: RunningStack) -> AsyncIterator[TalkClient]:
    victim.wait_ready()
    async with TalkClient.open(victim.url, "mira") as talking:
        yield talking


async def reply_under_way(client: TalkClient, question: str = LONG_QUESTION) -> ReplyRecord:
    """Asks, and returns as soon as the answer sounds."""
    client.microphone.say(float_to_pcm16(spoken(question, "awb")))
    await client.wait_until(lambda: client.player.playing(time.monotonic()), timeout_s=30)
    return client.reply(client.player.generation)


def assert_whole(reply: ReplyRecord) -> None:
    """The audio is contiguous, without gap or repeat, and ends; so does the video."""
    expected = 0
    for message in reply.audio:
        assert message.pts_samples == expected
        expected += len(message.payload) // 2
    assert [m.seq for m in reply.audio] == list(range(1, len(reply.audio) + 1))
    shown = [m.pts_samples for m in reply.video]
    assert shown == sorted(set(shown))
    assert expected % FRAME_SAMPLES == 0
    decoder = VideoDecoder("h264")
    assert sum(len(decoder.decode(m.payload)) for m in reply.video) >= len(shown) - 1


async def said_undisturbed(victim: RunningStack, client: TalkClient, reply: ReplyRecord) -> bytes:
    """What the voice makes of the reply's clauses when nobody kills it."""
    clauses = [
        e["delta"]
        for _, e in client.events
        if e["type"] == "response.output_audio_transcript.delta" and e["item_id"] == reply.item_id
    ]

    async def requests() -> AsyncIterator[tts_pb2.SpeakRequest]:
        for number, clause in enumerate(clauses, 1):
            piece = chain_pb2.TextPiece(text=clause, last=number == len(clauses))
            yield tts_pb2.SpeakRequest(avatar="mira", piece=piece)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{victim.stack.ports.tts}") as channel:
        speech = tts_pb2_grpc.TtsStub(channel).Speak(requests())
        return b"".join([piece.pcm async for piece in speech])


@pytest.mark.parametrize("service", ["tts", "sda"])
async def test_killed_mid_reply_is_taken_over(victim: RunningStack, client: TalkClient, service: str) -> None:
    before = victim.restarts(service)
    reply = await reply_under_way(client)
    victim.kill(service)
    await client.wait_played(reply.generation, timeout_s=60)
    await client.wait_event(
        lambda e: e["type"] == "response.done", timeout_s=30, since=reply.first_audio_at or 0
    )
    assert victim.restarts(service) == before + 1
    assert_whole(reply)
    assert client.player.complete
    victim.wait_ready()
    assert reply.pcm == await said_undisturbed(victim, client, reply)


async def test_killed_mind_continues_or_fails_visibly(victim: RunningStack, client: TalkClient) -> None:
    client.microphone.say(float_to_pcm16(spoken(LONG_QUESTION, "awb")))
    await client.wait_event(lambda e: e["type"] == "input_audio_buffer.committed", timeout_s=30)
    victim.kill("llm")
    at = time.monotonic()
    done_at, done = await client.wait_timed_event(
        lambda e: e["type"] == "response.done", timeout_s=30, since=at
    )
    if done["response"]["status"] != "completed":
        assert done_at - at < VISIBLE_FAILURE_S + 1
        assert any(e["type"] == "error" for _, e in client.events)
    victim.wait_ready()
    _, row = await ask(client, spoken(SHORT_QUESTION, "awb"))
    assert "mira" in row["reply"].lower()


async def test_redis_restart_is_told_and_survived(victim: RunningStack, client: TalkClient) -> None:
    await reply_under_way(client)
    at = time.monotonic()
    victim.kill("redis")
    _, error = await client.wait_timed_event(lambda e: e["type"] == "error", timeout_s=15, since=at)
    assert error["error"]["code"] == "chain_unavailable"
    victim.wait_ready()
    await asyncio.sleep(1)
    _, row = await ask(client, spoken(SHORT_QUESTION, "awb"))
    assert "mira" in row["reply"].lower()


async def test_a_stalled_voice_loses_nothing(victim: RunningStack, client: TalkClient) -> None:
    reply = await reply_under_way(client)
    victim.kill("tts", signal.SIGSTOP)
    await asyncio.sleep(1.0)
    victim.kill("tts", signal.SIGCONT)
    await client.wait_played(reply.generation, timeout_s=60)
    assert_whole(reply)


async def test_a_client_that_vanishes_leaves_nothing(victim: RunningStack) -> None:
    victim.wait_ready()
    async with TalkClient.open(victim.url, "mira") as talking:
        await reply_under_way(talking)
    async with TalkClient.open(victim.url, "mira") as again:
        _, row = await ask(again, spoken(SHORT_QUESTION, "awb"))
    assert "mira" in row["reply"].lower()


async def test_garbage_gets_errors_and_memory_stays_flat(victim: RunningStack, client: TalkClient) -> None:
    noise = random.Random(7)
    address = f"{victim.url.replace('http', 'ws', 1)}/v1/realtime?model=mira"
    memory_before = 0.0
    for round_number in range(6):
        async with connect(address, compression=None) as socket:
            await socket.recv()
            for message in (
                "{",
                "[]",
                '{"type": "no.such.event"}',
                '{"type": "input_audio_buffer.append", "audio": "%%%"}',
                '{"type": "input_audio_buffer.append", "audio": "QQ=="}',
                '{"type": "session.update", "session": 5}',
                noise.randbytes(40),
                noise.randbytes(200_000),
            ):
                await socket.send(message)
                async with asyncio.timeout(10):
                    while '"error"' not in (answer := await socket.recv()):
                        pass
                assert '"message"' in answer
        if round_number == 0:
            memory_before = victim.memory_mib("gateway")
    assert victim.memory_mib("gateway") < memory_before + 20
    _, row = await ask(client, spoken(SHORT_QUESTION, "awb"))
    assert "mira" in row["reply"].lower()
