"""The mind alone, under load: many conversations over gRPC, a quarter of the replies broken off.

    python -m tests.load.llm --conversations 8 --turns 20 --engine notes
    python -m tests.load.llm --conversations 16 --turns 10 --engine vllm --out report.json
    PARLEY_LLM_TRANSFORMER=data/llm/served python -m tests.load.llm --engine transformer --conversations 4

Starts the service by itself, on free ports of 127.0.0.1 and without Redis; for `vllm` also a language model's
server whose words come at a fixed pace, so that Parley's own part is measured (the first clause is known
with the third word), and which counts the requests still being computed. Ends by itself, prints JSON,
and exits with 1 if anything failed or was not stopped.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import grpc.aio
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from parley.rpc.client import describe
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from proto.parley.v1 import llm_pb2_grpc
from services.llm.engines.summaries import RULES
from services.llm.evaluate import DEVELOPMENT, load_questions

LOCAL = "127.0.0.1"
REPLY = "Well, yes. " + " ".join(f"And this is sentence number {n} of it." for n in range(8))
READY_S, REPLY_S, STOP_S = 120.0, 30.0, 3.0
BREAK_OFF_EVERY = 4
HISTORY_KEPT = 20


class Model:
    """A language model's server: one word each `word_s`, however many ask."""

    def __init__(self, word_s: float) -> None:
        self.computing = self.stopped = 0
        self._word_s = word_s
        self.app = FastAPI()
        self.app.post("/v1/chat/completions")(self.complete)

    async def complete(self, request: Request) -> StreamingResponse:
        """Streams the reply; a summary comes at once."""
        summary = (await request.json())["messages"][0]["content"] == RULES
        words = ["They", "spoke."] if summary else REPLY.split()
        return StreamingResponse(
            self._events(words, 0.0 if summary else self._word_s), media_type="text/event-stream"
        )

    async def _events(self, words: list[str], word_s: float) -> AsyncIterator[str]:
        self.computing += 1
        computed = False
        try:
            for word in words:
                await asyncio.sleep(word_s)
                yield f"data: {json.dumps({'choices': [{'delta': {'content': word + ' '}}]})}\n\n"
            computed = True
            yield f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': 'stop'}]})}\n\n"
            yield "data: [DONE]\n\n"
        finally:
            self.computing -= 1
            self.stopped += not computed

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its address, ending in /v1."""
        listener = socket.create_server((LOCAL, 0))
        server = uvicorn.Server(
            uvicorn.Config(self.app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{LOCAL}:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            await running
            listener.close()


@asynccontextmanager
async def service(engine: str, model_url: str, env: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    """The llm service as a process of its own; yields host:port once it answers.

    Args:
        engine: Its name.
        model_url: Of a language model's server; empty: none.
        env: Settings besides.
    """
    port, metrics_port = free_port(), free_port()
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PARLEY_HOST": LOCAL,
        "PARLEY_REDIS_URL": f"redis://{LOCAL}:{free_port()}/0",
        "PARLEY_LLM_ENGINE": engine,
        "PARLEY_LLM_PORT": str(port),
        "PARLEY_LLM_METRICS_PORT": str(metrics_port),
        "PARLEY_LLM_URL": model_url,
        "PARLEY_LLM_MODEL": "scripted",
        **(env or {}),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.llm",
        cwd=REPOSITORY,
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    address = f"{LOCAL}:{port}"
    try:
        async with asyncio.timeout(READY_S):
            while not await answers(port):
                if process.returncode is not None:
                    raise SystemExit("The llm service did not start; `python -m services.llm` says why.")
                await asyncio.sleep(0.1)
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def free_port() -> int:
    """A port that nothing uses now."""
    with socket.create_server((LOCAL, 0)) as free:
        return int(free.getsockname()[1])


async def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        _, writer = await asyncio.open_connection(LOCAL, port)
    except OSError:
        return False
    writer.close()
    return True


class Person:
    """One conversation: asks, listens, and breaks every fourth reply off."""

    def __init__(self, stub: Any, number: int) -> None:
        self._stub = stub
        self._number = number
        self._history: list[pb.Message] = []
        self.first_clause_ms: list[float] = []
        self.broken_off = 0
        self.failed: list[str] = []

    async def talk(self, turns: int) -> None:
        """Asks so many questions, one after the other."""
        asked = [q.text for q in load_questions(DEVELOPMENT) if q.avatar == "mira" and not q.heard]
        for turn, question in enumerate(islice(cycle(asked), self._number * 7, self._number * 7 + turns)):
            self._history = [*self._history[-HISTORY_KEPT:], pb.Message(role=pb.ROLE_USER, text=question)]
            try:
                async with asyncio.timeout(REPLY_S):
                    await self._ask(break_off=(turn + self._number) % BREAK_OFF_EVERY == 0)
            except (grpc.aio.AioRpcError, TimeoutError) as error:
                self.failed.append(f"{type(error).__name__}: {error}"[:200])

    async def _ask(self, *, break_off: bool) -> None:
        call = self._stub.Generate(pb.Turn(avatar="mira", history=self._history))
        started = time.perf_counter()
        said = ""
        async for piece in call:
            if not said:
                self.first_clause_ms.append((time.perf_counter() - started) * 1000)
            said += piece.text
            if break_off:
                call.cancel()
                self.broken_off += 1
                break
        self._history.append(pb.Message(role=pb.ROLE_ASSISTANT, text=said))


async def measure(engine: str, conversations: int, turns: int, word_s: float) -> dict[str, Any]:
    """Runs the load; returns the report."""
    model = Model(word_s)
    async with model.serving() as url, service(engine, url if engine == "vllm" else "") as address:
        async with grpc.aio.insecure_channel(address) as channel:
            people = [Person(llm_pb2_grpc.LlmStub(channel), n) for n in range(conversations)]  # type: ignore[no-untyped-call]
            started = time.perf_counter()
            await asyncio.gather(*(person.talk(turns) for person in people))
            took_s = time.perf_counter() - started
        stopping = time.perf_counter()
        while model.computing and time.perf_counter() - stopping < STOP_S:
            await asyncio.sleep(0.005)
        stopped_ms = (time.perf_counter() - stopping) * 1000
        running = (await describe(address)).model
    times = sorted(ms for person in people for ms in person.first_clause_ms)
    failed = [reason for person in people for reason in person.failed]
    return {
        "engine": engine,
        "model": running,
        "conversations": conversations,
        "turns": conversations * turns,
        "seconds": round(took_s, 1),
        "turns_per_s": round(conversations * turns / took_s, 1),
        "first_clause_ms": {
            "median": round(statistics.median(times), 1),
            "p95": round(times[min(len(times) - 1, int(len(times) * 0.95))], 1),
            "max": round(times[-1], 1),
        },
        "broken_off": sum(person.broken_off for person in people),
        "stopped_at_the_model": model.stopped if engine == "vllm" else None,
        "still_computing": model.computing,
        "all_stopped_after_ms": round(stopped_ms, 1),
        "failed": failed,
    }


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description="Load test of the llm service alone.")
    parser.add_argument("--engine", choices=("notes", "transformer", "vllm"), default="notes")
    parser.add_argument("--conversations", type=int, default=8, help="at once")
    parser.add_argument("--turns", type=int, default=20, help="questions in each")
    parser.add_argument("--word-ms", type=float, default=50.0, help="pace of the scripted model (vllm)")
    parser.add_argument("--out", type=Path, help="file for the report as well")
    options = parser.parse_args()
    report = asyncio.run(
        measure(options.engine, options.conversations, options.turns, options.word_ms / 1000)
    )
    text = json.dumps(report, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    stopped = options.engine != "vllm" or report["stopped_at_the_model"] == report["broken_off"]
    sys.exit(bool(report["failed"] or report["still_computing"] or not stopped))


if __name__ == "__main__":
    main()
