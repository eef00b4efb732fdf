"""A small client for OpenAI's streaming chat completions: retries, time limits, aborts, calls, counts."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from parley.errors import ServiceUnavailable
from proto.parley.v1 import chain_pb2 as pb

log = logging.getLogger(__name__)

Chat = list[dict[str, Any]]

RETRIES = 2
_BACKOFF_S = 0.2
_LONGEST_WAIT_S = 2.0
_WORTH_RETRYING = frozenset({408, 409, 429, 500, 502, 503, 504})
# As `owned_by` of /v1/models. vLLM, SGLang and llama.cpp's server keep prefixes unless they are told not to.
_KEEPS_PREFIXES = frozenset({"vllm", "sglang", "llamacpp"})
_BYTES_PER_TOKEN = 2  # English text has about 4; no byte-level tokenizer makes more than one token of a byte
_TOKENS_PER_MESSAGE = 8


class _TryAgain(Exception):
    """The server refused for now."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a reply's text; or, once it is complete, the functions that it calls."""

    text: str = ""
    calls: tuple[pb.ToolCall, ...] = ()


class Completions:
    """One server. Safe to share between replies."""

    def __init__(
        self, url: str, *, key: str, connect_s: float, first_token_s: float, next_token_s: float
    ) -> None:
        """Prepares the client; nothing is asked yet.

        Args:
            url: Base URL, ending in /v1.
            key: Bearer token; empty: none.
            connect_s: Seconds to connect.
            first_token_s: Seconds to the first token, retries included.
            next_token_s: Seconds from one token to the next.
        """
        self._url = url.rstrip("/")
        self._first_token_s = first_token_s
        self._next_token_s = next_token_s
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(None, connect=connect_s)
        # Made here and not for the first reply: reading the system's certificates takes a tenth of a second.
        self._client: httpx.AsyncClient | None = self._new_client()
        self._counts_tokens: bool | None = None
        self.context_tokens: int | None = None

    async def close(self) -> None:
        """Closes the connections; the next request opens new ones."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def first_model(self) -> str:
        """The first model that the server offers and that is no adapter of another.

        Raises:
            ServiceUnavailable: It does not tell.
        """
        return str((await self._first())["id"])

    async def keeps_what_it_read(self) -> bool:
        """Whether the server says that it is one that need not read the beginning of a prompt twice.

        Raises:
            ServiceUnavailable: It does not tell.
        """
        return (await self._first()).get("owned_by") in _KEEPS_PREFIXES

    async def _first(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._first_token_s):
                answer = await self._http().get(f"{self._url}/models")
            answer.raise_for_status()
            models: list[dict[str, Any]] = answer.json()["data"]
            return next((m for m in models if not m.get("parent")), models[0])
        except (httpx.HTTPError, TimeoutError, ValueError, LookupError, TypeError) as error:
            raise self._unavailable(f"does not say which models it has ({_reason(error)})") from error

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[Piece, None]:
        """Streams the reply. Closing the iterator aborts the request.

        A request that fails before its first token is sent again, at most twice and within the time for that
        token; after it, never, since the beginning has been said.

        Raises:
            ServiceUnavailable: The server is gone, refuses, is too slow, or broke off.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._first_token_s
        for attempt in range(RETRIES + 1):
            begun = False
            try:
                async with aclosing(self._attempt(body, deadline)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except TimeoutError as error:
                limit = self._next_token_s if begun else self._first_token_s
                what = "next" if begun else "first"
                raise self._unavailable(f"sent no {what} token within {limit:g} s") from error
            except (_TryAgain, httpx.TransportError) as error:
                if begun:
                    raise self._unavailable(
                        f"broke off in the middle of a reply ({_reason(error)})"
                    ) from error
                wait_s = getattr(error, "wait_s", None)
                if wait_s is None:
                    wait_s = _BACKOFF_S * 2**attempt
                wait_s = min(wait_s, _LONGEST_WAIT_S)
                if attempt == RETRIES or loop.time() + wait_s >= deadline:
                    raise self._unavailable(_reason(error)) from error
                log.info("asking the server again", extra={"reason": _reason(error), "wait_s": wait_s})
                await asyncio.sleep(wait_s)

    async def read(self, body: dict[str, Any]) -> None:
        """Has the server read a prompt, for the next one that begins like it. Cancelling aborts the request.

        Raises:
            ServiceUnavailable: It did not; that is not tried again.
        """
        deadline = asyncio.get_running_loop().time() + self._first_token_s
        try:
            async with aclosing(self._attempt({**body, "max_tokens": 1}, deadline)) as pieces:
                async for _ in pieces:
                    pass
        except (TimeoutError, _TryAgain, httpx.TransportError) as error:
            raise self._unavailable(f"did not read ahead ({_reason(error)})") from error

    async def count_tokens(self, model: str, messages: Chat) -> int:
        """How many tokens the messages take: by the server's `/tokenize` where it has one, else a safe
        estimate.

        Learns `context_tokens` on the way, where the server tells it.
        """
        estimate = estimate_tokens(messages)
        if self._counts_tokens is False:
            return estimate
        root = self._url.removesuffix("/v1")
        try:
            async with asyncio.timeout(1):
                answer = await self._http().post(
                    f"{root}/tokenize", json={"model": model, "messages": messages}
                )
            told = answer.json() if answer.status_code == 200 else {}
            count = int(told["count"])
        except (httpx.HTTPError, TimeoutError, ValueError, LookupError, TypeError) as error:
            log.info("tokens are estimated: the server does not count them", extra={"reason": _reason(error)})
            self._counts_tokens = False
            return estimate
        self._counts_tokens = True
        if isinstance(told.get("max_model_len"), int):
            self.context_tokens = told["max_model_len"]
        return count

    async def _attempt(self, body: dict[str, Any], deadline: float) -> AsyncGenerator[Piece, None]:
        """One request. Raises _TryAgain, TimeoutError, httpx errors; ServiceUnavailable if it is hopeless."""
        loop = asyncio.get_running_loop()
        request = self._http().build_request("POST", f"{self._url}/chat/completions", json=body)
        async with asyncio.timeout_at(deadline):
            response = await self._http().send(request, stream=True)
        try:
            if response.status_code != 200:
                async with asyncio.timeout_at(deadline):
                    await response.aread()
                self._refused(response)
            async with aclosing(_pieces(response)) as pieces:
                while True:
                    async with asyncio.timeout_at(deadline):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return
                    if piece.text or piece.calls:
                        yield piece
                    deadline = loop.time() + self._next_token_s
        finally:
            await response.aclose()

    def _refused(self, response: httpx.Response) -> None:
        reason = f"answered {response.status_code}: {response.text[:200]}"
        if response.status_code in _WORTH_RETRYING:
            asked = response.headers.get("retry-after", "")
            raise _TryAgain(reason, float(asked) if asked.isdigit() else None)
        raise self._unavailable(reason)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._new_client()
        return self._client

    def _new_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=self._headers, timeout=self._timeout, trust_env=False)

    def _unavailable(self, reason: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The language model server at {self._url} {reason}.",
            fix="Check that it runs and is not overloaded; check PARLEY_LLM_URL, PARLEY_LLM_MODEL and "
            "PARLEY_LLM_KEY, and that the avatar's adapter is loaded.",
        )


def estimate_tokens(messages: Sequence[dict[str, Any]]) -> int:
    """At least as many tokens as English text will take."""
    size = sum(len(words_of(message).encode()) for message in messages)
    return size // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE * len(messages)


def words_of(message: dict[str, Any]) -> str:
    """All that a message says, the calls that it makes included."""
    calls = [
        f"{call['function']['name']}({call['function']['arguments']})"
        for call in message.get("tool_calls", ())
    ]
    return " ".join(filter(None, (message["content"], *calls)))


async def _pieces(response: httpx.Response) -> AsyncGenerator[Piece, None]:
    """The deltas of a stream of server-sent events, the calls assembled; ends at [DONE]."""
    finished = False
    calls: dict[int, pb.ToolCall] = {}
    async for line in response.aiter_lines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            finished = True
            break
        try:
            event = json.loads(data)
        except ValueError as error:
            raise _TryAgain("sent what is no JSON") from error
        if "error" in event:
            raise _TryAgain(f"reported an error: {str(event['error'])[:200]}")
        for choice in event.get("choices", ()):
            finished = finished or bool(choice.get("finish_reason"))
            delta = choice.get("delta") or {}
            _assemble(calls, delta.get("tool_calls") or ())
            yield Piece(delta.get("content") or "")
    if not finished:
        raise _TryAgain("closed the connection before the reply was finished")
    yield Piece(calls=tuple(calls.values()))


def _assemble(calls: dict[int, pb.ToolCall], parts: Iterable[dict[str, Any]]) -> None:
    """Adds to `calls`, by their index, what came of them: the name at once, the arguments bit by bit."""
    for part in parts:
        index = part.get("index")
        if index is None:  # some servers send each call whole, and do not number them
            index = len(calls)
        call = calls.setdefault(index, pb.ToolCall())
        function = part.get("function") or {}
        call.id = call.id or part.get("id") or f"call_{secrets.token_hex(12)}"
        call.name = call.name or function.get("name") or ""
        call.arguments += function.get("arguments") or ""


def _reason(error: BaseException) -> str:
    """What went wrong, in words, also for errors that say nothing."""
    return str(error) or type(error).__name__
