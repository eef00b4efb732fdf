"""Engine `vllm`: the persona spoken by a large language model behind an OpenAI-compatible server."""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path
from typing import Any

from parley.avatars import Avatar, list_avatars, load_avatar
from parley.engines import TextDelta
from parley.errors import EngineUnavailable, ServiceUnavailable
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines.completions import Chat, Completions, estimate_tokens
from services.llm.engines.prompt import system_prompt, with_notes
from services.llm.engines.summaries import SUMMARY_TOKENS, Summaries
from services.llm.notes.embedder import Embedder
from services.llm.notes.index import Match, NoteIndex
from services.llm.notes.markdown import parse
from services.llm.policy import load_policy

log = logging.getLogger(__name__)

_READ_AHEAD_KEPT = 256
NO_PARAMETERS = '{"type": "object", "properties": {}}'
_NOTES_GIVEN = 3
_NOTE_FITS = 0.35
_ROLES = {pb.ROLE_SYSTEM: "system", pb.ROLE_USER: "user", pb.ROLE_ASSISTANT: "assistant"}

_GO_ON = {
    "role": "user",
    "content": "(The connection broke while you were speaking. Your last message is what was heard so far. "
    "Go on right after its last word, repeating nothing.)",
}


class VllmEngine:
    """Streams from the server.

    Between turns it keeps only the avatars' note vectors, and summaries of long talks for an hour.
    """

    name = "vllm"
    calls_tools = True

    def __init__(self, settings: LlmSettings, embedder: Embedder | None = None) -> None:
        """Prepares the client and reads the avatars' notes; the server is first asked when someone speaks.

        Args:
            settings: See `LlmSettings`.
            embedder: For the notes; None: a new one.

        Raises:
            EngineUnavailable: No server is set.
            ConfigError: The policy is malformed.
        """
        if not settings.url:
            raise EngineUnavailable(
                "The vllm engine has no server.",
                fix="Set PARLEY_LLM_URL to an OpenAI-compatible server, for example http://127.0.0.1:8000/v1.",
            )
        self._settings = settings
        self._server = Completions(
            settings.url,
            key=settings.key,
            connect_s=settings.connect_s,
            first_token_s=settings.first_token_s,
            next_token_s=settings.next_token_s,
        )
        self.model = settings.model or "the server's first model"
        self._model = settings.model
        self._policy = load_policy(settings.policy)
        self._summaries = Summaries()
        self._keeps: bool | None = None
        self._read_ahead: OrderedDict[str, tuple[int, list[Match]]] = OrderedDict()
        self._embedder = embedder or Embedder()
        self._indexes = lru_cache(maxsize=64)(self._index)
        for avatar in list_avatars(settings.avatars_dir):
            self._indexes(avatar.name, _stamp(avatar))

    async def close(self) -> None:
        """Stops making summaries and closes the connections to the server."""
        await self._summaries.close()
        await self._server.close()

    async def generate(self, turn: pb.Turn, *, spoken: str = "") -> AsyncGenerator[TextDelta, None]:
        """Streams the reply; see `parley.engines.LlmEngine`. Closing the iterator aborts the request.

        Raises:
            UnknownAvatar: There is no such avatar.
            ServiceUnavailable: The server failed.
        """
        matches = await asyncio.to_thread(self._matching_notes, turn)
        body = await self._request(turn, self._given(turn, matches), spoken=spoken)
        model, talk = body["model"], _talk(turn)
        citations = [match.note.id for match in matches]
        # A model that is told to go on starts with a word; the space before it is ours.
        joint = " " if spoken else ""
        async with aclosing(self._server.stream(body)) as pieces:
            async for piece in pieces:
                if piece.text:
                    yield TextDelta(joint + piece.text, citations=citations)
                    joint, citations = "", []
                if piece.calls:
                    yield TextDelta("", calls=piece.calls)
        self._summaries.fold(
            talk, budget_tokens=self._settings.history_tokens, ask=lambda chat: self._ask(model, chat)
        )

    async def prefill(self, turn: pb.Turn) -> None:
        """See `services.llm.foresight.ReadsAhead`."""
        try:
            if self._keeps is None:
                self._keeps = self._settings.prefill == "on" or await self._server.keeps_what_it_read()
            if not self._keeps:
                return
            matches = self._given(turn, await asyncio.to_thread(self._matching_notes, turn))
            self._read_ahead[turn.trace.session] = (len(turn.history), matches)
            while len(self._read_ahead) > _READ_AHEAD_KEPT:
                self._read_ahead.popitem(last=False)
            await self._server.read(await self._request(turn, matches))
        except ServiceUnavailable as error:
            log.info("nothing was read ahead", extra={"reason": str(error)})

    def _given(self, turn: pb.Turn, matches: list[Match]) -> list[Match]:
        """The notes to give: those that were read ahead, if they hold all that fit now."""
        length, read = self._read_ahead.get(turn.trace.session, (0, []))
        known = {match.note.id for match in read}
        same_turn = length == len(turn.history)
        return read if same_turn and all(match.note.id in known for match in matches) else matches

    async def _request(self, turn: pb.Turn, matches: Sequence[Match], *, spoken: str = "") -> dict[str, Any]:
        """What the server is asked to answer `turn` from the notes `matches`."""
        avatar = load_avatar(self._settings.avatars_dir, turn.avatar)
        model = avatar.mind.adapter or await self._base_model()
        output = turn.max_output_tokens or self._settings.output_tokens
        talk = _talk(turn)
        past = self._summaries.past(talk)
        newest = next((message for message in reversed(talk) if message["role"] == "user"), None)
        if newest is not None:
            newest["content"] = with_notes(newest["content"], matches)
        persona = turn.instructions or avatar.persona
        system = system_prompt(persona, policy=self._policy.rules, facts=turn.facts, summary=past.summary)
        messages = [{"role": "system", "content": system}, *talk[past.covered :]]
        if spoken:
            messages += [_said(spoken), _GO_ON]
        return {
            "model": model,
            "messages": await self._fitted(model, messages, output),
            "max_tokens": output,
            "temperature": self._settings.temperature,
            "stream": True,
            **_functions(turn),
        }

    async def _ask(self, model: str, chat: Chat) -> str:
        body = {"model": model, "messages": chat, "max_tokens": SUMMARY_TOKENS, "temperature": 0.2}
        async with aclosing(self._server.stream({**body, "stream": True})) as pieces:
            return "".join([piece.text async for piece in pieces])

    async def _base_model(self) -> str:
        if not self._model:
            self._model = self.model = await self._server.first_model()
        return self._model

    async def _fitted(self, model: str, messages: Chat, output: int) -> Chat:
        """Drops the oldest exchanges until prompt and reply fit into the model's context.

        The person's newest words stay, and with them what was called since. The server is asked to count only
        when the estimate, which is never too low, says that it is tight.
        """
        system, history = messages[0], messages[1:]
        while any(message["role"] == "user" for message in history[1:]):
            room = (self._server.context_tokens or self._settings.context_tokens) - output
            if estimate_tokens([system, *history]) <= room:
                break
            if await self._server.count_tokens(model, [system, *history]) <= room:
                break
            history = history[1:]
            while history[0]["role"] in ("assistant", "tool"):
                history = history[1:]
        return [system, *history]

    def _matching_notes(self, turn: pb.Turn) -> list[Match]:
        """The notes that the person's words are about; blocks for some milliseconds."""
        avatar = load_avatar(self._settings.avatars_dir, turn.avatar)
        index = self._indexes(avatar.name, _stamp(avatar))
        if index is None:
            return []
        found = index.search(_heard(turn), limit=_NOTES_GIVEN)
        return [match for match in found if match.score >= _NOTE_FITS]

    def _index(self, avatar: str, stamp: tuple[tuple[Path, int], ...]) -> NoteIndex | None:
        notes = [n for n in parse(load_avatar(self._settings.avatars_dir, avatar).notes) if not n.internal]
        return NoteIndex(notes, self._embedder) if notes else None


def _stamp(avatar: Avatar) -> tuple[tuple[Path, int], ...]:
    """Changes when a note is edited."""
    return tuple((p, p.stat().st_mtime_ns) for p in sorted((avatar.folder / "notes").glob("*.md")))


def _heard(turn: pb.Turn) -> str:
    """What the person said last."""
    return next((m.text for m in reversed(turn.history) if m.role == pb.ROLE_USER), "")


def _talk(turn: pb.Turn) -> Chat:
    """The history as chat messages; calls join the words that they followed, and each other."""
    talk: Chat = []
    for message in turn.history:
        if message.HasField("call"):
            if not talk or talk[-1]["role"] != "assistant":
                talk.append(_said(""))
            talk[-1].setdefault("tool_calls", []).append(_called(message.call))
        elif message.role == pb.ROLE_TOOL:
            talk.append({"role": "tool", "tool_call_id": message.call_id, "content": message.text})
        elif message.text:
            talk.append({"role": _ROLES.get(message.role, "user"), "content": message.text})
    return talk


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _called(call: pb.ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }


def _functions(turn: pb.Turn) -> dict[str, Any]:
    """The request's fields about functions; none where none may be called."""
    if not turn.tools or turn.tool_choice == "none":
        return {}
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": json.loads(tool.parameters or NO_PARAMETERS),
            },
        }
        for tool in turn.tools
    ]
    kind, _, name = turn.tool_choice.partition(":")
    choice = {"type": "function", "function": {"name": name}} if kind == "function" else kind or "auto"
    return {"tools": tools, "tool_choice": choice}
