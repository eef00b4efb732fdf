"""Reading ahead against a real server: how much is left to read, and how soon it speaks, with and without.

    python -m tests.training.llm.tiny_gguf data/llamacpp/tiny.gguf
    python -m tests.load.prefill --python LLAMA_VENV/bin/python --gguf data/llamacpp/tiny.gguf --questions 16

Starts llama.cpp's OpenAI-compatible server (`llama-cpp-python[server]`, in an environment of its own), which
tells in its log how many tokens of a prompt it had to evaluate. In one run each question is asked twice of
the `vllm` engine, at the end of the same talk: once as it is, once with its words told as they are spoken, in
real time and as a conversation tells them. Prints JSON.
"""

import argparse
import asyncio
import json
import re
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parley.conversation.foresight import Foresight as Telling
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines.vllm import VllmEngine
from services.llm.evaluate import DEVELOPMENT, load_questions
from services.llm.foresight import Foresight as Reading

READY_S, REPLY_S = 60.0, 120.0
CONTEXT_TOKENS = 16_384
WORDS_PER_S = 2.5
FINAL_S = 0.25  # from the last word to the final transcript
EVALUATED = re.compile(r"prompt eval time =.*?/\s*(\d+) tokens")
TALK = (
    (pb.ROLE_USER, "hello who are you"),
    (pb.ROLE_ASSISTANT, "Hello, I am Mira. I like to talk about the night sky, tea, and rivers."),
    (pb.ROLE_USER, "that is nice i like tea too"),
    (pb.ROLE_ASSISTANT, "Then we will get on well. What would you like to know?"),
)


class LlamaServer:
    """llama.cpp's server as a process.

    Attributes:
        url: Its address, ending in /v1.
    """

    def __init__(self, log: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._log = log

    def evaluated(self) -> list[int]:
        """Of each request so far, how many tokens of its prompt were evaluated."""
        return [int(count) for count in EVALUATED.findall(self._log.read_text(errors="replace"))]


@asynccontextmanager
async def llama(python: Path, model: Path) -> AsyncIterator[LlamaServer]:
    """Runs the server; yields once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    options = (
        f"--host 127.0.0.1 --port {port} --n_ctx {CONTEXT_TOKENS} --n_threads 1 --n_threads_batch 1".split()
    )
    with TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as written:
            process = await asyncio.create_subprocess_exec(
                str(python),
                "-m",
                "llama_cpp.server",
                "--model",
                str(model),
                *options,
                stdout=written,
                stderr=written,
            )
        try:
            async with asyncio.timeout(READY_S):
                while not await _answers(port):
                    if process.returncode is not None:
                        raise SystemExit(f"The server did not start:\n{log.read_text()[-2000:]}")
                    await asyncio.sleep(0.1)
            yield LlamaServer(log, port)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def turn(session: str, words: str) -> pb.Turn:
    """The talk, and what the person has said of the next question."""
    history = [pb.Message(role=role, text=text) for role, text in (*TALK, (pb.ROLE_USER, words))]
    return pb.Turn(avatar="mira", trace=pb.Trace(session=session), history=history, max_output_tokens=4)


async def speak(reading: Reading, session: str, question: str) -> None:
    """The question in real time, told as a conversation tells it."""
    telling, words = Telling(), question.split()
    for count in range(1, len(words) + 1):
        await asyncio.sleep(1 / WORDS_PER_S)
        if heard := telling.partial(1, " ".join(words[:count]), asyncio.get_running_loop().time()):
            reading.take(turn(session, heard))
    await asyncio.sleep(FINAL_S)


async def first_words_ms(engine: VllmEngine, asked: pb.Turn) -> float:
    """Asks; how long until the model says something."""
    started = time.perf_counter()
    async with asyncio.timeout(REPLY_S), aclosing(engine.generate(asked)) as deltas:
        await anext(deltas)
        took = (time.perf_counter() - started) * 1000
        async for _ in deltas:
            pass
    return took


async def measure(python: Path, model: Path, count: int) -> dict[str, Any]:
    """Runs both; returns the report."""
    asked = [q.text for q in load_questions(DEVELOPMENT) if q.avatar == "mira" and not q.heard]
    plain: list[tuple[float, int]] = []
    ahead: list[tuple[float, int]] = []
    async with llama(python, model) as server:
        settings = LlmSettings(
            url=server.url,
            avatars_dir=REPOSITORY / "avatars",
            context_tokens=CONTEXT_TOKENS,
            first_token_s=REPLY_S,
            next_token_s=REPLY_S,
            prefill="on",
        )
        engine = VllmEngine(settings)
        await first_words_ms(engine, turn("warm", "hello"))  # what all have in common is read once for all
        for number, question in enumerate(islice(cycle(asked), count)):
            for spoken, found in (
                ((False, plain), (True, ahead)) if number % 2 else ((True, ahead), (False, plain))
            ):
                await first_words_ms(engine, turn(f"other {number} {spoken}", "thank you very much"))
                session, reading = f"talk {number} {spoken}", Reading(engine)
                if spoken:
                    await speak(reading, session, question)
                    reading.stop(session)
                before = len(server.evaluated())
                took = await first_words_ms(engine, turn(session, question))
                await asyncio.sleep(0.05)  # the log is written behind the reply
                left = server.evaluated()[before:][-1]
                found.append((took, left))
                print(f"{'ahead' if spoken else 'plain'}  {left:4} tokens  {question}", file=sys.stderr)
        await engine.close()
    tokens = [_of([t for _, t in found]) for found in (plain, ahead)]
    times = [_of([ms for ms, _ in found]) for found in (plain, ahead)]
    return {
        "questions": count,
        "tokens_left_to_read": {"without": tokens[0], "with": tokens[1]},
        "tokens_ratio": round(tokens[1]["median"] / tokens[0]["median"], 3),
        "first_words_ms": {"without": times[0], "with": times[1]},
        "time_ratio": round(times[1]["median"] / times[0]["median"], 3),
    }


def _of(values: list[float] | list[int]) -> dict[str, float]:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return {"median": round(statistics.median(ordered), 1), "p95": round(p95, 1)}


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description="What reading ahead saves, against llama.cpp.")
    parser.add_argument(
        "--python", type=Path, required=True, help="of an environment with llama-cpp-python[server]"
    )
    parser.add_argument("--gguf", type=Path, required=True, help="model")
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--out", type=Path, help="file for the report as well")
    options = parser.parse_args()
    report = asyncio.run(measure(options.python.absolute(), options.gguf, options.questions))
    text = json.dumps(report, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
