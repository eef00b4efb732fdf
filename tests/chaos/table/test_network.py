"""Every link with every fault of a network while a reply is spoken: whole, or soon told that it is not."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.client import TalkClient
from parley.supervisor import Ports
from tests.chaos.proxy import Link
from tests.chaos.table.test_table import END_S, answered_again, heard_until, outcome
from tests.chaos.test_faults import assert_whole, reply_under_way
from tests.integration.conftest import RedisServer
from tests.stack import RunningStack

pytestmark = pytest.mark.chaos

TO_REDIS = ("llm", "tts", "sda", "gateway")
LINKS = (*(f"{name}-redis" for name in TO_REDIS), "gateway-asr")
SLOW_S = 0.04  # each way: a far data centre
STALL_S = 1.0
PARTED_S = 6.0
CUT_S = 0.5
TOLD_S = 3.0  # as in the table of processes


class Network:
    """A stack whose processes reach each other through links that can be broken."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisServer(folder)
        ports = Ports.free()
        self.links = {f"{name}-redis": Link(self.redis.port) for name in TO_REDIS}
        self.links["gateway-asr"] = Link(ports.asr)
        env = {
            f"PARLEY_{name.upper()}_REDIS_URL": f"redis://127.0.0.1:{self.links[f'{name}-redis'].port}/0"
            for name in TO_REDIS
        }
        env["PARLEY_REDIS_URL"] = self.redis.url
        env["PARLEY_ASR_ADDRESS"] = f"127.0.0.1:{self.links['gateway-asr'].port}"
        self.victim = RunningStack(folder / "logs", env, ports)

    def close(self) -> None:
        """Ends everything."""
        for link in self.links.values():
            link.close()
        self.redis.stop()


@pytest.fixture(scope="module")
def network(artifacts: Path) -> Iterator[Network]:
    """Of its own: these tests break it."""
    made = Network(artifacts / "logs" / "chaos-network")
    try:
        with made.victim:
            yield made
    finally:
        made.close()


@pytest.mark.parametrize("link", LINKS)
async def test_slow_while_a_reply_is_spoken(network: Network, link: str) -> None:
    await asyncio.to_thread(network.victim.wait_ready)
    network.links[link].delay_s = SLOW_S
    try:
        async with TalkClient.open(network.victim.url, "mira") as client:
            reply = await reply_under_way(client)
            how, _ = await outcome(client, reply.first_audio_at or 0.0)
            assert how == "completed"
            await client.wait_played(reply.generation, timeout_s=END_S)
            assert_whole(reply)
            assert client.stale_messages == 0
    finally:
        network.links[link].heal()


@pytest.mark.parametrize("link", LINKS)
async def test_silent_for_a_second_while_a_reply_is_spoken(network: Network, link: str) -> None:
    await asyncio.to_thread(network.victim.wait_ready)
    async with TalkClient.open(network.victim.url, "mira") as client:
        reply = await reply_under_way(client)
        at = time.monotonic()
        network.links[link].stall()
        await asyncio.sleep(STALL_S)
        network.links[link].heal()
        how, _ = await outcome(client, at)
        assert how == "completed"
        await client.wait_played(reply.generation, timeout_s=END_S)
        assert_whole(reply)
        assert client.stale_messages == 0
    await answered_again(network.victim)


@pytest.mark.parametrize("fault", ["cut", "parted"])
@pytest.mark.parametrize("link", LINKS)
async def test_lost_while_a_reply_is_spoken(network: Network, link: str, fault: str) -> None:
    await asyncio.to_thread(network.victim.wait_ready)
    broken = network.links[link]
    async with TalkClient.open(network.victim.url, "mira") as client:
        reply = await reply_under_way(client)
        at = time.monotonic()
        broken.cut() if fault == "cut" else broken.stall()
        asyncio.get_running_loop().call_later(CUT_S if fault == "cut" else PARTED_S, broken.heal)
        how, after_s = await outcome(client, at)
        print(f"{link} {fault}: {how} after {after_s:.1f} s")
        if how == "completed":
            await client.wait_played(reply.generation, timeout_s=END_S)
            assert_whole(reply)
        else:
            assert at + after_s < heard_until(client) + TOLD_S, (how, after_s)
        assert client.stale_messages == 0
        await asyncio.sleep(max(0.0, at + PARTED_S + 0.5 - time.monotonic()))
    await answered_again(network.victim)
