"""Every service with every fault while a reply is spoken: it is whole, or the client is told in time.

In either case nothing comes twice and nothing after its end, and the next question is answered.
"""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.asyncio

from parley.bench.questions import spoken
from parley.client import ReplyRecord, TalkClient, ask
from parley.errors import ServiceUnavailable
from parley.media.audio import float_to_pcm16
from parley.media.clock import SAMPLE_RATE_HZ
from tests.chaos.test_faults import LONG_QUESTION, SHORT_QUESTION, assert_whole, reply_under_way
from tests.stack import RunningStack

pytestmark = pytest.mark.chaos

SERVICES = ("asr", "llm", "tts", "sda", "gateway", "redis")
RESTARTED = ("llm", "tts", "sda")
STALL_S = 1.0
TOLD_S = 3.0  # two seconds, and one for a machine that starts a process beside
END_S = 60.0
MAX_QUESTIONS = 3


@pytest.fixture(scope="module")
def victim(artifacts: Path) -> Iterator[RunningStack]:
    """A stack of its own: these tests break it."""
    with RunningStack(artifacts / "logs" / "chaos-table") as running:
        yield running


async def answered_again(victim: RunningStack) -> None:
    """A new conversation works; right after a restart the first tries may still be told that it does not."""
    await asyncio.to_thread(victim.wait_ready)
    for _ in range(MAX_QUESTIONS):
        async with TalkClient.open(victim.url, "mira") as again:
            try:
                _, row = await ask(again, spoken(SHORT_QUESTION, "awb"))
            except ServiceUnavailable:
                continue
            assert "mira" in row["reply"].lower()
            return
    pytest.fail("No question was answered after the fault.")


async def outcome(client: TalkClient, since: float) -> tuple[str, float]:
    """How the reply under way ended, "completed", "failed", …, "closed" or "told", and how long that took."""
    try:
        at, event = await client.wait_timed_event(
            lambda e: e["type"] in {"response.done", "error"}, timeout_s=END_S, since=since
        )
    except ServiceUnavailable:
        return "closed", time.monotonic() - since
    return "told" if event["type"] == "error" else event["response"]["status"], at - since


async def answer_or_error(client: TalkClient, text: str) -> ReplyRecord | None:
    """The answer, played to its end; None: an error was told instead. Fails when neither comes."""
    since = time.monotonic()
    async with asyncio.timeout(END_S), asyncio.TaskGroup() as group:
        asking = group.create_task(ask(client, spoken(text, "awb")))
        failing = group.create_task(
            client.wait_event(lambda e: e["type"] == "error", timeout_s=END_S + 1, since=since)
        )
        await asyncio.wait([asking, failing], return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        failing.cancel()
    return None if asking.cancelled() else asking.result()[0]


@pytest.mark.parametrize("service", SERVICES)
async def test_killed_while_a_reply_is_spoken(victim: RunningStack, service: str) -> None:
    await asyncio.to_thread(victim.wait_ready)
    async with TalkClient.open(victim.url, "mira") as client:
        reply = await reply_under_way(client)
        at = time.monotonic()
        victim.kill(service)
        how, after_s = await outcome(client, at)
        if how == "completed":
            await client.wait_played(reply.generation, timeout_s=END_S)
            assert_whole(reply)
        else:
            assert after_s < TOLD_S, (how, after_s)
        assert client.stale_messages == 0
        assert (how == "closed") is (service == "gateway")
    await answered_again(victim)


@pytest.mark.parametrize("service", SERVICES)
async def test_stalled_for_a_second_while_a_reply_is_spoken(victim: RunningStack, service: str) -> None:
    await asyncio.to_thread(victim.wait_ready)
    async with TalkClient.open(victim.url, "mira") as client:
        reply = await reply_under_way(client)
        at = time.monotonic()
        victim.kill(service, signal.SIGSTOP)
        await asyncio.sleep(STALL_S)
        victim.kill(service, signal.SIGCONT)
        how, _ = await outcome(client, at)
        assert how == "completed"
        await client.wait_played(reply.generation, timeout_s=END_S)
        assert_whole(reply)
        assert client.stale_messages == 0
    await answered_again(victim)


@pytest.mark.parametrize("service", ["llm", "tts", "sda"])
async def test_no_ghost_speech_after_a_barge_in_and_a_kill(victim: RunningStack, service: str) -> None:
    await asyncio.to_thread(victim.wait_ready)
    async with TalkClient.open(victim.url, "mira") as client:
        await reply_under_way(client)
        victim.kill(service, signal.SIGSTOP)
        await client.send({"type": "avatar.interrupt"})
        await client.wait_until(lambda: bool(client.flushed_at), timeout_s=TOLD_S)
        victim.kill(service, signal.SIGCONT)
        victim.kill(service)
        await asyncio.sleep(2.0)  # whoever takes the item over must not say it
        assert client.stale_messages == 0
        assert not client.player.playing(time.monotonic())
    await answered_again(victim)


async def test_full_redis_is_told_and_survived(victim: RunningStack) -> None:
    await asyncio.to_thread(victim.wait_ready)
    store = redis.asyncio.Redis.from_url(victim.stack.redis_url)
    async with TalkClient.open(victim.url, "mira") as client:
        before = (await store.config_get("maxmemory"))["maxmemory"]
        await store.config_set("maxmemory", 1)
        try:
            question = spoken(LONG_QUESTION, "awb")
            first_at = client.microphone.say(float_to_pcm16(question))
            told_at, error = await client.wait_timed_event(
                lambda e: e["type"] == "error", timeout_s=END_S, since=first_at
            )
            # Whoever notices first says it: the gateway, or the mind that cannot write its reply.
            assert error["error"]["code"] in {"chain_unavailable", "llm_silent"}
            assert told_at - first_at - len(question) / SAMPLE_RATE_HZ < TOLD_S
        finally:
            await store.config_set("maxmemory", before)
            await store.aclose()
        assert client.stale_messages == 0
    await answered_again(victim)


async def test_everything_is_restarted_in_turn_while_three_talk(victim: RunningStack) -> None:
    await asyncio.to_thread(victim.wait_ready)
    over = asyncio.Event()
    texts = (LONG_QUESTION, SHORT_QUESTION, "How far away is the moon?")

    async def talk(text: str) -> tuple[int, int]:
        whole = told = 0
        async with TalkClient.open(victim.url, "mira") as client:
            while not over.is_set():
                reply = await answer_or_error(client, text)
                if reply is None:
                    told += 1
                else:
                    assert_whole(reply)
                    whole += 1
            assert client.stale_messages == 0
        return whole, told

    async with asyncio.TaskGroup() as group:
        talks = [group.create_task(talk(text)) for text in texts]
        for service in RESTARTED:
            await asyncio.sleep(4)
            victim.kill(service, signal.SIGTERM)
            await asyncio.to_thread(victim.wait_ready)
        over.set()
    counted = [task.result() for task in talks]
    # With one process of each kind a restart outlasts what a turn may wait: it is told as failed.
    assert all(whole >= 1 and told <= len(RESTARTED) for whole, told in counted), counted
    await answered_again(victim)
