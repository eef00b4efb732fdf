"""What each client event does: to the conversation, to the items, and what is answered at once."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from gateway.memory.remembering import Remembering
from gateway.memory.store import Fact, FactStore
from gateway.realtime import messages as m
from gateway.realtime.dialect import Dialect, error_event, event, new_id
from gateway.realtime.items import Item
from gateway.realtime.parsing import decode_audio
from gateway.realtime.session_config import Face, SessionState
from gateway.realtime.side import SideResponse, added
from gateway.services import Services
from parley.avatars import Avatar
from parley.conversation.interface import Conversation
from parley.errors import BadRequest, ParleyError
from parley.media.clock import BYTES_PER_SAMPLE, ms_to_samples, samples_to_ms

MAX_SIDE_RESPONSES = 4
CONTENT_TYPES = {
    "user": ("input_text", "input_audio"),
    "system": ("input_text",),
    "assistant": ("output_text", "output_audio", "text"),
}


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
        self.state = state
        self.heard_samples = 0
        self.starting = False

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
        self._usual = None
        self.state = self.state.merged(update)
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

    def _read_item(self, given: m.MessageItem, path: str) -> tuple[Item, bytes]:
        """The item that a client describes, and its audio, if it has any."""
        words: list[str] = []
        pcm = b""
        for number, part in enumerate(given.content):
            place = f"{path}.content.{number}"
            if part.type not in CONTENT_TYPES[given.role]:
                allowed = ", ".join(CONTENT_TYPES[given.role])
                message = f"A {given.role} message cannot hold {part.type!r}."
                raise m.EventError("invalid_value", message, param=f"{place}.type", fix=f"Send {allowed}.")
            if part.type == "input_audio" and not part.transcript:
                if not part.audio:
                    raise m.EventError(
                        "missing_required_parameter",
                        f"Missing required parameter: '{place}.audio'.",
                        param=f"{place}.audio",
                    )
                pcm += decode_audio(part.audio, param=f"{place}.audio")
                continue
            text = part.transcript if part.type.endswith("_audio") else part.text
            if text is None:
                name = "transcript" if part.type.endswith("_audio") else "text"
                raise m.EventError(
                    "missing_required_parameter",
                    f"Missing required parameter: '{place}.{name}'.",
                    param=f"{place}.{name}",
                )
            words.append(text)
        spoken = any(part.type.endswith("_audio") for part in given.content)
        text = "\n".join(words)
        return Item(given.id or new_id("item"), given.role, spoken=spoken, text=None if pcm else text), pcm

    async def _create_item(self, wanted: m.ItemCreate) -> None:
        item, pcm = self._read_item(wanted.item, "item")
        if self._items.get(item.id) is not None:
            raise m.EventError(
                "item_already_exists", f"There is already an item {item.id!r}.", param="item.id"
            )
        before = wanted.previous_item_id
        if before not in (None, "root"):
            self._item(str(before), "previous_item_id")
        following: list[Item] = []
        if before is None or before == self._items.last_id:
            before = self._items.append(item)
        else:
            self._must_be_quiet("previous_item_id")
            following = self._items.insert_after(str(before), item)
            before = None if before == "root" else before
        self._send(event("conversation.item.added", previous_item_id=before, item=item.shown()))
        if pcm:
            await self._transcribe(item, pcm)
        if item.text:
            await self._conversation.add_message(item.role, item.text, item_id=item.id)
            if item.role == "user":
                await self.said(item.text)
        await self._move_behind(following)
        self._send(event("conversation.item.done", previous_item_id=before, item=item.shown()))

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
            if item.text:
                await self._conversation.add_message(item.role, item.text, item_id=item.id)

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
        text_only = self.state.text_only
        if params.output_modalities is not None:
            text_only = params.output_modalities == ["text"]
        if params.conversation == "none" or params.input is not None:
            self._start_side(params, text_only)
            return
        if self._busy and self.state.face is None:
            raise m.EventError(
                "conversation_already_has_active_response",
                "Conversation already has an active response in progress.",
                fix="Wait for response.done, or send response.cancel.",
            )
        if text_only != self.state.text_only:
            self._usual = self.state
            self.state = replace(self.state, text_only=text_only)
            await self._configure()
        self._dialect.metadata = params.metadata
        self.starting = True
        await self._conversation.respond(instructions=params.instructions or "")

    @property
    def _busy(self) -> bool:
        return self.starting or self._dialect.response is not None

    def _start_side(self, params: m.ResponseParams, text_only: bool) -> None:
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
                item, pcm = self._read_item(given, path)
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
            instructions=params.instructions or self.state.instructions,
            text_only=text_only,
            send=self._send,
        )
        task = self._tasks.create_task(self._run_side(side, joins=params.conversation == "auto"))
        self._side[side.response.id] = task
        task.add_done_callback(lambda _: self._side.pop(side.response.id, None))

    async def _run_side(self, side: SideResponse, *, joins: bool) -> None:
        item = await side.run()
        if joins and item.text:
            before = self._items.append(item)
            await self._conversation.add_message("assistant", item.text, item_id=item.id)
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
