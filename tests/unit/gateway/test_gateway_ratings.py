"""Thumbs on answers: kept with the question under the person's secret, seen and deleted by them alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from gateway.config import GatewaySettings
from gateway.memory.ratings import MAX_RATINGS, Rating, RatingStore, Thumb
from gateway.memory.thumbs import main as export
from gateway.memory.thumbs import normal, pairs
from tests.unit.gateway.conftest import FACE, SAY, Client, Running, connected
from tests.unit.gateway.fakes import FakeServices

ANNA, BEN = "anna-anna-anna-anna-anna", "ben_ben_ben_ben_ben_ben"
TITLES = {"mira": "Mira"}


async def rated(
    store: RatingStore, person: str, item: str, thumb: Thumb, *, better: str = "", **other: str
) -> Rating:
    told = {"avatar": "mira", "question": "How far is the moon?", "answer": f"Answer {item}.", **other}
    return await store.rate(person, item=item, thumb=thumb, better=better, **told)


async def test_the_last_word_on_an_answer_counts_and_it_can_be_taken_back(tmp_path: Path) -> None:
    store = RatingStore(tmp_path / "memory.db")
    await rated(store, ANNA, "one", "up")
    await rated(store, ANNA, "one", "down", better="A light second.")
    await rated(store, BEN, "one", "up")
    assert [(r.thumb, r.better) for r in await store.ratings(ANNA)] == [("down", "A light second.")]
    assert await store.take_back(ANNA, "one") == 1 and await store.ratings(ANNA) == []
    assert [r.thumb for r in await store.everybodys()] == ["up"]
    for number in range(MAX_RATINGS + 3):
        await rated(store, ANNA, str(number), "up")
    kept = await store.ratings(ANNA)
    assert len(kept) == MAX_RATINGS and kept[-1].item == str(MAX_RATINGS + 2)


async def test_deleting_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    store = RatingStore(tmp_path / "memory.db")
    first = await rated(store, ANNA, "one", "down", answer="It is a zebrafinch.", better="No, a whimbrel.")
    await rated(store, BEN, "one", "up")
    on_disk = lambda: b"".join(p.read_bytes() for p in tmp_path.iterdir())  # noqa: E731
    assert b"zebrafinch" in on_disk() and b"whimbrel" in on_disk() and ANNA.encode() not in on_disk()
    assert await store.delete(BEN, first.id) == 0
    assert await store.delete(ANNA) == 1
    assert b"zebrafinch" not in on_disk() and b"whimbrel" not in on_disk()
    assert len(await store.ratings(BEN)) == 1


@pytest.fixture
async def rating(avatars_dir: Path, backend: FakeServices, tmp_path: Path) -> AsyncIterator[Running]:
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


def thumb(item: str, what: str | None, person: str = ANNA, **more: Any) -> dict[str, Any]:
    return {"type": "avatar.rate", "item_id": item, "person": person, "rating": what, **more}


async def answered(client: Client) -> tuple[str, str]:
    """Ids of a question and of its answer."""
    asked = (await client.ask(SAY, "conversation.item.done"))["item"]["id"]
    done = await client.ask({"type": "response.create"}, "response.done")
    return asked, done["response"]["output"][0]["id"]


async def test_a_thumb_is_kept_with_its_question_shown_and_deleted(rating: Running) -> None:
    async with (
        connected(rating) as anna,
        httpx.AsyncClient(base_url=rating.url, headers={"Parley-Person": ANNA}) as http,
    ):
        assert (await anna.ask(FACE, "session.updated"))["session"]["avatar"]["ratings"] is True
        _, answer = await answered(anna)
        kept = (await anna.ask(thumb(answer, "down", better=" I am Mira. "), "avatar.rated"))["rating"]
        assert (kept["question"], kept["answer"]) == ("Who are you?", "Hello. I am Mira.")
        assert (kept["thumb"], kept["better"], kept["item"]) == ("down", "I am Mira.", answer)
        remembered = (await http.get("/v1/memory")).json()
        assert remembered["ratings"] == [kept] and remembered["data"] == []
        other = {"Parley-Person": BEN}
        assert (await http.get("/v1/memory", headers=other)).json()["ratings"] == []
        assert (await http.delete(f"/v1/memory/{kept['id']}", headers=other)).status_code == 404
        assert (await http.delete(f"/v1/memory/{kept['id']}")).json() == {"deleted": 1}
        await anna.ask(thumb(answer, "up"), "avatar.rated")
        assert (await anna.ask(thumb(answer, None), "avatar.rated"))["rating"] is None
        assert (await http.get("/v1/memory")).json()["ratings"] == []
        await anna.ask(thumb(answer, "up"), "avatar.rated")
        assert (await http.delete("/v1/memory")).json() == {"deleted": 1}
        assert (await http.get("/v1/memory")).json()["ratings"] == []
        assert list(rating.conversation.config.facts) == []


async def test_what_is_no_answer_cannot_be_rated(rating: Running) -> None:
    async with connected(rating) as client:
        greeting = await client.ask({"type": "response.create"}, "response.done")
        first = greeting["response"]["output"][0]["id"]
        asked, answer = await answered(client)
        for item, more, param in (
            (first, {}, "item_id"),
            (asked, {}, "item_id"),
            ("nothing", {}, "item_id"),
            (answer, {"person": "short"}, "person"),
            (answer, {"better": "Better still."}, "better"),
        ):
            refused = await client.ask({**thumb(item, "up"), **more}, "error")
            assert refused["error"]["param"] == param, refused
        rating.conversation.reply(finish=False)
        running = (await client.until("response.output_item.added"))["item"]["id"]
        assert "to its end" in (await client.ask(thumb(running, "up"), "error"))["error"]["message"]


async def test_a_server_without_memory_keeps_no_thumbs(client: Client) -> None:
    assert (await client.ask(FACE, "session.updated"))["session"]["avatar"]["ratings"] is False
    _, answer = await answered(client)
    assert (await client.ask(thumb(answer, "up"), "error"))["error"]["code"] == "memory_off"


def said(question: str, answer: str, which: Thumb, better: str = "", avatar: str = "mira") -> Rating:
    return Rating("id", "item", avatar, question, answer, which, better, 0)


def pair(better: str, worse: str) -> dict[str, str]:
    told = {"source": "mira/how far is it", "avatar": "mira", "title": "Mira", "question": "How far is it?"}
    return {**told, "chosen": better, "rejected": worse}


Q = "How far is it?"


@pytest.mark.parametrize(
    ("ratings", "wanted", "without"),
    [
        ([], [], 0),
        ([said(Q, "Far.", "up")], [], 0),
        ([said(Q, "Far.", "down")], [], 1),
        ([said(Q, "Far.", "down", "A mile.")], [pair("A mile.", "Far.")], 0),
        ([said("how far is it", "A mile.", "up"), said(Q, "Far.", "down")], [pair("A mile.", "Far.")], 0),
        ([said(Q, "A mile.", "up"), said("How far is she?", "Far.", "down")], [], 1),
        ([said(Q, "A mile.", "up"), said(Q, "Far.", "down", avatar="gone")], [], 0),
        # People who disagree say nothing; most thumbs win.
        ([said(Q, "Far.", "down", "A mile."), said(Q, "Far.", "up")], [], 0),
        (
            [
                said(Q, "A mile.", "up"), said(Q, "Two.", "up"), said(Q, "A mile.", "up"),
                said(Q, "Far.", "down"),
            ],
            [pair("A mile.", "Far.")],
            0,
        ),
        # A person's own words come before another answer, the newest first; the same words are no pair.
        ([said(Q, "Two.", "up"), said(Q, "Far.", "down", "A mile.")], [pair("A mile.", "Far.")], 0),
        ([said(Q, "Far.", "down", "One."), said(Q, "Far.", "down", "A mile.")], [pair("A mile.", "Far.")], 0),
        ([said(Q, "Far.", "down", "far")], [], 1),
    ],
)  # fmt: skip
def test_pairs_are_formed_by_the_written_rules(
    ratings: list[Rating], wanted: list[dict[str, str]], without: int
) -> None:
    assert pairs(ratings, TITLES) == (wanted, without)
    assert normal("Don't you—know?") == "dont you know"


def test_pairs_are_written_without_a_word_about_whose_they_are(tmp_path: Path, avatars_dir: Path) -> None:
    store = RatingStore(tmp_path / "memory.db")
    asyncio.run(rated(store, ANNA, "one", "down", better="384 000 kilometres."))
    app = typer.Typer()
    app.command()(export)
    out = tmp_path / "out" / "thumbs.jsonl"
    ran = CliRunner().invoke(app, [str(tmp_path / "memory.db"), str(out), "--avatars-dir", str(avatars_dir)])
    assert ran.exit_code == 0 and "1 ratings: 1 pairs" in ran.output
    row = json.loads(out.read_text())
    assert (row["chosen"], row["rejected"]) == ("384 000 kilometres.", "Answer one.")
    assert set(row) == {"source", "avatar", "title", "question", "chosen", "rejected"}
    assert CliRunner().invoke(app, [str(tmp_path / "none.db"), str(out)]).exit_code == 2
