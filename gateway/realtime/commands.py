"""What each client event does: to the conversation, to the items, and what is answered at once."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from gateway.memory.ratings import RatingStore
from gateway.memory.remembering import Remembering
from gateway.memory.store import Fact, FactStore
from gateway.realtime import messages as m
from gateway.realtime.dialect import Dialect, error_event, event
from gateway.realtime.items import Item, remember
from gateway.realtime.parsing import decode_audio
from gateway.realtime.rating import Rater
from gateway.realtime.reading import read_item
from gateway.realtime.session_config import Face, SessionState
from gateway.realtime.side import SideResponse, added
from gateway.realtime.tools import demands_a_call, problem
from gateway.services import Services
from parley.avatars import Avatar
from parley.conversation.interface import Conversation
from parley.errors import BadRequest, ParleyError
from parley.media.clock import BYTES_PER_SAMPLE, ms_to_samples, samples_to_ms

MAX_SIDE_RESPONSES = 4


class Commands:
    """Obeys the events of one client.

    Attributes:
        state: The configuration in force.
        heard_samples: The input clock.
        starting: A reply was asked for and has not begun.
    """

    def __init__(
        self,
        conversation: Conversation,
        dialect: Dialect,
        services: Services,
        avatar: Avatar,
        *,
        state: SessionState,
        send: Callable[[dict[str, Any]], None],
        tasks: asyncio.TaskGroup,
        show_session: Callable[[Face | None], None],
        memory: FactStore | None,
        ratings: RatingStore | None,
    ) -> None:
        self._conversation = conversation
        self._dialect = dialect
        self._items = dialect.items
        self._services = services
        self._avatar = avatar
        self._send = send
        self._tasks = tasks
        self._show_session = show_session
        self._side: dict[str, asyncio.Task[None]] = {}
        self._usual: SessionState | None = None
        self._greeted = False
        self._seq = 0
        self._facts: list[Fact] = []
        self._memory = Remembering(memory, changed=self._remembered, tasks=tasks)
        self._rater = Rater(ratings, self._items, avatar.name)
        self.state = state
        self.heard_samples = 0
        self.starting = False
        # A client sends a result and asks to go on from it: when the one is dropped, so is the other.
        self._dropped_result = False

    async def obey(self, wanted: m.Event) -> None:
        """Does what the event asks for.

        Raises:
            EventError: It cannot be done; names the field.
            ParleyError: It failed.
        """
        match wanted:
            case m.Append(audio=audio):
                await self.hear(decode_audio(audio, param="audio"))
            case m.Playback(generation=generation, played_samples=samples):
                await self._conversation.played(generation, samples)
            case m.SessionUpdateEvent():
                await self._update(wanted.session)
            case m.Commit():
                await self._commit()
            case m.ClearInput():
                await self._conversation.clear_input()
                self._send(event("input_audio_buffer.cleared"))
            case m.ItemCreate():
                await self._create_item(wanted)
            case m.ItemRetrieve(item_id=item_id):
                self._send(event("conversation.item.retrieved", item=self._item(item_id).shown()))
            case m.ItemDelete(item_id=item_id):
                await self._forget(self._item(item_id))
                self._items.remove(item_id)
                self._send(event("conversation.item.deleted", item_id=item_id))
            case m.ItemTruncate():
                await self._truncate(wanted)
            case m.ResponseCreate():
                await self._respond(wanted.response)
            case m.ResponseCancel(response_id=response_id):
                await self._cancel(response_id)
            case m.ClearOutput():
                await self._clear_output()
            case m.Interrupt():
                await self._interrupt()
            case m.Rate():
                self._send(await self._rater.rate(wanted))

    async def hear(self, pcm: bytes) -> None:
        """Takes microphone audio."""
        if pcm:
            self.heard_samples += len(pcm) // BYTES_PER_SAMPLE
            await self._conversation.hear(pcm)

    async def hear_numbered(self, seq: int, pcm: bytes) -> None:
        """Takes microphone audio that came as a binary message.

        Raises:
            EventError: Its number does not grow.
        """
        if seq <= self._seq:
            raise m.EventError(
                "out_of_order",
                f"Audio number {seq} came after number {self._seq}; it is dropped.",
                param="seq",
            )
        self._seq = seq
        await self.hear(pcm)

    async def reply_over(self) -> None:
        """Ends what was overridden for one response."""
        if self._usual is not None:
            self.state, self._usual = self._usual, None
            await self._configure()

    async def said(self, words: str) -> None:
        """The person's words, transcribed or typed: for the memory, if they want one."""
        await self._memory.heard(words)

    async def meet(self) -> None:
        """Remembers whom the session's configuration names, if it names anybody."""
        await self._memory.of(self.state.memory.person if self.state.memory else None)

    def close(self) -> None:
        """Follows no memory any more."""
        self._memory.close()

    async def _remembered(self, facts: list[Fact]) -> None:
        """The facts about the person have changed, here or elsewhere."""
        self._facts = facts
        await self._configure()
        self._send(event("avatar.memory", facts=[asdict(fact) for fact in facts]))

    async def _configure(self) -> None:
        facts = [fact.text for fact in self._facts]
        await self._conversation.configure(self.state.conversation_config(facts))

    async def _update(self, update: Any) -> None:
        if update.model is not None and update.model != self._avatar.name:
            raise m.EventError(
                "invalid_value",
                f"This session talks to {self._avatar.name!r}.",
                param="session.model",
                fix="Connect again with ?model= to talk to another avatar.",
            )
        if update.memory is not None and not self._memory.offered:
            raise m.EventError(
                "memory_off",
                "This server remembers nobody.",
                param="session.memory",
                fix="Set PARLEY_GATEWAY_MEMORY to a file.",
            )
        state = await self._with_tools(self.state.merged(update), "session")
        self._usual = None
        self.state = state
        await self._configure()
        await self.meet()
        self._show_session(update.avatar)
        fresh = not len(self._items) and not self._greeted
        if update.avatar and update.avatar.greet and fresh and self._avatar.greeting:
            self._greeted = self.starting = True
            await self._conversation.respond(verbatim=self._avatar.greeting)

    async def _commit(self) -> None:
        try:
            await self._conversation.commit()
        except BadRequest as error:
            raise m.EventError("input_audio_buffer_commit_empty", str(error)) from error

    def _item(self, item_id: str, param: str = "item_id") -> Item:
        item = self._items.get(item_id)
        if item is None:
            raise m.EventError("item_not_found", f"There is no item {item_id!r}.", param=param)
        return item

    async def _with_tools(self, state: SessionState, path: str) -> SessionState:
        """The configuration with what the mind in use can make of its functions.

        Raises:
            EventError: They make no sense, or a call is demanded of a mind that makes none.
        """
        wrong = problem(state.tools, state.tool_choice)
        if wrong is not None:
            raise m.EventError("invalid_value", wrong[1], param=f"{path}.{wrong[0]}")
        if not state.tools or await self._services.calls_tools() is not False:
            return state
        if demands_a_call(state.tool_choice):
            raise m.EventError(
                "tools_unsupported",
                "The mind in use calls no functions.",
                param=f"{path}.tool_choice",
                fix="Set tool_choice to auto, or have a language model served (PARLEY_LLM_ENGINE=vllm).",
            )
        return replace(state, tools=(), tool_choice="none")

    async def _create_item(self, wanted: m.ItemCreate) -> None:
        item, pcm = read_item(wanted.item, "item")
        self._dropped_result = False
        if self._items.get(item.id) is not None:
            raise m.EventError(
                "item_already_exists", f"There is already an item {item.id!r}.", param="item.id"
            )
        before = wanted.previous_item_id
        if before not in (None, "root"):
            self._item(str(before), "previous_item_id")
        following: list[Item] = []
        if item.kind == "function_call_output":
            await self._take_result(item)
        if before is None or before == self._items.last_id:
            before = self._items.append(item)
        else:
            self._must_be_quiet("previous_item_id")
            following = self._items.insert_after(str(before), item)
            before = None if before == "root" else before
        self._send(event("conversation.item.added", previous_item_id=before, item=item.shown()))
        if pcm:
            await self._transcribe(item, pcm)
        if item.kind == "function_call" or (item.kind == "message" and item.text):
            await remember(self._conversation, item)
        if item.role == "user" and item.text:
            await self.said(item.text)
        await self._move_behind(following)
        self._send(event("conversation.item.done", previous_item_id=before, item=item.shown()))

    async def _take_result(self, item: Item) -> None:
        """Remembers what came of a call, before anybody is told of it: it may be too late for that.

        Raises:
            EventError: The call is unknown, has its result, or was overtaken.
        """
        try:
            await remember(self._conversation, item)
        except BadRequest as error:
            self._dropped_result = error.code == "stale_tool_call"
            raise m.EventError(error.code, error.message, param="item.call_id", fix=error.fix) from error

    async def _transcribe(self, item: Item, pcm: bytes) -> None:
        name = "conversation.item.input_audio_transcription"
        place = {"item_id": item.id, "content_index": 0}
        try:
            heard = await self._services.transcribe(pcm, avatar=self._avatar.name)
        except ParleyError as failure:
            problem = {"type": "transcription_error", "code": failure.code, "message": str(failure)}
            self._send(event(f"{name}.failed", **place, error={**problem, "param": None}))
            return
        item.text = heard.text
        seconds = samples_to_ms(len(pcm) // BYTES_PER_SAMPLE) / 1000
        spent = {"type": "duration", "seconds": seconds}
        self._send(event(f"{name}.completed", **place, transcript=heard.text, usage=spent))

    async def _move_behind(self, items: list[Item]) -> None:
        """The history only grows at its end: what must follow is taken out and put in again."""
        for item in items:
            await self._forget(item)
            if item.text or item.kind != "message":
                await remember(self._conversation, item)

    async def _forget(self, item: Item) -> None:
        if item.text is not None:
            with contextlib.suppress(BadRequest):  # the history holds nothing of what had no words
                await self._conversation.delete_item(item.id)

    def _must_be_quiet(self, param: str) -> None:
        if self._dialect.response is not None:
            raise m.EventError(
                "conversation_already_has_active_response",
                "Earlier items cannot be changed while a response is in progress.",
                param=param,
                fix="Cancel the response first.",
            )

    async def _truncate(self, wanted: m.ItemTruncate) -> None:
        item = self._item(wanted.item_id)
        if item.role != "assistant" or not item.spoken:
            raise m.EventError(
                "invalid_value", "Only what the avatar said aloud can be truncated.", param="item_id"
            )
        played = ms_to_samples(wanted.audio_end_ms)
        if played > item.audio_samples:
            length = samples_to_ms(item.audio_samples)
            raise m.EventError(
                "invalid_value",
                f"Audio content of {length:.0f} ms is already shorter than {wanted.audio_end_ms} ms.",
                param="audio_end_ms",
            )
        response = self._dialect.response
        if response is not None and response.item is item:
            self._dialect.truncated_by_client.add(item.id)
            await self._conversation.played(response.generation, played)
            await self._interrupt()
        else:
            text = item.text or ""
            share = played / item.audio_samples if item.audio_samples else 0.0
            # Without word times the words are taken to be spread evenly; a word cut in two was not heard.
            kept = text[: round(len(text) * share)]
            item.text = text if share >= 1 else kept[: kept.rfind(" ") + 1].rstrip()
            item.audio_samples = played
            following = self._items.after(item.id)
            await self._move_behind([item, *following])
        self._send(
            event(
                "conversation.item.truncated",
                item_id=item.id,
                content_index=0,
                audio_end_ms=wanted.audio_end_ms,
            )
        )

    async def _respond(self, params: m.ResponseParams) -> None:
        state = await self._for_one_response(params)
        if params.conversation == "none" or params.input is not None:
            self._start_side(params, state)
            return
        if self._dropped_result:
            self._dropped_result = False
            raise m.EventError(
                "stale_tool_call",
                "There is nothing to go on from: the result that came before was dropped.",
                fix="Nothing is to be done; what was said since is being answered, or was.",
            )
        if self._busy and self.state.face is None and not self._goes_on:
            raise m.EventError(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress.",
                fix="Wait for response.done, or send response.cancel.",
            )
        if state != self.state:
            self._usual = self._usual or self.state
            self.state = state
            await self._configure()
        self._dialect.metadata = params.metadata
        self.starting = True
        await self._conversation.respond(instructions=params.instructions or "")

    async def _for_one_response(self, params: m.ResponseParams) -> SessionState:
        """The configuration with what is overridden for this response."""
        state = self._usual or self.state
        if params.output_modalities is not None:
            state = replace(state, text_only=params.output_modalities == ["text"])
        if params.tools is not None:
            state = replace(state, tools=tuple(params.tools))
        if params.tool_choice is not None:
            state = replace(state, tool_choice=params.tool_choice)
        return await self._with_tools(state, "response")

    @property
    def _busy(self) -> bool:
        return self.starting or self._dialect.response is not None

    @property
    def _goes_on(self) -> bool:
        """Whether what was asked for goes on from a result: then it waits for the response that runs."""
        last = self._items.last
        return not self.starting and last is not None and last.kind == "function_call_output"

    def _start_side(self, params: m.ResponseParams, state: SessionState) -> None:
        if len(self._side) >= MAX_SIDE_RESPONSES:
            raise m.EventError(
                "too_many_responses", f"{MAX_SIDE_RESPONSES} responses are in progress.", fix="Wait for one."
            )
        context = list(self._items)
        if params.input is not None:
            context = []
            for number, given in enumerate(params.input):
                path = f"response.input.{number}"
                if isinstance(given, m.ItemReference):
                    context.append(self._item(given.id, f"{path}.id"))
                    continue
                item, pcm = read_item(given, path)
                if pcm:
                    raise m.EventError(
                        "invalid_value",
                        "Audio in response.input is not transcribed.",
                        param=path,
                        fix="Create the item first and send an item_reference.",
                    )
                context.append(item)
        side = SideResponse(
            self._services,
            params,
            avatar=self._avatar.name,
            context=context,
            instructions=params.instructions or state.instructions,
            state=state,
            send=self._send,
        )
        task = self._tasks.create_task(self._run_side(side, joins=params.conversation == "auto"))
        self._side[side.response.id] = task
        task.add_done_callback(lambda _: self._side.pop(side.response.id, None))

    async def _run_side(self, side: SideResponse, *, joins: bool) -> None:
        for item in await side.run():
            if joins and item.text:
                before = self._items.append(item)
                await remember(self._conversation, item)
                for told in added(item, before):
                    self._send(told)

    async def _cancel(self, response_id: str | None) -> None:
        side = self._side.get(response_id or "")
        if side is not None:
            side.cancel()
            return
        response = self._dialect.response
        known = response_id is None or (response is not None and response.id == response_id)
        if not self._busy or not known:
            raise m.EventError(
                "response_cancel_not_active",
                "Cancellation failed: no active response found.",
                param=None if response_id is None else "response_id",
            )
        await self._interrupt()

    async def _clear_output(self) -> None:
        response = self._dialect.last_response
        if response is None:
            raise m.EventError("output_audio_buffer_empty", "Nothing has been said yet.")
        await self._interrupt()
        self._send(event("output_audio_buffer.cleared", response_id=response.id))

    async def _interrupt(self) -> None:
        if self._dialect.response is not None:
            self._dialect.response.reason = "client_cancelled"
        await self._conversation.interrupt()


def complaint(error: ParleyError, event_id: str | None = None) -> dict[str, Any]:
    """The `error` event that answers the client event `event_id`, which failed."""
    if isinstance(error, m.EventError):
        return error_event(
            "invalid_request_error",
            error.code,
            str(error),
            param=error.param,
            event_id=event_id or error.event_id,
        )
    kind = "invalid_request_error" if isinstance(error, BadRequest) else "server_error"
    return error_event(kind, error.code, str(error), event_id=event_id)
