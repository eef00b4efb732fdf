"""The official OpenAI SDK, unchanged, holds a spoken conversation."""

import asyncio
import base64
from typing import Any

import pytest
from openai import AsyncOpenAI

from parley.bench.questions import spoken
from parley.media.audio import float_to_pcm16
from tests.stack import RunningStack

pytestmark = pytest.mark.e2e

CHUNK_S = 0.1
ORDER = [
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


async def speak(connection: Any, text: str) -> None:
    pcm = float_to_pcm16(spoken(text, "awb")) + bytes(2 * 24_000 * 2)
    step = int(CHUNK_S * 24_000) * 2
    for start in range(0, len(pcm), step):
        chunk = base64.b64encode(pcm[start : start + step]).decode()
        await connection.input_audio_buffer.append(audio=chunk)
        await asyncio.sleep(CHUNK_S)


async def one_turn(connection: Any, text: str) -> list[Any]:
    events: list[Any] = []
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        group.create_task(speak(connection, text))
        async for event in connection:
            events.append(event)
            if event.type == "response.done":
                break
    return events


async def test_two_spoken_turns(stack: RunningStack) -> None:
    client = AsyncOpenAI(base_url=f"{stack.url}/v1", api_key="none-needed")
    async with client.realtime.connect(model="mira") as connection:
        created = await connection.recv()
        assert created.type == "session.created"
        await connection.session.update(session={"type": "realtime", "output_modalities": ["audio"]})
        assert (await connection.recv()).type == "session.updated"
        for question, word in (("What is your name?", "mira"), ("What is the biggest planet?", "jupiter")):
            events = await one_turn(connection, question)
            kinds = [e.type for e in events]
            assert "error" not in kinds
            firsts = [kinds.index(kind) for kind in ORDER]
            assert firsts == sorted(firsts), [k for k in kinds if k in ORDER]
            assert kinds.index("input_audio_buffer.speech_started") < kinds.index(
                "input_audio_buffer.speech_stopped"
            )
            assert "input_audio_buffer.committed" in kinds
            assert "conversation.item.input_audio_transcription.completed" in kinds
            audio = b"".join(
                base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta"
            )
            assert len(audio) > 24_000
            said = next(e.transcript for e in events if e.type == "response.output_audio_transcript.done")
            deltas = "".join(e.delta for e in events if e.type == "response.output_audio_transcript.delta")
            assert deltas == said
            assert word in said.lower()
            assert events[-1].response.status == "completed"
    await client.close()
