"""What was said, and really heard, so far."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parley.errors import BadRequest
from proto.parley.v1 import chain_pb2 as pb

_ROLES = {
    "user": pb.ROLE_USER,
    "assistant": pb.ROLE_ASSISTANT,
    "system": pb.ROLE_SYSTEM,
    "tool": pb.ROLE_TOOL,
}


@dataclass(slots=True)
class HistoryItem:
    """One message.

    Attributes:
        item_id: Its id.
        role: "user", "assistant", "system" or "tool".
        text: What was said; of an assistant what was heard of it; of a tool what came of the call.
        call: The call that this item stands for (role "assistant").
        call_id: The call that `text` is the result of (role "tool").
        overtaken: The call's result is not wanted any more.
    """

    item_id: str
    role: str
    text: str
    call: pb.ToolCall | None = None
    call_id: str = ""
    overtaken: bool = False


class History:
    """Messages, oldest first."""

    def __init__(self, items: Iterable[HistoryItem] = (), *, max_items: int, max_characters: int) -> None:
        """Takes over `items`.

        What is too long loses its oldest quarter at once, and not a message each turn: a mind that keeps a
        summary of the beginning, or a server that has read it already, finds it unchanged most of the time.

        Args:
            items: Of a conversation that goes on.
            max_items: More than that are forgotten, oldest first.
            max_characters: At most so many go to the model, oldest left out first.
        """
        self._items = list(items)
        self._max_items = max_items
        self._max_characters = max_characters

    def __iter__(self) -> Iterator[HistoryItem]:
        return iter(self._items)

    def __contains__(self, item_id: object) -> bool:
        return any(item.item_id == item_id for item in self._items)

    @property
    def last_id(self) -> str | None:
        """The newest item's id."""
        return self._items[-1].item_id if self._items else None

    def add(self, item_id: str, role: str, text: str) -> None:
        self._append(HistoryItem(item_id, role, text))

    def add_call(self, item_id: str, call: pb.ToolCall) -> None:
        """The avatar has called a function; the model is shown it once its result is there."""
        self._append(HistoryItem(item_id, "assistant", "", call=call))

    def add_result(self, item_id: str, call_id: str, output: str) -> None:
        """What came of a call.

        Raises:
            BadRequest: There is no such call, it has its result, or the talk has gone on without it.
        """
        call = next((i for i in self._items if i.call is not None and i.call.id == call_id), None)
        if call is None:
            raise BadRequest(
                f"There is no call {call_id!r} in the conversation.",
                fix="Send the call_id of a function_call item.",
                code="invalid_tool_call_id",
            )
        if call.overtaken:
            raise BadRequest(
                f"The result of call {call_id!r} is dropped: the conversation has gone on without it.",
                fix="Nothing is to be done; the person has said something newer, or stopped the reply.",
                code="stale_tool_call",
            )
        if call_id in self._answered():
            raise BadRequest(f"Call {call_id!r} has its result already.", code="invalid_tool_call_id")
        self._append(HistoryItem(item_id, "tool", output, call_id=call_id))

    def overtake_calls(self, *, all_open: bool = False) -> None:
        """From now on results are refused of the calls that the person has said something after.

        Args:
            all_open: Of all calls that have none yet.
        """
        answered, newer = self._answered(), all_open
        for item in reversed(self._items):
            newer = newer or item.role == "user"
            if item.call is not None and newer and item.call.id not in answered:
                item.overtaken = True

    @property
    def ends_in_result(self) -> bool:
        """Whether what came last is the result of a call."""
        return bool(self._items) and self._items[-1].role == "tool"

    def _answered(self) -> set[str]:
        return {item.call_id for item in self._items if item.call_id}

    def _append(self, item: HistoryItem) -> None:
        self._items.append(item)
        if len(self._items) > self._max_items:
            del self._items[: len(self._items) - self._max_items + self._max_items // 4]

    def set_text(self, item_id: str, text: str) -> None:
        """Changes an item's text; nothing happens if it was deleted meanwhile."""
        for item in self._items:
            if item.item_id == item_id:
                item.text = text

    def delete(self, item_id: str) -> bool:
        """Forgets an item; False if there is none of that id."""
        before = len(self._items)
        self._items = [item for item in self._items if item.item_id != item_id]
        return len(self._items) < before

    def messages(self, heard_now: str = "") -> list[pb.Message]:
        """What the model is shown.

        Someone who went on speaking before anything of the answer was heard is still in the same sentence:
        the person's words before and after an unheard reply are one message.

        Args:
            heard_now: The person's newest words, if the history does not hold them yet.
        """
        items = [*self._items, HistoryItem("", "user", heard_now)] if heard_now else self._items
        messages: list[pb.Message] = []
        unheard = False
        called, answered = set[str](), self._answered()
        for item in items:
            if item.call is not None:
                if item.call.id in answered:
                    messages.append(pb.Message(role=pb.ROLE_ASSISTANT, call=item.call))
                    called.add(item.call.id)
                unheard = False
            elif item.call_id:
                if item.call_id in called:  # not so where the call was deleted, or is too long ago
                    messages.append(pb.Message(role=pb.ROLE_TOOL, call_id=item.call_id, text=item.text))
            elif not item.text:
                unheard = item.role == "assistant"
            elif unheard and item.role == "user" and messages and messages[-1].role == pb.ROLE_USER:
                messages[-1].text += " " + item.text
                unheard = False
            else:
                messages.append(pb.Message(role=_ROLES[item.role], text=item.text))
                unheard = False
        return messages[self._first_shown(messages) :]

    def _first_shown(self, messages: list[pb.Message]) -> int:
        """How many messages are left out, so that the rest is short enough.

        The person's newest words stay with all that followed, and a call with its result.
        """
        too_much = sum(len(message.text) for message in messages) - self._max_characters
        if too_much <= 0:
            return 0
        quarter = max(1, self._max_characters // 4)
        too_much = -(-too_much // quarter) * quarter
        newest = max((i for i, m in enumerate(messages) if m.role == pb.ROLE_USER), default=len(messages) - 1)
        for index, message in enumerate(messages[:newest]):
            if too_much <= 0 and message.role != pb.ROLE_TOOL and not message.HasField("call"):
                return index
            too_much -= len(message.text)
        return newest
