"""The official SDK, unchanged, over the real server."""

import base64
from typing import Any

import pytest
from openai import AsyncOpenAI

from parley.conversation import events as happened
from tests.unit.gateway.conftest import Running
from tests.unit.gateway.fakes import PCM


@pytest.mark.parametrize("keys", ["", "a-key"])
async def test_two_turns(launch: Any, keys: str) -> None:
    gateway: Running = await launch(api_keys=keys)
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=keys or "none") as client:
        async with client.realtime.connect(model="mira") as connection:
            assert (await connection.recv()).type == "session.created"
            await connection.session.update(
                session={
                    "type": "realtime",
                    "output_modalities": ["audio"],
                    "audio": {
                        "input": {
                            "format": {"type": "audio/pcm", "rate": 24000},
                            "turn_detection": {"type": "semantic_vad"},
                            "transcription": {"model": "whisper-1", "language": "en"},
                        },
                        "output": {"voice": "marin"},
                    },
                }
            )
            assert (await connection.recv()).type == "session.updated"
            await connection.input_audio_buffer.append(audio=base64.b64encode(PCM).decode())
            await gateway.conversation.until_called("hear")
            gateway.conversation.tell(
                happened.UserSpeechStarted("item_a", 0),
                happened.UserSpeechStopped("item_a", 40),
                happened.UserTurnCommitted("item_a"),
                happened.UserTranscript("item_a", "hi"),
            )
            gateway.conversation.reply()
            kinds, audio = [], b""
            async for event in connection:
                kinds.append(event.type)
                if event.type == "response.output_audio.delta":
                    audio += base64.b64decode(event.delta)
                if event.type == "response.done":
                    assert event.response.status == "completed"
                    break
            assert "conversation.item.input_audio_transcription.completed" in kinds
            assert audio == PCM * 2
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]}
            )
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    break
            assert gateway.conversation.messages[-1][1] == "And?"
