"""`POST /v1/audio/speech`: a thin front of tts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.config import GatewaySettings
from gateway.errors import Refused
from gateway.http.access import Access
from gateway.http.clauses import split
from gateway.http.codecs import MEDIA_TYPES, SpeechFormat, encoder
from gateway.services import Services
from parley.avatars import list_avatars


class SpeechRequest(BaseModel):
    """OpenAI's fields; others are accepted and have no effect.

    Attributes:
        model: An avatar's name, unless `voice` is one.
        voice: An avatar's name, or a voice of the engine; empty: the avatar's own.
        speed: 1 is the voice's own speed.
    """

    model_config = ConfigDict(extra="ignore")
    model: str = Field(default="", max_length=64)
    input: str = Field(min_length=1, max_length=4096)
    voice: str = Field(default="", max_length=64)
    response_format: SpeechFormat = "mp3"
    speed: float = Field(default=1.0, ge=0.5, le=2.0)


def router(settings: GatewaySettings, services: Services, access: Access) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["audio"], dependencies=[Depends(access.full)])

    @routes.post("/v1/audio/speech")
    async def speak(wanted: SpeechRequest) -> StreamingResponse:
        """Speaks `input`; the file is sent while it is made."""
        avatar, voice = await asyncio.to_thread(_speaker, settings, wanted)
        speed = 0.0 if wanted.speed == 1.0 else wanted.speed
        speech = services.speak(split(wanted.input), avatar=avatar, voice=voice, speed=speed)
        # The first piece is awaited here, so that a failure is an HTTP error and no broken file.
        first = await anext(speech, b"")
        return StreamingResponse(
            _file(first, speech, wanted.response_format), media_type=MEDIA_TYPES[wanted.response_format]
        )

    return routes


def _speaker(settings: GatewaySettings, wanted: SpeechRequest) -> tuple[str, str]:
    """The avatar and the voice meant; a voice of the engine needs an avatar in `model`."""
    names = [avatar.name for avatar in list_avatars(settings.avatars_dir)]
    if wanted.voice in names:
        return wanted.voice, ""
    if wanted.model in names:
        return wanted.model, wanted.voice
    raise Refused(
        404,
        "unknown_avatar",
        f"Neither the model {wanted.model!r} nor the voice {wanted.voice!r} is an avatar.",
        fix=f"Choose one of: {', '.join(names) or 'none'}.",
    )


async def _file(first: bytes, speech: Any, kind: SpeechFormat) -> AsyncIterator[bytes]:
    writer = await asyncio.to_thread(encoder, kind)
    if head := await asyncio.to_thread(writer.push, first):
        yield head
    async for pcm in speech:
        if piece := await asyncio.to_thread(writer.push, pcm):
            yield piece
    yield await asyncio.to_thread(writer.close)
