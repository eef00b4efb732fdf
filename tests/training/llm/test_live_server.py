"""The vllm engine against servers that nobody here wrote: `transformers serve`, and llama.cpp's.

The second needs an environment of its own with `llama-cpp-python[server]`, which is compiled as it is
installed; PARLEY_TEST_LLAMA_PYTHON names its Python.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from parley.errors import ServiceUnavailable
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines.vllm import VllmEngine
from services.llm.replies import reply_pieces
from tests.training.llm import tiny_gguf, tiny_model

LLAMA = os.environ.get("PARLEY_TEST_LLAMA_PYTHON", "")


class Server:
    """The server's process; `{port}` in its command becomes a free one."""

    def __init__(self, *command: str, ready: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self._ready = ready
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [part.replace("{port}", port) for part in command],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{self.url}{self._ready}", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)

    def cpu_s(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def transformers_serve(folder: Path) -> Server:
    tiny_model.make(folder / "tiny")
    command = str(Path(sys.executable).with_name("transformers"))
    options = ("--device", "cpu", "--host", "127.0.0.1", "--port", "{port}")
    return Server(command, "serve", str(folder / "tiny"), *options, ready="/health")


def llama_cpp(folder: Path) -> Server:
    if not LLAMA:
        pytest.skip("PARLEY_TEST_LLAMA_PYTHON names no Python with llama-cpp-python[server]")
    tiny_gguf.make(folder / "tiny")
    options = ("--n_ctx", "16384", "--n_threads", "1", "--n_threads_batch", "1", "--port", "{port}")
    model = ("--model", str(folder / "tiny"), "--model_alias", "tiny")
    return Server(
        LLAMA, "-m", "llama_cpp.server", *model, "--host", "127.0.0.1", *options, ready="/v1/models"
    )


@pytest.fixture(params=[transformers_serve, llama_cpp])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    running: Server = request.param(tmp_path)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


def turn(text: str, *, tokens: int) -> pb.Turn:
    history = [pb.Message(role=pb.ROLE_USER, text=text)]
    return pb.Turn(avatar="mira", history=history, max_output_tokens=tokens)


async def test_a_talk_through_a_real_server(server: Server) -> None:
    settings = LlmSettings(
        url=f"{server.url}/v1",
        avatars_dir=REPOSITORY / "avatars",
        context_tokens=16_384,
        first_token_s=60,  # a prompt of bytes, on a machine that may be busy
        next_token_s=20,
    )
    engine = VllmEngine(settings)

    # A whole reply, in clauses, by the model that the server offers.
    pieces = [piece async for piece in reply_pieces(engine, turn("what is the north star", tokens=60))]
    assert engine.model.endswith("tiny")
    assert "".join(piece.text for piece in pieces).strip()
    assert pieces[-1].last and "night_sky/the-north-star" in pieces[0].citations

    # An interrupted one costs the server nothing more.
    async with aclosing(engine.generate(turn("hello", tokens=8000))) as deltas:
        for _ in range(3):
            await anext(deltas)
        before = server.cpu_s()
        await asyncio.sleep(1)
        assert server.cpu_s() - before > 0.1, "it should be busy"
    await asyncio.sleep(1)
    before = server.cpu_s()
    await asyncio.sleep(2)
    assert server.cpu_s() - before < 0.2, "it should have stopped"

    # A server that dies in the middle of a reply is noticed.
    with pytest.raises(ServiceUnavailable, match="in the middle"):
        async with aclosing(engine.generate(turn("hello", tokens=8000))) as deltas:
            await anext(deltas)
            server.stop()
            _ = [delta async for delta in deltas]
    await engine.close()
