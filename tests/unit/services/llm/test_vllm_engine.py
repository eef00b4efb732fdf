"""The vllm engine against a real HTTP server on this machine."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from parley.errors import EngineUnavailable, ServiceUnavailable
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines import load
from services.llm.engines.vllm import VllmEngine


class Server:
    """Speaks OpenAI's streaming shape. `script`: what each request gets, the last one for all later ones."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[Callable[[], Awaitable[Response]]] = []
        self.aborted = asyncio.Event()
        self.tokenize: dict[str, Any] | None = None
        self.counted = 0
        self.app = FastAPI()
        self.app.post("/v1/chat/completions")(self.complete)
        self.app.get("/v1/models")(self.models)
        self.app.post("/tokenize")(self.count)

    async def complete(self, request: Request) -> Response:
        self.requests.append(await request.json())
        self.headers.append(dict(request.headers))
        return await self.script[min(len(self.requests), len(self.script)) - 1]()

    async def models(self) -> dict[str, Any]:
        return {"data": [{"id": "tiny"}]}

    async def count(self, request: Request) -> Response:
        self.counted += 1
        if self.tokenize is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        words = sum(len(m["content"].split()) for m in (await request.json())["messages"])
        return JSONResponse({"count": words, **self.tokenize})

    def says(
        self, *texts: str, then: str = "done", pause_s: float = 0.0
    ) -> Callable[[], Awaitable[Response]]:
        async def events() -> AsyncIterator[str]:
            try:
                for text in texts:
                    await asyncio.sleep(pause_s)
                    yield _event({"choices": [{"delta": {"content": text}}]})
                if then == "done":
                    yield _event({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + "data: [DONE]\n\n"
                elif then == "hang":
                    await asyncio.sleep(60)
                elif then == "error":
                    yield _event({"error": {"message": "out of memory"}})
            except asyncio.CancelledError:
                self.aborted.set()
                raise

        async def respond() -> Response:
            return StreamingResponse(events(), media_type="text/event-stream")

        return respond

    def fails(self, status: int, **headers: str) -> Callable[[], Awaitable[Response]]:
        async def respond() -> Response:
            return JSONResponse({"error": {"message": "no"}}, status, headers)

        return respond


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[Server, VllmEngine]]:
    server = Server()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        server.app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    uvicorn_server = uvicorn.Server(config)
    running = asyncio.create_task(uvicorn_server.serve(sockets=[listening]))
    options = {"url": f"http://127.0.0.1:{port}/v1", "model": "m", **settings}
    engine = VllmEngine(LlmSettings(avatars_dir=REPOSITORY / "avatars", **options))
    try:
        async with asyncio.timeout(10):
            while not uvicorn_server.started:
                await asyncio.sleep(0.005)
        yield server, engine
    finally:
        await engine.close()
        uvicorn_server.should_exit = True
        async with asyncio.timeout(10):
            await running
        listening.close()


def turn(*texts: str, **fields: Any) -> pb.Turn:
    roles = (pb.ROLE_USER, pb.ROLE_ASSISTANT)
    history = [pb.Message(role=roles[i % 2], text=text) for i, text in enumerate(texts)]
    return pb.Turn(avatar="mira", history=history, **fields)


async def reply(engine: VllmEngine, work: pb.Turn, spoken: str = "") -> str:
    return "".join([delta.text async for delta in engine.generate(work, spoken=spoken)])


async def test_streams_with_persona_notes_and_citations() -> None:
    async with serving(key="secret") as (server, engine):
        server.script = [server.says("It stands ", "above the pole.")]
        deltas = [d async for d in engine.generate(turn("what is the north star"))]
    assert [d.text for d in deltas] == ["It stands ", "above the pole."]
    assert "night_sky/the-north-star" in deltas[0].citations and not deltas[1].citations
    request = server.requests[0]
    system = request["messages"][0]
    assert system["role"] == "system"
    assert "You are Mira" in system["content"] and "north pole" in system["content"]
    assert request["messages"][-1] == {"role": "user", "content": "what is the north star"}
    assert request["model"] == "m" and request["stream"] is True
    assert server.headers[0]["authorization"] == "Bearer secret"


async def test_instructions_replace_the_persona() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("Arr.")]
        await reply(engine, turn("hello", instructions="You are a pirate."))
    assert server.requests[0]["messages"][0]["content"].startswith("You are a pirate.")


async def test_takes_the_servers_first_model_when_none_is_set() -> None:
    async with serving(model="") as (server, engine):
        server.script = [server.says("Hi.")]
        await reply(engine, turn("hello"))
    assert server.requests[0]["model"] == engine.model == "tiny"


async def test_closing_the_iterator_aborts_the_request_at_the_server() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("One ", then="hang")]
        async with aclosing(engine.generate(turn("hello"))) as deltas:
            assert (await anext(deltas)).text == "One "
        async with asyncio.timeout(5):
            await server.aborted.wait()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_is_asked_again_before_the_first_token(status: int) -> None:
    async with serving() as (server, engine):
        server.script = [server.fails(status, **{"retry-after": "0"}), server.says("Fine.")]
        assert await reply(engine, turn("hello")) == "Fine."
    assert len(server.requests) == 2


async def test_gives_up_after_three_tries() -> None:
    async with serving() as (server, engine):
        server.script = [server.fails(429, **{"retry-after": "0"})]
        with pytest.raises(ServiceUnavailable, match="429"):
            await reply(engine, turn("hello"))
    assert len(server.requests) == 3


async def test_a_refusal_that_will_not_change_is_not_repeated() -> None:
    async with serving() as (server, engine):
        server.script = [server.fails(401)]
        with pytest.raises(ServiceUnavailable, match="401"):
            await reply(engine, turn("hello"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["cut", "error"])
async def test_a_break_in_the_middle_is_never_retried(end: str) -> None:
    async with serving() as (server, engine):
        server.script = [server.says("The beginning ", then=end)]
        said = []
        with pytest.raises(ServiceUnavailable, match="in the middle"):
            async for delta in engine.generate(turn("hello")):
                said.append(delta.text)
    assert said == ["The beginning "]
    assert len(server.requests) == 1


async def test_a_slow_first_token_is_an_error_in_time() -> None:
    async with serving(first_token_s=0.2) as (server, engine):
        server.script = [server.says("Late.", pause_s=30)]
        with pytest.raises(ServiceUnavailable, match=r"no first token within 0\.2 s"):
            await reply(engine, turn("hello"))


async def test_a_stall_between_tokens_is_an_error_in_time() -> None:
    async with serving(next_token_s=0.2) as (server, engine):
        server.script = [server.says("One ", then="hang")]
        with pytest.raises(ServiceUnavailable, match=r"no next token within 0\.2 s"):
            await reply(engine, turn("hello"))


async def test_nobody_there() -> None:
    engine = VllmEngine(LlmSettings(url="http://127.0.0.1:9/v1", model="m", first_token_s=1.0))
    with pytest.raises(ServiceUnavailable, match="PARLEY_LLM_URL"):
        await reply(engine, turn("hello"))
    await engine.close()


async def test_history_is_cut_by_the_servers_own_count() -> None:
    talk = [f"{'word ' * 100}{i}" for i in range(9)]
    async with serving(output_tokens=50, context_tokens=700) as (server, engine):
        server.script = [server.says("Yes.")]
        server.tokenize = {"max_model_len": 900}
        await reply(engine, turn(*talk))
    sent = server.requests[0]["messages"]
    assert server.counted >= 1
    assert sum(len(m["content"].split()) for m in sent) <= 850
    assert sent[-1]["content"] == talk[-1]
    assert sent[1]["role"] == "user"
    assert 3 < len(sent) < 10


async def test_history_is_cut_by_a_safe_estimate_where_the_server_does_not_count() -> None:
    talk = [f"{'word ' * 100}{i}" for i in range(9)]
    async with serving(output_tokens=50, context_tokens=2000) as (server, engine):
        server.script = [server.says("Yes."), server.says("Yes.")]
        await reply(engine, turn(*talk))
        await reply(engine, turn(*talk))
    sent = server.requests[0]["messages"]
    assert sum(len(m["content"]) for m in sent) / 2 <= 1950
    assert sent[-1]["content"] == talk[-1]
    assert server.counted == 1


async def test_a_take_over_is_told_what_was_said() -> None:
    async with serving() as (server, engine):
        server.script = [server.says("is above", " the pole.")]
        rest = await reply(engine, turn("where is it"), spoken="The star")
    assert rest == " is above the pole."
    assert server.requests[0]["messages"][-2] == {"role": "assistant", "content": "The star"}


def test_no_server_set_names_the_fix() -> None:
    with pytest.raises(EngineUnavailable, match="PARLEY_LLM_URL"):
        load("vllm", LlmSettings())
    with pytest.raises(EngineUnavailable, match="notes, vllm, fake"):
        load("nonesuch", LlmSettings())
