"""A response beside the conversation (`conversation: "none"`, or its own `input`): no face, no history."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.http.clauses import split
from gateway.realtime.dialect import Response, event, new_id, usage
from gateway.realtime.items import Item
from gateway.realtime.messages import ResponseParams
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
    """Items as the language service reads them; those without words are left out."""
    return [chain_pb2.Message(role=ROLES[i.role], text=i.text) for i in items if i.text]


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
        text_only: bool,
        send: Callable[[dict[str, Any]], None],
    ) -> None:
        self._services = services
        self._params = params
        self._avatar = avatar
        self._context = context
        self._instructions = instructions
        self._send = send
        item = Item(new_id("item"), "assistant", spoken=not text_only, status="in_progress")
        self.response = Response(
            new_id("resp"),
            item,
            0,
            "",
            in_conversation=False,
            metadata=params.metadata,
            reason="client_cancelled",
        )

    async def run(self) -> Item:
        """Answers; returns the item that was said. Failures end the response visibly."""
        for opening in self.response.opening(None):
            self._send(opening)
        status, error = "cancelled", ("", "")
        try:
            await self._answer()
            status = "completed"
        except ParleyError as failure:
            status, error = "failed", (failure.code, str(failure))
        finally:
            self._close(status, error)
        return self.response.item

    async def _answer(self) -> None:
        limit = self._params.max_output_tokens
        turn = chain_pb2.Turn(
            trace=chain_pb2.Trace(session=self.response.id, generation=1, turn=self.response.id),
            avatar=self._avatar,
            history=messages(self._context),
            instructions=self._instructions,
            want_audio=self.response.item.spoken,
            max_output_tokens=limit if isinstance(limit, int) else 0,
        )
        async for clause in self._services.generate(turn):
            self._send(self.response.more_text(clause))
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
