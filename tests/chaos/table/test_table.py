"""Every service with every fault while a reply is spoken: it is whole, or the client is told in time.

In either case nothing comes twice and nothing after its end, and the next question is answered.
"""

import asyncio
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis.asyncio

from parley.bench.questions import spoken
from parley.client import ReplyRecord, TalkClient, ask
from parley.errors import ServiceUnavailable
from parley.media.audio import float_to_pcm16
from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from tests.chaos.test_faults import LONG_QUESTION, SHORT_QUESTION, assert_whole, reply_under_way
from tests.stack import RunningStack

pytestmark = pytest.mark.chaos

SERVICES = ("asr", "llm", "tts", "sda", "gateway", "redis")
ROLLED = ("llm", "tts", "sda", "asr", "gateway")
PEOPLE = (3, 10)  # how many talk while everything is restarted; ten are more than two cores answer in time
STAGGER_S = 2.0
STALL_S = 1.0
TOLD_S = 3.0  # two seconds, and one for a machine that starts a process beside
END_S = 60.0
MAX_QUESTIONS = 3


@pytest.fixture(scope="module")
def victim(artifacts: Path) -> Iterator[RunningStack]:
    """A stack of its own: these tests break it."""
    env = {"PARLEY_GATEWAY_MAX_SESSIONS": str(max(PEOPLE))}
    with RunningStack(artifacts / "logs" / "chaos-table", env) as running:
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


def heard_until(client: TalkClient) -> float:
    """When all that came of the reply has been played: only then does the person notice anything."""
    player = client.player
    assert player.started_at is not None
    return player.started_at + player.underrun_s + player.received_samples / SAMPLE_RATE_HZ


async def answer_or_error(client: TalkClient, text: str) -> ReplyRecord | None:
    """The answer, played to its end; None: an error was told instead. Fails when neither comes.

    Raises:
        ServiceUnavailable: The connection was closed.
    """
    since = time.monotonic()
    asking = asyncio.create_task(ask(client, spoken(text, "awb")))
    failing = asyncio.create_task(
        client.wait_event(lambda e: e["type"] == "error", timeout_s=END_S + 1, since=since)
    )
    try:
        async with asyncio.timeout(END_S):
            await asyncio.wait([asking, failing], return_when=asyncio.FIRST_COMPLETED)
        return asking.result()[0] if asking.done() else None
    finally:
        asking.cancel()
        failing.cancel()
        await asyncio.gather(asking, failing, return_exceptions=True)


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
            # A voice goes on without its face: the face is missed aloud when the voice has ended.
            patience_s = max(at, heard_until(client)) - at if service == "sda" else 0.0
            assert after_s < patience_s + TOLD_S, (how, after_s)
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
        # The face comes back after what it missed: it is there at the end of a reply of some seconds.
        samples = sum(len(message.payload) for message in reply.audio) // BYTES_PER_SAMPLE
        assert reply.video[-1].pts_samples >= samples - SAMPLE_RATE_HZ // 2
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


@dataclass
class Talk:
    """What one person saw while everything was restarted.

    Attributes:
        whole: Replies that were heard to their end.
        told: Codes of the errors that came instead of one.
        resumed: How often the connection was closed and the conversation went on in another.
        refused: How often nobody answered when it should go on; within `TOLD_S` somebody did.
    """

    text: str
    whole: int = 0
    told: list[str] = field(default_factory=list)
    resumed: int = 0
    refused: int = 0

    async def go_on(self, victim: RunningStack, over: asyncio.Event) -> None:
        """Asks again and again until `over`."""
        session, missed_at = "", None
        while not over.is_set():
            try:
                async with TalkClient.open(victim.url, "mira", resume=session) as client:
                    assert client.session["id"] == session or not session
                    session, missed_at = client.session["id"], None
                    await self._ask(client, over)
                    assert client.stale_messages == 0
            except ServiceUnavailable:  # between two gateways; any client tries again
                missed_at = missed_at or time.monotonic()
                assert time.monotonic() - missed_at < TOLD_S
                self.refused += 1
                await asyncio.sleep(0.1)

    async def _ask(self, client: TalkClient, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                reply = await answer_or_error(client, self.text)
            except ServiceUnavailable:
                assert client.closed.is_set()
                self.resumed += 1
                return
            if reply is None:
                self.told += [e["error"]["code"] for _, e in client.events if e["type"] == "error"]
                return
            assert_whole(reply)
            self.whole += 1


@pytest.mark.parametrize("people", PEOPLE)
async def test_nothing_is_lost_in_a_rolling_restart_while_people_talk(
    victim: RunningStack, people: int
) -> None:
    await asyncio.to_thread(victim.wait_ready)
    over = asyncio.Event()
    texts = (LONG_QUESTION, SHORT_QUESTION, "How far away is the moon?")
    talks = [Talk(texts[number % len(texts)]) for number in range(people)]
    async with asyncio.TaskGroup() as group:
        for talk in talks:
            group.create_task(talk.go_on(victim, over))
            await asyncio.sleep(STAGGER_S)
        for service in ROLLED:
            await asyncio.to_thread(victim.roll, service)
            await asyncio.sleep(STAGGER_S)
        over.set()
    print(*talks, sep="\n")
    assert not [talk.told for talk in talks if talk.told]
    assert all(talk.whole >= 2 for talk in talks)
    assert any(talk.resumed for talk in talks) and all(talk.resumed <= 1 for talk in talks)  # the gateway's
    assert not any(victim.restarts(service) for service in ROLLED), "one died instead of leaving"


async def test_a_service_that_is_alone_and_restarted_is_missed_for_a_moment(victim: RunningStack) -> None:
    """Stopped first and started then, with nobody to stand in: whole, or told in time."""
    await asyncio.to_thread(victim.wait_ready)
    for service in ("asr", "llm", "tts", "sda"):
        async with TalkClient.open(victim.url, "mira") as client:
            reply = await reply_under_way(client)
            at = time.monotonic()
            victim.kill(service, signal.SIGTERM)
            how, after_s = await outcome(client, at)
            if how == "completed":
                await client.wait_played(reply.generation, timeout_s=END_S)
                assert_whole(reply)
            else:
                assert after_s < TOLD_S, (service, how, after_s)
            assert client.stale_messages == 0
        await answered_again(victim)
