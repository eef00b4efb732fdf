"""A language model server for tests: OpenAI's streaming shapes over real HTTP on this machine."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from parley.settings import REPOSITORY
from services.llm.config import LlmSettings
from services.llm.engines.vllm import VllmEngine
from services.llm.notes.embedder import Embedder

embedder = lru_cache(maxsize=1)(Embedder)
"""One for all tests: it remembers the notes' vectors."""


class Server:
    """Speaks OpenAI's streaming shape. `script`: what each request gets, the last one for all later ones."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[Callable[[], Awaitable[Response]]] = []
        self.aborted = asyncio.Event()
        self.offered: list[dict[str, Any]] = [{"id": "tiny"}]
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
        return {"data": self.offered}

    async def count(self, request: Request) -> Response:
        self.counted += 1
        if self.tokenize is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        words = sum(len(m["content"].split()) for m in (await request.json())["messages"])
        return JSONResponse({"count": words, **self.tokenize})

    def answer_by(self, reply: Callable[[dict[str, Any]], str]) -> None:
        """Answers every request with what `reply` makes of it."""

        async def respond() -> Response:
            return await self.says(reply(self.requests[-1]))()

        self.script = [respond]

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

    def streams(self, *deltas: dict[str, Any], reason: str = "stop") -> Callable[[], Awaitable[Response]]:
        """A reply of just these deltas."""

        async def events() -> AsyncIterator[str]:
            for delta in deltas:
                yield _event({"choices": [{"delta": delta}]})
            yield _event({"choices": [{"delta": {}, "finish_reason": reason}]}) + "data: [DONE]\n\n"

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
async def listening_server() -> AsyncIterator[tuple[Server, str]]:
    """The server, and its address, ending in /v1."""
    server = Server()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        server.app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    uvicorn_server = uvicorn.Server(config)
    running = asyncio.create_task(uvicorn_server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(10):
            while not uvicorn_server.started:
                await asyncio.sleep(0.005)
        yield server, f"http://127.0.0.1:{port}/v1"
    finally:
        uvicorn_server.should_exit = True
        async with asyncio.timeout(10):
            await running
        listening.close()


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[Server, VllmEngine]]:
    async with listening_server() as (server, url):
        options = {"url": url, "model": "m", "avatars_dir": REPOSITORY / "avatars", **settings}
        engine = VllmEngine(LlmSettings(**options), embedder())
        try:
            yield server, engine
        finally:
            await engine.close()
