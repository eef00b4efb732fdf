"""`POST /v1/audio/transcriptions`: a thin front of asr."""

import asyncio
import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway.config import GatewaySettings
from gateway.http.access import Access
from gateway.services import Services
from parley.avatars import NAME
from parley.errors import BadRequest
from parley.intake.decode import decode_audio
from parley.media.clock import BYTES_PER_SAMPLE, samples_to_ms

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 25 << 20
MAX_RECORDING_S = 600.0


def router(settings: GatewaySettings, services: Services, access: Access) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["audio"], dependencies=[Depends(access.full)])

    @routes.post("/v1/audio/transcriptions")
    async def transcribe(
        file: Annotated[UploadFile, File()],
        model: Annotated[str, Form()] = "",
        language: Annotated[str, Form(max_length=35)] = "",
        prompt: Annotated[str, Form(max_length=4000)] = "",
        response_format: Annotated[Literal["json", "text", "verbose_json"], Form()] = "json",
    ) -> Response:
        """Transcribes a recording.

        `model`: an avatar's name makes the ears know its words; any other has no effect, there is one engine.
        `prompt`: comma-separated words to expect.
        """
        if file.size is not None and file.size > MAX_FILE_BYTES:
            raise BadRequest(f"The file has {file.size} bytes, at most {MAX_FILE_BYTES} are taken.")
        pcm = await asyncio.to_thread(decode_audio, file.file, max_s=MAX_RECORDING_S)
        known = NAME.fullmatch(model) and (settings.avatars_dir / model / "avatar.yaml").is_file()
        heard = await services.transcribe(
            pcm,
            avatar=model if known else "",
            language=language,
            hotwords=tuple(word.strip() for word in prompt.split(",") if word.strip()),
        )
        if response_format == "text":
            return PlainTextResponse(heard.text + "\n")
        seconds = samples_to_ms(len(pcm) // BYTES_PER_SAMPLE) / 1000
        body: dict[str, Any] = {"text": heard.text, "usage": {"type": "duration", "seconds": seconds}}
        if response_format == "verbose_json":
            words = [
                {
                    "word": word.text,
                    "start": samples_to_ms(word.start_samples) / 1000,
                    "end": samples_to_ms(word.end_samples) / 1000,
                }
                for word in heard.words
            ]
            body |= {"task": "transcribe", "language": language or "en", "duration": seconds, "words": words}
        return JSONResponse(body)

    return routes
