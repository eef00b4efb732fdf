"""The vllm engine against `transformers serve`: a language model server that nobody here wrote."""

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
from tests.training.llm import tiny_model


class Server:
    """The server's process."""

    def __init__(self, model: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
        command += ["--device", "cpu", "--host", "127.0.0.1", "--port", self.url.rpartition(":")[2]]
        env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{self.url}/health", timeout=2, trust_env=False).status_code == 200:
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    tiny_model.make(tmp_path / "tiny")
    running = Server(tmp_path / "tiny")
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


def turn(text: str, *, tokens: int) -> pb.Turn:
    history = [pb.Message(role=pb.ROLE_USER, text=text)]
    return pb.Turn(avatar="mira", history=history, max_output_tokens=tokens)


async def test_a_talk_through_transformers_serve(server: Server) -> None:
    settings = LlmSettings(url=f"{server.url}/v1", avatars_dir=REPOSITORY / "avatars", context_tokens=16_384)
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
