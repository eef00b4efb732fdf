"""The conversation's items as clients see them: order, content, and the JSON of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from parley.conversation.interface import Conversation
from proto.parley.v1 import chain_pb2

MAX_ITEMS = 500


@dataclass(slots=True)
class Item:
    """One message, call of a function, or result of one.

    Attributes:
        role: Of a message or call; a result has none.
        spoken: Its content is audio with a transcript; otherwise text.
        text: What was said or written; of an assistant's item only what was heard, once that is known.
            None: spoken, and not transcribed yet.
        status: "in_progress", "completed" or "incomplete".
        audio_samples: Length of an assistant's speech that was sent, media clock.
        kind: What it is. `text` of a call is its arguments, of a result what came of it.
        call_id: Of a call, and of its result.
        name: Of the function that is called.
    """

    id: str
    role: str
    spoken: bool
    text: str | None = None
    status: str = "completed"
    audio_samples: int = 0
    kind: Literal["message", "function_call", "function_call_output"] = "message"
    call_id: str = ""
    name: str = ""

    def shown(self) -> dict[str, Any]:
        """The item as JSON; audio itself is never repeated."""
        head = {"id": self.id, "object": "realtime.item", "type": self.kind, "status": self.status}
        if self.kind == "function_call_output":
            return {**head, "call_id": self.call_id, "output": self.text or ""}
        if self.kind == "function_call":
            arguments = "" if self.status == "in_progress" else self.text or ""
            return {**head, "call_id": self.call_id, "name": self.name, "arguments": arguments}
        content: list[dict[str, Any]] = []
        if self.status != "in_progress":
            side = "output" if self.role == "assistant" else "input"
            kind = f"{side}_audio" if self.spoken else f"{side}_text"
            content = [{"type": kind, "transcript" if self.spoken else "text": self.text}]
        return {**head, "role": self.role, "content": content}


class Items:
    """Items in the order of the conversation. The oldest leave when there are more than `MAX_ITEMS`."""

    def __init__(self) -> None:
        self._by_id: dict[str, Item] = {}

    def __iter__(self) -> Iterator[Item]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, item_id: str) -> Item | None:
        """The item of that id, if it is there."""
        return self._by_id.get(item_id)

    def call(self, call_id: str) -> Item | None:
        """The call of that id, if it is there."""
        calls = (i for i in self._by_id.values() if i.kind == "function_call" and i.call_id == call_id)
        return next(calls, None)

    @property
    def last(self) -> Item | None:
        """The newest item; None: there is none."""
        return next(reversed(self._by_id.values()), None)

    @property
    def last_id(self) -> str | None:
        """Id of the newest item; None: there is none."""
        return next(reversed(self._by_id), None)

    def append(self, item: Item) -> str | None:
        """Adds at the end; returns the id of the item before it."""
        previous = self.last_id
        self._by_id[item.id] = item
        if len(self._by_id) > MAX_ITEMS:
            del self._by_id[next(iter(self._by_id))]
        return previous

    def insert_after(self, previous_id: str, item: Item) -> list[Item]:
        """Inserts after `previous_id` ("root": at the front); returns the items that now follow it.

        Raises:
            KeyError: No such item.
        """
        order = list(self._by_id.values())
        at = 0 if previous_id == "root" else order.index(self._by_id[previous_id]) + 1
        after = order[at:]
        self._by_id = {i.id: i for i in (*order[:at], item, *after)}
        return after

    def after(self, item_id: str) -> list[Item]:
        """The items that follow `item_id`."""
        order = list(self._by_id.values())
        return order[order.index(self._by_id[item_id]) + 1 :]

    def remove(self, item_id: str) -> None:
        """Removes the item, if it is there."""
        self._by_id.pop(item_id, None)


async def remember(conversation: Conversation, item: Item) -> None:
    """Adds an item to what the avatar knows of the talk.

    Raises:
        BadRequest: Its id is in use; or it is the result of a call that is unknown, overtaken, or has one.
    """
    match item.kind:
        case "message":
            await conversation.add_message(item.role, item.text or "", item_id=item.id)
        case "function_call":
            call = chain_pb2.ToolCall(id=item.call_id, name=item.name, arguments=item.text or "")
            await conversation.add_call(call, item_id=item.id)
        case "function_call_output":
            await conversation.add_result(item.call_id, item.text or "", item_id=item.id)
