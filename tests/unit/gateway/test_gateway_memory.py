"""Memory across conversations: off until asked for, seen by its owner alone, and gone when deleted."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config import GatewaySettings
from gateway.memory.facts import Said, facts_in
from gateway.memory.store import MAX_FACTS, FactStore
from parley.conversation import events as happened
from parley.errors import ConfigError
from tests.unit.gateway.conftest import Client, Running, connected
from tests.unit.gateway.fakes import FakeServices

ANNA, BEN = "anna-anna-anna-anna-anna", "ben_ben_ben_ben_ben_ben"


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ("my name is anna nice to meet you", ["My name is Anna."]),
        ("Hello, my name is Anna Smith.", ["My name is Anna Smith."]),
        ("well i live in oslo and i have a dog called rex", ["I live in oslo.", "I have a dog called rex."]),
        ("I'm from Norway, and I work as a nurse.", ["I'm from Norway.", "I work as a nurse."]),
        ("i am forty two years old", ["I am forty two years old."]),
        ("my favourite colour is blue what is yours", ["My favourite colour is blue what is yours."]),
        ("please remember that my sister comes on friday", ["My sister comes on friday."]),
        ("i really like green tea but i hate coffee", ["I really like green tea."]),
        ("do you remember my name", []),
        ("where do i live", []),
        ("What if I live in Oslo?", []),
        ("call me later", []),
        ("what is the north star", []),
        ("", []),
    ],
)
def test_only_what_a_person_says_of_themselves_is_a_fact(words: str, facts: list[str]) -> None:
    assert [said.text for said in facts_in(words)] == facts


async def test_the_newest_of_a_kind_counts_and_nothing_twice(tmp_path: Path) -> None:
    store = FactStore(tmp_path / "memory.db")
    for words in ("my name is anna", "i like tea", "I like tea", "my name is anne"):
        await store.add(ANNA, facts_in(words))
    assert [fact.text for fact in await store.facts(ANNA)] == ["I like tea.", "My name is Anne."]
    await store.add(ANNA, [Said("", f"I have {number} cats.") for number in range(MAX_FACTS + 5)])
    assert len(await store.facts(ANNA)) == MAX_FACTS


async def test_deleting_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    store = FactStore(path)
    await store.add(ANNA, [Said("", "I keep a zebrafinch."), Said("", "I like tea.")])
    on_disk = lambda: b"".join(p.read_bytes() for p in tmp_path.iterdir())  # noqa: E731
    assert b"zebrafinch" in on_disk() and ANNA.encode() not in on_disk()
    first = (await store.facts(ANNA))[0]
    assert await store.delete(BEN, first.id) == 0
    assert await store.delete(ANNA, first.id) == 1
    assert b"zebrafinch" not in on_disk() and b"I like tea." in on_disk()
    assert await store.delete(ANNA) == 1
    assert b"I like tea." not in on_disk()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from facts").fetchone() == (0,)


def test_a_file_that_cannot_be_used_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="PARLEY_GATEWAY_MEMORY"):
        FactStore(tmp_path / "file" / "memory.db")
    (tmp_path / "no.db").write_bytes(b"this is no database, and never was one" * 50)
    with pytest.raises(ConfigError, match="PARLEY_GATEWAY_MEMORY"):
        FactStore(tmp_path / "no.db")


@pytest.fixture
async def remembering(avatars_dir: Path, backend: FakeServices, tmp_path: Path) -> AsyncIterator[Running]:
    settings = GatewaySettings(
        port=0,
        avatars_dir=avatars_dir,
        memory=str(tmp_path / "memory" / "facts.db"),
        **{f"{name}_url": backend.address for name in ("asr", "tts", "llm", "sda")},
    )
    running = Running(settings, tmp_path)
    await running.started()
    yield running
    await running.stop()


def asks_for(person: str | None) -> dict[str, Any]:
    memory = {"person": person} if person else None
    return {"type": "session.update", "session": {"type": "realtime", "memory": memory}}


async def say(client: Client, running: Running, at: int, words: str) -> None:
    running.conversations[at].tell(
        happened.UserTurnCommitted(f"item_{words}"), happened.UserTranscript(f"item_{words}", words)
    )
    await client.until("conversation.item.input_audio_transcription.completed")


def facts(event: dict[str, Any]) -> list[str]:
    return [fact["text"] for fact in event["facts"]]


async def test_two_people_at_once_and_each_comes_back_to_their_own(remembering: Running) -> None:
    async with connected(remembering) as anna, connected(remembering) as ben:
        assert facts(await anna.ask(asks_for(ANNA), "avatar.memory")) == []
        assert facts(await ben.ask(asks_for(BEN), "avatar.memory")) == []
        await say(anna, remembering, 0, "my name is anna")
        assert facts(await anna.until("avatar.memory")) == ["My name is Anna."]
        await say(ben, remembering, 1, "i live in bergen")
        assert facts(await ben.until("avatar.memory")) == ["I live in bergen."]
        assert list(remembering.conversations[0].config.facts) == ["My name is Anna."]
        assert list(remembering.conversations[1].config.facts) == ["I live in bergen."]
        assert len(anna.of("avatar.memory")) == len(ben.of("avatar.memory")) == 2
    async with connected(remembering) as again:
        assert list(remembering.conversation.config.facts) == []
        assert facts(await again.ask(asks_for(ANNA), "avatar.memory")) == ["My name is Anna."]
        assert list(remembering.conversation.config.facts) == ["My name is Anna."]
        assert facts(await again.ask(asks_for(None), "avatar.memory")) == []
        assert list(remembering.conversation.config.facts) == []
        await say(again, remembering, 2, "i live in rome")
    async with httpx.AsyncClient(base_url=remembering.url, headers={"Parley-Person": ANNA}) as http:
        kept = (await http.get("/v1/memory")).json()["data"]
    assert [fact["text"] for fact in kept] == ["My name is Anna."]


async def test_who_does_not_ask_is_not_remembered(remembering: Running) -> None:
    async with connected(remembering) as client:
        await say(client, remembering, 0, "my name is anna")
        assert client.of("avatar.memory") == []
        assert list(remembering.conversation.config.facts) == []
    with closing(sqlite3.connect(remembering.settings.memory)) as connection:
        assert connection.execute("select count(*) from facts").fetchone() == (0,)


async def test_what_is_deleted_over_http_is_forgotten_in_the_talk_that_runs(remembering: Running) -> None:
    async with (
        connected(remembering) as client,
        httpx.AsyncClient(base_url=remembering.url, headers={"Parley-Person": ANNA}) as http,
    ):
        await client.ask(asks_for(ANNA), "avatar.memory")
        for words in ("my name is anna", "i like tea"):
            await say(client, remembering, 0, words)
            await client.until("avatar.memory")
        listed = (await http.get("/v1/memory")).json()["data"]
        assert [fact["text"] for fact in listed] == ["My name is Anna.", "I like tea."]
        other = await http.delete(f"/v1/memory/{listed[0]['id']}", headers={"Parley-Person": BEN})
        assert (other.status_code, other.json()["error"]["code"]) == (404, "fact_not_found")
        assert (await http.delete(f"/v1/memory/{listed[0]['id']}")).json() == {"deleted": 1}
        assert facts(await client.until("avatar.memory")) == ["I like tea."]
        assert list(remembering.conversation.config.facts) == ["I like tea."]
        assert (await http.delete("/v1/memory")).json() == {"deleted": 1}
        assert facts(await client.until("avatar.memory")) == []
        assert (await http.get("/v1/memory", headers={"Parley-Person": "short"})).status_code == 400


async def test_a_server_without_memory_says_so(gateway: Running, client: Client) -> None:
    refused = await client.ask(asks_for(ANNA), "error")
    assert (refused["error"]["code"], refused["error"]["param"]) == ("memory_off", "session.memory")
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Parley-Person": ANNA}) as http:
        assert (await http.get("/v1/memory")).json()["error"]["code"] == "memory_off"
