"""An avatar made over HTTP by a real maker: it is listed, it talks; a maker that is killed costs nothing."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from parley.bench.questions import spoken
from parley.client import TalkClient
from parley.media.files import write_wav
from parley.settings import REPOSITORY
from tests.stack import RunningStack

pytestmark = pytest.mark.integration

PHOTO = (REPOSITORY / "avatars" / "theo" / "face" / "portrait.png").read_bytes()
NOBODY = (REPOSITORY / "docs" / "images" / "face" / "phones.jpg").read_bytes()
TEXT = """I was born in a lighthouse on the coast of Maine.

My favourite animal is the otter. Otters hold hands when they sleep."""
FIELDS = {
    "title": "Ada",
    "text": TEXT,
    "person": "Ada Example",
    "consent": "face,voice,text",
    "statement": "I agree that an avatar of my face, my voice and my text is made.",
}
ASK = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "What is your favourite animal?"}],
}


@pytest.fixture
async def http(stack: RunningStack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=30) as one:
        async with asyncio.timeout(30):
            while not (await one.get("/v1/avatars")).json()["maker"]["ready"]:
                await asyncio.sleep(0.2)
        yield one
        for avatar in (await one.get("/v1/avatars")).json()["data"]:
            if avatar["own"]:
                await one.delete(f"/v1/avatars/{avatar['name']}")


async def post(http: httpx.AsyncClient, name: str, photo: bytes = PHOTO, speech: bytes = b"") -> str:
    files = {"photo": photo} | ({"speech": speech} if speech else {})
    answer = await http.post("/v1/avatars", data=FIELDS | {"name": name}, files=files)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def watch(http: httpx.AsyncClient, job_id: str, until: str = "") -> list[dict[str, Any]]:
    """The job's states up to its end, or to a step."""
    states: list[dict[str, Any]] = []
    async with http.stream("GET", f"/v1/jobs/{job_id}", headers={"Accept": "text/event-stream"}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                states.append(orjson.loads(line.removeprefix("data: ")))
                if until and states[-1]["step"] == until:
                    return states
    return states


def avatars_dir(stack: RunningStack) -> Path:
    return Path(stack.stack.env["PARLEY_AVATARS_DIR"])


async def left(stack: RunningStack, avatars: list[str]) -> None:
    """Waits until those avatars are there beside the default ones, nothing half made, and no upload."""
    spool = Path(stack.stack.env["PARLEY_SPOOL_DIR"])
    async with asyncio.timeout(10):
        while (set(os.listdir(avatars_dir(stack))) - {"juno", "mira", "theo"}, os.listdir(spool)) != (
            set(avatars),
            [],
        ):
            await asyncio.sleep(0.05)


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    said = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."
    write_wav(tmp_path / "clip.wav", spoken(said, "slt"))
    return (tmp_path / "clip.wav").read_bytes()


async def test_a_photo_and_speech_become_an_avatar_that_talks(
    http: httpx.AsyncClient, stack: RunningStack, clip: bytes
) -> None:
    began = time.monotonic()
    states = await watch(http, await post(http, "ada", speech=clip))
    print(f"\nmade in {time.monotonic() - began:.1f} s")
    assert states[-1]["status"] == "succeeded", states[-1]
    assert {"text", "voice", "face"} <= {state["step"] for state in states}
    progress = [state["progress"] for state in states]
    assert progress == sorted(progress) and progress[-1] == 1.0
    ada = next(a for a in (await http.get("/v1/avatars")).json()["data"] if a["name"] == "ada")
    assert (ada["title"], ada["own"]) == ("Ada", True)
    assert (await http.get(ada["portrait"])).content.startswith(b"\x89PNG")
    await left(stack, ["ada"])
    assert sorted(path.name for path in (avatars_dir(stack) / "ada").iterdir()) == [
        "avatar.yaml", "consent.yaml", "face", "notes", "persona.md"
    ]  # fmt: skip

    async with TalkClient.open(stack.url, "ada", listen=False) as ada_speaks:
        face = ada_speaks.session["avatar"]
        assert (face["name"], face["width"], face["idle"]["frames"]) == ("ada", 256, 150)
        await ada_speaks.send({"type": "conversation.item.create", "item": ASK})
        await ada_speaks.send({"type": "response.create"})
        done = await ada_speaks.wait_event(lambda event: event["type"] == "response.done", timeout_s=60)
        assert done["response"]["status"] == "completed", done
        (reply,) = ada_speaks.replies.values()
        assert "otter" in reply.text.lower()
        assert len(reply.video) > 25 and len(ada_speaks.idle) == 150

        assert (await http.delete("/v1/avatars/ada")).json()["deleted"] is True
        await asyncio.wait_for(ada_speaks.closed.wait(), 10)
    await left(stack, [])


async def test_a_maker_that_is_killed_costs_nothing(http: httpx.AsyncClient, stack: RunningStack) -> None:
    job_id = await post(http, "bob")
    await watch(http, job_id, until="face")
    stack.kill("maker")
    seen: list[str] = []
    watching = asyncio.create_task(watch(http, job_id))
    while not watching.done():
        seen += [avatar["name"] for avatar in (await http.get("/v1/avatars")).json()["data"]]
        assert (avatars_dir(stack) / "bob").exists() <= (avatars_dir(stack) / "bob" / "avatar.yaml").exists()
        await asyncio.sleep(0.05)
    states = watching.result()
    assert states[-1]["status"] == "succeeded", states[-1]
    steps = [state["step"] for state in states]
    assert steps[0] == "face" and "text" in steps[1:], "it was made again from its start"
    assert stack.restarts("maker") >= 1
    await left(stack, ["bob"])
    await http.delete("/v1/avatars/bob")


async def test_a_maker_is_replaced_while_it_makes_an_avatar(
    http: httpx.AsyncClient, stack: RunningStack
) -> None:
    job_id = await post(http, "eve")
    await watch(http, job_id, until="face")
    rolling = asyncio.create_task(asyncio.to_thread(stack.roll, "maker"))
    assert (await watch(http, job_id))[-1]["status"] == "succeeded"
    await rolling
    assert (await http.get("/v1/avatars")).json()["maker"]["ready"]
    await left(stack, ["eve"])


async def test_a_job_is_cancelled_while_it_is_made(http: httpx.AsyncClient, stack: RunningStack) -> None:
    job_id = await post(http, "cid")
    await watch(http, job_id, until="face")
    assert (await http.delete(f"/v1/jobs/{job_id}")).json()["status"] == "cancelled"
    assert (await watch(http, job_id))[-1]["status"] == "cancelled"
    await left(stack, [])
    await http.delete(f"/v1/jobs/{await post(http, 'cid')}")  # the name is free


async def test_a_photo_without_a_face_fails_and_says_so(http: httpx.AsyncClient, stack: RunningStack) -> None:
    last = (await watch(http, await post(http, "dan", NOBODY)))[-1]
    assert (last["status"], last["step"], last["error"]["code"]) == ("failed", "face", "no_face"), last
    assert last["error"]["message"] and str(REPOSITORY) not in str(last)
    await left(stack, [])
    assert (await http.get("/v1/avatars/dan")).status_code == 404
