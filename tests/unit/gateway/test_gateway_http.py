"""The HTTP fronts, against real gRPC services in process; with the OpenAI SDK where it has a call for it."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from openai import APIStatusError, AsyncOpenAI

from gateway.http.clauses import split
from gateway.http.codecs import encoder
from parley.intake.decode import decode_audio
from proto.parley.v1 import chain_pb2
from tests.unit.gateway.conftest import Running
from tests.unit.gateway.fakes import PCM, FakeServices

SECOND = (np.sin(np.arange(24_000) * 440 * 2 * np.pi / 24_000) * 12_000).astype("<i2").tobytes()


@pytest.fixture
async def http(gateway: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url) as one:
        yield one


@pytest.fixture
async def sdk(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def as_file(kind: Any, pcm: bytes = SECOND) -> bytes:
    writer = encoder(kind)
    return b"".join((writer.push(pcm[:20_000]), writer.push(pcm[20_000:]), writer.close()))


async def test_health_and_readiness(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    ready = await http.get("/readyz")
    body = ready.json()
    assert ready.status_code == 503  # no Redis in this test
    assert body["ready"] is False
    assert body["redis"]["ready"] is False
    assert "Redis" in body["redis"]["error"]
    assert body["services"]["asr"]["engine"] == "fake"
    assert body["sessions"] == {"active": 0, "max": 8}


async def test_a_missing_service_is_named(launch: Any) -> None:
    gateway = await launch(tts_url="127.0.0.1:1")
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        body = (await http.get("/readyz")).json()
        assert "tts at 127.0.0.1:1" in body["services"]["tts"]["error"]
        speech = await http.post("/v1/audio/speech", json={"model": "mira", "input": "Hello."})
        assert speech.status_code == 503
        assert speech.json()["error"]["code"] == "service_unavailable"


async def test_metrics(http: httpx.AsyncClient) -> None:
    text = (await http.get("/metrics")).text
    assert "parley_gateway_sessions" in text
    assert "parley_turn_latency_seconds" in text


async def test_models_and_avatars(http: httpx.AsyncClient, sdk: AsyncOpenAI) -> None:
    models = [model async for model in await sdk.models.list()]
    assert [m.id for m in models] == ["mira", "ben"]
    mira = (await http.get("/v1/models/mira")).json()
    assert mira["parley"] == {
        "title": "Mira",
        "description": "One line.",
        "language": "en-US",
        "portrait": "/v1/avatars/mira/portrait.png",
    }
    portrait = await http.get(mira["parley"]["portrait"])
    assert (portrait.headers["content-type"], portrait.content) == ("image/png", b"\x89PNG")
    assert (await http.get("/v1/avatars/ben/portrait.png")).status_code == 404
    assert (await http.get("/v1/avatars/nobody")).json()["error"]["code"] == "unknown_avatar"
    assert [a["name"] for a in (await http.get("/v1/avatars")).json()["data"]] == ["mira", "ben"]


@pytest.mark.parametrize("kind", ["wav", "mp3", "opus", "flac"])
async def test_transcriptions(sdk: AsyncOpenAI, backend: FakeServices, kind: str) -> None:
    got = await sdk.audio.transcriptions.create(model="mira", file=(f"speech.{kind}", as_file(kind)))
    assert got.text == "hello world"
    assert abs(backend.heard_bytes - len(SECOND)) < 5000


async def test_transcription_formats_and_errors(
    http: httpx.AsyncClient, sdk: AsyncOpenAI, backend: FakeServices
) -> None:
    async def post(data: bytes, **fields: str) -> httpx.Response:
        return await http.post("/v1/audio/transcriptions", files={"file": ("x.wav", data)}, data=fields)

    wav = as_file("wav")
    verbose = await sdk.audio.transcriptions.create(
        model="any", file=("x.wav", wav), response_format="verbose_json"
    )
    assert verbose.duration == 1.0
    assert verbose.words is not None
    assert (verbose.words[0].word, verbose.words[0].end) == ("hello", 0.5)
    assert (await post(wav, response_format="text")).text == "hello world\n"
    assert (await post(wav, response_format="srt")).json()["error"]["param"] == "response_format"
    assert (await post(b"no audio at all")).json()["error"]["code"] == "media_error"
    assert (await post(b"")).status_code == 400
    missing = await http.post("/v1/audio/transcriptions", data={"model": "mira"})
    assert missing.json()["error"]["param"] == "file"
    huge = await post(bytes(27 << 20))
    assert (huge.status_code, huge.json()["error"]["code"]) == (413, "too_large")
    backend.error = chain_pb2.StageError(stage="asr", code="x", message="The ears hurt.")
    assert "The ears hurt." in (await post(wav)).json()["error"]["message"]


def test_recordings_are_limited() -> None:
    from parley.errors import MediaError

    with pytest.raises(MediaError, match="longer than"):
        decode_audio(io.BytesIO(as_file("wav", SECOND * 3)), max_s=2.0)


@pytest.mark.parametrize("kind", ["wav", "mp3", "opus", "aac", "flac", "pcm"])
async def test_speech(http: httpx.AsyncClient, backend: FakeServices, kind: str) -> None:
    wanted = {"model": "mira", "voice": "slt", "input": "One. Two!", "response_format": kind, "speed": 1.5}
    answer = await http.post("/v1/audio/speech", json=wanted)
    assert answer.status_code == 200
    assert backend.spoken == [("mira", "slt", 1.5, "One. "), ("mira", "slt", 1.5, "Two!")]
    if kind == "pcm":
        assert answer.content == PCM * 20
        return
    pcm = decode_audio(io.BytesIO(answer.content), max_s=10)
    assert abs(len(pcm) - len(PCM * 20)) < 8000


async def test_speech_names_its_errors(http: httpx.AsyncClient, backend: FakeServices) -> None:
    async def post(**fields: Any) -> dict[str, Any]:
        answer = await http.post("/v1/audio/speech", json={"input": "Hi.", **fields})
        error: dict[str, Any] = answer.json()["error"]
        return error

    assert (await post(model="tts-1", voice="alloy"))["code"] == "unknown_avatar"
    assert (await post(model="mira", speed=9))["param"] == "speed"
    assert (await post(model="mira", response_format="midi"))["param"] == "response_format"
    backend.error = chain_pb2.StageError(stage="tts", code="bad_voice", message="No such voice.")
    assert (await post(model="mira"))["code"] == "bad_voice"


async def test_chat(sdk: AsyncOpenAI, backend: FakeServices) -> None:
    messages: Any = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "Who are you?"}]},
    ]
    whole = await sdk.chat.completions.create(model="mira", messages=messages, max_completion_tokens=50)
    assert whole.choices[0].message.content == "I am a face."
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    turn = backend.turns[0]
    assert [m.text for m in turn.history] == ["Be short.", "Who are you?"]
    assert (turn.avatar, turn.max_output_tokens) == ("mira", 50)
    stream = await sdk.chat.completions.create(
        model="mira", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "I am a face."
    assert chunks[-1].usage is not None
    with pytest.raises(APIStatusError) as unknown:
        await sdk.chat.completions.create(model="gpt-4o", messages=messages)
    assert unknown.value.status_code == 404
    backend.error = chain_pb2.StageError(stage="llm", code="engine_unavailable", message="No mind.")
    with pytest.raises(APIStatusError, match="No mind"):
        await sdk.chat.completions.create(model="mira", messages=messages)


async def test_the_page(http: httpx.AsyncClient, tmp_path: Path) -> None:
    missing = await http.get("/")
    assert missing.status_code == 503
    assert "npm run build" in missing.text
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<h1>Parley</h1>")
    (static / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path / "secret.txt").write_text("no")
    page = await http.get("/")
    assert page.text == "<h1>Parley</h1>"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self' ws: wss:" in policy
    assert page.headers["permissions-policy"].startswith("microphone=(self)")
    script = await http.get("/assets/app-1a2b.js")
    assert "immutable" in script.headers["cache-control"]
    assert "javascript" in script.headers["content-type"]
    for path in ("/%2e%2e/secret.txt", "/nothing.js"):
        assert (await http.get(path)).json()["error"]["code"] == "not_found"


def test_clauses_lose_nothing() -> None:
    text = "Dr. Who? Yes!  And " + "word " * 200 + "\nend"
    assert "".join(split(text)) == text
    assert max(map(len, split(text))) <= 300


def test_the_container_decodes_video_files_too() -> None:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=24_000, layout="mono")
        samples = np.frombuffer(SECOND, "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 24_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sink.seek(0)
    assert abs(len(decode_audio(sink, max_s=5)) - len(SECOND)) < 8000
