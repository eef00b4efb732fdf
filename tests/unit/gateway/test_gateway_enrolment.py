"""Making an avatar over HTTP: what is taken, what is refused and why, jobs, and deleting."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from gateway.http import jobs
from gateway.http.codecs import encoder
from gateway.http.enrolment import _FIELDS, _FILES, _FORM
from parley import consent
from parley.errors import ServiceUnavailable
from parley.jobs.board import MakerAbilities, NameTaken
from parley.jobs.job import Job, JobError
from parley.jobs.spool import Spool
from parley.settings import REPOSITORY
from tests.unit.gateway.conftest import Running, connected

PHOTO = (REPOSITORY / "avatars" / "theo" / "face" / "portrait.png").read_bytes()
STATEMENT = "I agree that an avatar of my face, my voice and my text is made."
FIELDS = {
    "name": "ada",
    "title": "Ada",
    "text": "I was born in a lighthouse.",
    "person": "Ada Example",
    "consent": ["face", "voice", "text"],
    "statement": STATEMENT,
}


def speech(seconds: float = 4.0) -> bytes:
    noise = np.random.default_rng(1).integers(-3000, 3000, round(seconds * 24_000)).astype("<i2")
    writer = encoder("wav")
    return writer.push(noise.tobytes()) + writer.close()


@pytest.fixture
async def http(gateway: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url) as one:
        yield one


async def post(
    http: httpx.AsyncClient, files: dict[str, bytes] | None = None, **changes: Any
) -> httpx.Response:
    fields = {key: value for key, value in (FIELDS | changes).items() if value is not None}
    sent = {"photo": PHOTO} if files is None else files
    return await http.post(
        "/v1/avatars", data=fields, files={name: (f"{name}.bin", data) for name, data in sent.items()}
    )


async def test_what_is_sent_is_handed_to_the_maker(http: httpx.AsyncClient, gateway: Running) -> None:
    answer = await post(http, {"photo": PHOTO, "speech": speech()})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["object"], job["status"], job["step"], job["progress"]) == ("job", "queued", "waiting", 0.0)
    assert (job["avatar"], job["error"]) == ("ada", None)
    spool = Spool(gateway.settings.spool_dir)
    folder = spool.folder(job["id"])
    wanted = spool.wanted(job["id"])
    assert (folder / "photo").read_bytes() == PHOTO
    assert (folder / "text").read_text() == FIELDS["text"]
    assert (folder / "speech").read_bytes() == speech()
    assert (wanted.name, wanted.title, wanted.speech, wanted.drawn) == ("ada", "Ada", True, False)
    assert wanted.consent.person == "Ada Example" and wanted.consent.statement == STATEMENT
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}
    assert (await http.get(f"/v1/jobs/{job['id']}")).json() == job


async def test_a_text_may_be_a_file_and_speech_may_be_missing(
    http: httpx.AsyncClient, gateway: Running
) -> None:
    answer = await post(http, {"photo": PHOTO, "text": b"# tides"}, text=None, consent="face, text")
    assert answer.status_code == 202
    folder = gateway.settings.spool_dir / answer.json()["id"]
    assert sorted(path.name for path in folder.iterdir()) == ["photo", "text", "wanted.json"]


def broken_png() -> bytes:
    return PHOTO[:200] + bytes(2000)


@pytest.mark.parametrize(
    ("changes", "files", "status", "code", "param", "words"),
    [
        ({"name": "Ada!"}, None, 400, "invalid_request", "name", "a-z"),
        ({"name": None}, None, 400, "invalid_request", "name", "a-z"),
        ({"name": "mira"}, None, 409, "avatar_exists", "name", "another name"),
        ({"title": "x" * 65}, None, 400, "invalid_request", "title", "64"),
        ({"title": "A\nda"}, None, 400, "invalid_request", "title", "one line"),
        ({"drawn": "perhaps"}, None, 400, "invalid_request", "drawn", "true"),
        ({"consent": "face"}, None, 403, "consent_missing", "consent", "consent=text"),
        ({"consent": None}, None, 403, "consent_missing", "consent", "face and text"),
        ({"consent": ["face", "text", "soul"]}, None, 400, "invalid_request", "consent", "consent"),
        ({"person": None}, None, 400, "invalid_request", "person", "person"),
        ({"statement": "Yes."}, None, 400, "invalid_request", "statement", "20"),
        ({"text": " \n"}, None, 400, "invalid_request", "text", "paragraphs"),
        ({"colour": "red"}, None, 400, "unknown_parameter", "colour", "statement"),
        ({}, {}, 415, "unsupported_media_type", None, "multipart"),
        ({}, {"speech": speech()}, 400, "invalid_request", "photo", "no photo"),
        ({}, {"photo": b"no picture"}, 400, "media_wrong_type", "photo", "PNG, JPEG or WebP"),
        ({}, {"photo": broken_png()}, 400, "media_error", "photo", "save it again"),
        ({}, {"photo": PHOTO, "speech": b"no sound"}, 400, "media_error", "speech", "wav"),
        ({}, {"photo": PHOTO, "speech": speech(1.0)}, 400, "media_too_short", "speech", "3 to 60 s"),
        ({}, {"photo": PHOTO, "speech": speech(61.5)}, 400, "media_too_long", "speech", "60 s"),
        ({"text": None}, {"photo": PHOTO, "text": b"\xff\xfe"}, 400, "invalid_request", "text", "UTF-8"),
        ({"text": None}, {"photo": PHOTO, "text": bytes(1 << 21)}, 413, "too_large", "text", "1 MiB"),
        ({"title": "x" * 2000}, None, 413, "too_large", "title", "1 KiB"),
        ({}, {"photo": bytes(21 << 20)}, 413, "too_large", "photo", "20 MiB"),
        ({}, {"photo": bytes(19 << 20), "speech": bytes(19 << 20)}, 413, "too_large", None, "26 MiB"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused_at_once_by_its_name(
    http: httpx.AsyncClient, gateway: Running, changes, files, status, code, param, words
) -> None:
    answer = await post(http, files, **changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param), error
    assert words in error["message"]
    assert gateway.board.jobs == {}
    assert not gateway.settings.spool_dir.exists() or list(gateway.settings.spool_dir.iterdir()) == []


async def test_a_picture_that_is_not_sent_whole_leaves_nothing(gateway: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    part = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n' + PHOTO[:5000]
    head = f"POST /v1/avatars HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nContent-Length: 999999\r\n"
    writer.write(head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + part)
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.1)
    assert not gateway.settings.spool_dir.exists()
    assert gateway.board.jobs == {}


async def test_without_a_maker_nothing_is_queued(http: httpx.AsyncClient, gateway: Running) -> None:
    assert (await http.get("/v1/avatars")).json()["maker"] == {"ready": True, "drawn": False, "reason": ""}
    cartoon = await post(http, drawn="true")
    assert (cartoon.status_code, cartoon.json()["error"]["param"]) == (400, "drawn")
    assert cartoon.json()["error"]["code"] == "drawn_unavailable"
    gateway.board.able = MakerAbilities(drawn=True)
    assert (await post(http, drawn="true", consent="face,text")).status_code == 202
    gateway.board.able = None
    answer = await post(http, name="bob")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "maker_unavailable")
    assert "scripts/setup python data" in answer.json()["error"]["message"]
    assert len(gateway.board.jobs) == 1
    maker = (await http.get("/v1/avatars")).json()["maker"]
    assert maker["ready"] is False and "no maker runs" in maker["reason"]


@pytest.mark.parametrize(
    ("refusal", "status", "param"),
    [
        (NameTaken("An avatar named 'ada' is being made already."), 409, "name"),
        (ServiceUnavailable("16 avatars are waiting.", code="maker_busy"), 503, None),
    ],
)
async def test_a_job_that_is_not_queued_leaves_no_files(
    http: httpx.AsyncClient, gateway: Running, refusal, status, param
) -> None:
    gateway.board.refuse = refusal
    answer = await post(http)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, refusal.code, param)
    assert list(gateway.settings.spool_dir.iterdir()) == []


async def test_a_spool_that_others_can_read_is_refused(http: httpx.AsyncClient, gateway: Running) -> None:
    gateway.settings.spool_dir.mkdir(mode=0o755)
    answer = await post(http)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "config_error")
    assert "chmod 700" in answer.json()["error"]["message"]
    assert gateway.board.jobs == {}


async def test_only_who_has_a_key_makes_watches_and_deletes(launch: Any) -> None:
    gateway = await launch(api_keys="secret")
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        secret = {"Authorization": "Bearer secret"}
        token = (await http.post("/v1/realtime/client_secrets", headers=secret)).json()["value"]
        calls = [("POST", "/v1/avatars"), ("DELETE", "/v1/avatars/mira")]
        calls += [(method, "/v1/jobs/job_" + 32 * "0") for method in ("GET", "DELETE")]
        for method, path in calls:
            assert (await http.request(method, path)).status_code == 401
            limited = await http.request(method, path, headers={"Authorization": f"Bearer {token}"})
            assert (limited.status_code, limited.json()["error"]["code"]) == (403, "client_secret")
        http.headers.update(secret)
        assert (await post(http)).status_code == 202
        foreign = await http.post("/v1/avatars", headers={"Origin": "https://evil.example"})
        assert foreign.json()["error"]["code"] == "forbidden_origin"


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.split("\n\n"):
        if block and not block.startswith(":"):
            kind, data = block.split("\n")
            found.append((kind.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
    return found


async def test_progress_is_told_as_it_comes_and_resumes_with_the_present(
    http: httpx.AsyncClient, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job.model_validate({k: v for k, v in (await post(http)).json().items() if k != "object"})
    url, headers = f"/v1/jobs/{job.id}", {"Accept": "text/event-stream"}
    async with http.stream("GET", url, headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        pieces = stream.aiter_text()
        assert events_of(await anext(pieces)) == [("job", job.shown())]
        running = job.model_copy(update={"status": "running", "step": "face", "progress": 0.5})
        gateway.board.tell(running)
        assert events_of(await anext(pieces)) == [("job", running.shown())]
    async with http.stream("GET", url, headers=headers) as stream:  # the connection was lost
        pieces = stream.aiter_text()
        assert events_of(await anext(pieces)) == [("job", running.shown())]
        failure = JobError(code="no_face", message="No face is seen.", fix="Use another photo.")
        failed = running.model_copy(update={"status": "failed", "error": failure})
        gateway.board.tell(failed)
        assert events_of("".join([piece async for piece in pieces])) == [("job", failed.shown())]
    assert (await http.get(url)).json()["error"]["fix"] == "Use another photo."


async def test_a_silent_stream_beats_and_one_of_a_forgotten_job_ends(
    launch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOOK_S", 0.02)
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 0.05)
    gateway = await launch()
    job = Job.new("ada")
    gateway.board.tell(job)
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        path, headers = f"/v1/jobs/{job.id}", {"Accept": "text/event-stream"}
        async with http.stream("GET", path, headers=headers) as stream:
            pieces = stream.aiter_text()
            await anext(pieces)
            assert await anext(pieces) == ": alive\n\n"
            gateway.board.forget(job.id)
            ((kind, content),) = events_of("".join([piece async for piece in pieces]))
            assert (kind, content["error"]["code"]) == ("error", "unknown_job")
        missing = await http.get(path, headers=headers)
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_job")
        assert (await http.get("/v1/jobs/nonsense")).status_code == 404


async def test_a_gateway_that_stops_ends_the_streams(gateway: Running) -> None:
    job = Job.new("ada")
    gateway.board.tell(job)
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        async with http.stream(
            "GET", f"/v1/jobs/{job.id}", headers={"Accept": "text/event-stream"}
        ) as stream:
            pieces = stream.aiter_text()
            await anext(pieces)
            gateway.server.should_exit = True
            async with asyncio.timeout(3):
                assert [piece async for piece in pieces if not piece.startswith(":")] == []


async def test_cancelling_removes_what_was_sent(http: httpx.AsyncClient, gateway: Running) -> None:
    url = f"/v1/jobs/{(await post(http)).json()['id']}"
    cancelled = await http.delete(url)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert list(gateway.settings.spool_dir.iterdir()) == []
    again = await http.delete(url)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "job_ended")
    assert (await http.delete("/v1/jobs/job_" + 32 * "0")).status_code == 404


async def test_uploads_of_forgotten_jobs_are_swept(gateway: Running, http: httpx.AsyncClient) -> None:
    first, second = [(await post(http, name=name)).json()["id"] for name in ("ada", "bob")]
    spool = Spool(gateway.settings.spool_dir)
    long_ago = time.time() - 4000
    os.utime(spool.folder(first), (long_ago, long_ago))
    (gateway.settings.spool_dir / "something-else").mkdir()
    assert spool.sweep(3600) == 1
    assert sorted(path.name for path in gateway.settings.spool_dir.iterdir()) == [second, "something-else"]


def own(avatars_dir: Path, name: str = "ada") -> Path:
    folder = avatars_dir / name
    (folder / "face").mkdir(parents=True)
    agreed = {"person": "Ada Example", "granted": "2026-01-01", "purposes": ["face"], "statement": STATEMENT}
    consent.save(folder, consent.Consent.model_validate(agreed | {"evidence": "letter"}))
    manifest = "title: Ada\ndescription: x\nlikeness: person\nvoice: {engine: fake, voice: slt}\n"
    (folder / "avatar.yaml").write_text(manifest)
    (folder / "face" / "portrait.png").write_bytes(b"\x89PNG")
    return folder


async def test_an_own_avatar_is_deleted_with_everything_of_it(
    http: httpx.AsyncClient, gateway: Running, avatars_dir: Path
) -> None:
    folder = own(avatars_dir)
    shown = {a["name"]: a["own"] for a in (await http.get("/v1/avatars")).json()["data"]}
    assert shown == {"mira": False, "ada": True, "ben": False}
    assert (await http.get("/v1/avatars/ada/portrait.png")).headers["cache-control"] == "no-store"
    async with connected(gateway, "model=ada") as talking, connected(gateway) as other:
        answer = await http.delete("/v1/avatars/ada")
        assert answer.json() == {"object": "avatar.deleted", "name": "ada", "deleted": True}
        await asyncio.wait_for(talking.socket.wait_closed(), 5)
        assert (talking.socket.close_code, talking.socket.close_reason) == (1001, "The avatar was deleted.")
        assert other.socket.close_code is None
    assert not folder.exists()
    assert sorted(os.listdir(avatars_dir)) == ["ben", "mira"]
    assert (await http.get("/v1/avatars/ada")).status_code == 404
    assert (await http.delete("/v1/avatars/ada")).status_code == 404


async def test_withdrawn_avatars_can_be_deleted_and_default_ones_cannot(
    http: httpx.AsyncClient, avatars_dir: Path
) -> None:
    folder = own(avatars_dir)
    record = consent.load(folder)
    consent.save(folder, record.model_copy(update={"withdrawn": record.granted}))
    assert (await http.get("/v1/avatars/ada")).status_code == 403
    assert (await http.delete("/v1/avatars/ada")).status_code == 200
    refused = await http.delete("/v1/avatars/mira")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "avatar_not_deletable")
    assert (avatars_dir / "mira" / "avatar.yaml").is_file()
    consent.save(avatars_dir / "bob", record)  # agreed, but nothing is made yet
    assert (await http.delete("/v1/avatars/bob")).status_code == 404
    assert (avatars_dir / "bob" / consent.FILE).is_file()


async def test_a_new_avatar_of_an_old_name_gets_its_own_idle_clip(
    launch: Any, avatars_dir: Path, backend: Any
) -> None:
    gateway = await launch()
    own(avatars_dir)
    face = {"type": "session.update", "session": {"type": "realtime", "avatar": {"video": "h264"}}}
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for times in (1, 2):
            async with connected(gateway, "model=ada") as client:
                await client.ask(face, "session.updated")
            assert backend.idle_calls == times
            await http.delete("/v1/avatars/ada")
            own(avatars_dir)


def test_the_form_is_described() -> None:
    content = _FORM["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(content["properties"]) == set(_FIELDS) | set(_FILES)
