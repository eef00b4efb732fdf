"""A response beside the conversation (`conversation: "none"`, or its own `input`): no face, no history."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.http.clauses import split
from gateway.realtime.dialect import Response, event, new_id, usage
from gateway.realtime.items import Item
from gateway.realtime.messages import ResponseParams
from gateway.realtime.session_config import SessionState
from gateway.realtime.tools import choice_for_the_mind, for_the_mind
from gateway.services import Services
from parley.errors import ParleyError
from parley.media.clock import samples_to_ms
from proto.parley.v1 import chain_pb2

ROLES = {
    "system": chain_pb2.ROLE_SYSTEM,
    "user": chain_pb2.ROLE_USER,
    "assistant": chain_pb2.ROLE_ASSISTANT,
}


def messages(items: Iterable[Item]) -> list[chain_pb2.Message]:
    """Items as the language service reads them; without those without words, and calls without result."""
    items = list(items)
    answered = {item.call_id for item in items if item.kind == "function_call_output"}
    called = {item.call_id for item in items if item.kind == "function_call"}
    told: list[chain_pb2.Message] = []
    for item in items:
        if item.kind == "function_call" and item.call_id in answered:
            call = chain_pb2.ToolCall(id=item.call_id, name=item.name, arguments=item.text or "")
            told.append(chain_pb2.Message(role=chain_pb2.ROLE_ASSISTANT, call=call))
        elif item.kind == "function_call_output" and item.call_id in called:
            role = chain_pb2.ROLE_TOOL
            told.append(chain_pb2.Message(role=role, call_id=item.call_id, text=item.text or ""))
        elif item.kind == "message" and item.text:
            told.append(chain_pb2.Message(role=ROLES[item.role], text=item.text))
    return told


class SideResponse:
    """One such response; `run` it in a task of its own, cancel the task to cancel it."""

    def __init__(
        self,
        services: Services,
        params: ResponseParams,
        *,
        avatar: str,
        context: list[Item],
        instructions: str,
        state: SessionState,
        send: Callable[[dict[str, Any]], None],
    ) -> None:
        self._services = services
        self._params = params
        self._avatar = avatar
        self._context = context
        self._instructions = instructions
        self._state = state
        self._send = send
        item = Item(new_id("item"), "assistant", spoken=not state.text_only, status="in_progress")
        self.response = Response(
            new_id("resp"),
            item,
            0,
            "",
            in_conversation=False,
            metadata=params.metadata,
            reason="client_cancelled",
        )

    async def run(self) -> list[Item]:
        """Answers; returns what was said and called. Failures end the response visibly."""
        for opening in self.response.opening():
            self._send(opening)
        if not self._state.tools:
            self._open()
        status, error = "cancelled", ("", "")
        try:
            await self._answer()
            status = "completed"
        except ParleyError as failure:
            status, error = "failed", (failure.code, str(failure))
        finally:
            self._close(status, error)
        return [self.response.item, *self.response.calls]

    def _open(self) -> None:
        if not self.response.opened:
            for opening in self.response.opening_message(None):
                self._send(opening)

    async def _answer(self) -> None:
        limit = self._params.max_output_tokens
        turn = chain_pb2.Turn(
            trace=chain_pb2.Trace(session=self.response.id, generation=1, turn=self.response.id),
            avatar=self._avatar,
            history=messages(self._context),
            instructions=self._instructions,
            want_audio=self.response.item.spoken,
            max_output_tokens=limit if isinstance(limit, int) else 0,
            tools=for_the_mind(self._state.tools),
            tool_choice=choice_for_the_mind(self._state.tool_choice),
        )
        async for piece in self._services.generate(turn):
            if piece.text:
                self._open()
                self._send(self.response.more_text(piece.text))
            for call in piece.calls:
                item = Item(new_id("item"), "assistant", False, call.arguments, kind="function_call")
                item.call_id, item.name = call.id, call.name
                for told in self.response.called(item, None):
                    self._send(told)
        if self.response.item.spoken and self.response.text.strip():
            async for pcm in self._services.speak(split(self.response.text), avatar=self._avatar):
                self._send(self.response.more_audio(pcm))

    def _close(self, status: str, error: tuple[str, str]) -> None:
        item = self.response.item
        item.status = "completed" if status == "completed" else "incomplete"
        item.text = self.response.text
        used = usage(
            text_in=sum(len(i.text or "") for i in self._context),
            audio_in_ms=0,
            text_out=len(self.response.text),
            audio_out_ms=samples_to_ms(item.audio_samples),
        )
        for closing in self.response.closing(status, previous_item_id=None, error=error, used=used):
            self._send(closing)


def added(item: Item, previous_item_id: str | None) -> list[dict[str, Any]]:
    """Events that tell of a finished item's joining the conversation."""
    return [
        event(f"conversation.item.{what}", previous_item_id=previous_item_id, item=item.shown())
        for what in ("added", "done")
    ]
