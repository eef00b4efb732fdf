"""`POST /v1/chat/completions`: a thin front of llm."""

import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.config import GatewaySettings
from gateway.errors import body
from gateway.http.access import Access
from gateway.realtime.dialect import CHARS_PER_TOKEN
from gateway.services import Services
from parley.avatars import load_avatar
from parley.errors import ParleyError
from proto.parley.v1 import chain_pb2

_ROLES = {
    "system": chain_pb2.ROLE_SYSTEM,
    "developer": chain_pb2.ROLE_SYSTEM,
    "user": chain_pb2.ROLE_USER,
    "assistant": chain_pb2.ROLE_ASSISTANT,
}


class TextPart(BaseModel):
    """A part of a message; only text is understood."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        """All its text."""
        return self.content if isinstance(self.content, str) else "".join(p.text for p in self.content)


class StreamOptions(BaseModel):
    """`include_usage`: a last chunk says how many tokens were used."""

    model_config = ConfigDict(extra="ignore")
    include_usage: bool = False


class ChatRequest(BaseModel):
    """OpenAI's fields; sampling parameters and others are accepted and have no effect. `model`: an avatar."""

    model_config = ConfigDict(extra="ignore")
    model: str = Field(max_length=64)
    messages: list[ChatMessage] = Field(min_length=1, max_length=500)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)


def router(settings: GatewaySettings, services: Services, access: Access) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["chat"], dependencies=[Depends(access.full)])

    @routes.post("/v1/chat/completions")
    async def complete(wanted: ChatRequest) -> Response:
        """Answers a conversation as the avatar would."""
        load_avatar(settings.avatars_dir, wanted.model)
        head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": wanted.model}
        turn = chain_pb2.Turn(
            trace=chain_pb2.Trace(session=str(head["id"]), generation=1, turn=str(head["id"])),
            avatar=wanted.model,
            history=[chain_pb2.Message(role=_ROLES[m.role], text=m.text) for m in wanted.messages],
            max_output_tokens=wanted.max_completion_tokens or wanted.max_tokens or 0,
        )
        clauses = (piece.text async for piece in services.generate(turn))
        # The first clause is awaited here, so that a failure is an HTTP error and no broken stream.
        first = await anext(clauses, "")
        if wanted.stream:
            chunks = _stream(head, wanted, first, clauses)
            return StreamingResponse(chunks, media_type="text/event-stream")
        text = first + "".join([clause async for clause in clauses])
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return JSONResponse(
            {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(wanted, text)}
        )

    return routes


async def _stream(
    head: dict[str, Any], wanted: ChatRequest, first: str, clauses: AsyncIterator[str]
) -> AsyncIterator[bytes]:
    said = [first]

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sse({**head, "object": "chat.completion.chunk", "choices": [choice]})

    yield chunk({"role": "assistant", "content": first})
    try:
        async for clause in clauses:
            said.append(clause)
            yield chunk({"content": clause})
    except ParleyError as error:
        yield _sse(body(str(error), status=500, code=error.code))
        return
    yield chunk({}, "stop")
    if wanted.stream_options and wanted.stream_options.include_usage:
        used = _usage(wanted, "".join(said))
        yield _sse({**head, "object": "chat.completion.chunk", "choices": [], "usage": used})
    yield b"data: [DONE]\n\n"


def _sse(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


def _usage(wanted: ChatRequest, text: str) -> dict[str, int]:
    """Tokens, counted as four characters each."""
    asked = -(-sum(len(m.text) for m in wanted.messages) // CHARS_PER_TOKEN)
    answered = -(-len(text) // CHARS_PER_TOKEN)
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
