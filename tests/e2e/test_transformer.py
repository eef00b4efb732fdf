"""The small transformer in the live chain: it answers aloud, and its adapter changes while it runs.

Its weights are those of the unit tests, drawn at random: held to its notes, it still says sentences of these.
"""

import asyncio
import base64
import re
import shutil
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from openai import AsyncOpenAI

from parley.settings import REPOSITORY
from proto.parley.v1 import llm_pb2_grpc
from services.llm.engines.transformer_notes import notes_of
from tests.e2e.test_sdk_tools import say, until
from tests.load.swap import ask, choose
from tests.stack import RunningStack
from tests.unit.services.llm.test_transformer_engine import TINY, random_adapter

pytestmark = pytest.mark.e2e

QUESTION = "Which is the brightest star in the night sky?"
QUESTIONS = (
    QUESTION,
    "How hot should the water for green tea be?",
    "What do robins eat?",
    "How far is the moon?",
)


async def test_it_answers_aloud_and_its_adapter_changes_without_a_restart(
    artifacts: Path, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(TINY, tmp_path / "served"))
    avatars = tmp_path / "avatars"
    shutil.copytree(REPOSITORY / "avatars" / "mira", avatars / "mira")
    env = {
        "PARLEY_LLM_ENGINE": "transformer",
        "PARLEY_LLM_TRANSFORMER": str(served),
        "PARLEY_AVATARS_DIR": str(avatars),
        "PARLEY_ASR_ENGINE": "fake",
        "PARLEY_SDA_ENGINE": "fake",
    }
    stack = RunningStack(artifacts / "logs" / "transformer", env)
    await asyncio.to_thread(stack.__enter__)
    try:
        spoken, length = await aloud(stack.url)
        assert length > 24_000, "less than half a second was spoken"
        sentences = {
            " ".join(sentence.replace("{name}", "Mira").split())
            for note in notes_of(avatars, "mira")
            for text in (*note.answers, *note.more)
            for sentence in re.split(r"(?<=[.!?])\s+", text)
        }
        said = [s for s in re.split(r"(?<=[.!?])\s+", spoken.strip()) if s]
        assert said and any(sentence in sentences for sentence in said), spoken

        process = stack.stack.children["llm"].process
        assert process is not None
        manifest, address = avatars / "mira" / "avatar.yaml", f"127.0.0.1:{stack.stack.ports.llm}"
        plain = await replies(address)
        random_adapter(served / "adapters" / "mine.npz", 1)
        choose(manifest, "mine")
        adapted = await replies(address)
        random_adapter(served / "adapters" / "mine.npz", 2)
        again = await replies(address)
        choose(manifest, "")
        assert plain != adapted != again != plain
        assert await replies(address) == plain
        assert stack.stack.children["llm"].process is process and stack.restarts("llm") == 0
    finally:
        await asyncio.to_thread(stack.__exit__)


async def replies(address: str) -> list[str]:
    """What the service says to each question, over gRPC."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = llm_pb2_grpc.LlmStub(channel)  # type: ignore[no-untyped-call]
        return [(await ask(stub, "mira", question))[0] for question in QUESTIONS]


async def aloud(url: str) -> tuple[str, int]:
    """A reply through the whole chain: its words, and how many bytes of speech."""
    async with (
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none-needed") as client,
        client.realtime.connect(model="mira") as connection,
    ):
        await say(connection, QUESTION)
        await connection.response.create()
        events = await until(connection, "response.done")
        assert events[-1].response.status == "completed", events[-1]
        said = next(e.transcript for e in events if e.type == "response.output_audio_transcript.done")
        audio = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
        return said, len(audio)
