"""What was said, and really heard, so far."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from proto.parley.v1 import chain_pb2 as pb

_ROLES = {"user": pb.ROLE_USER, "assistant": pb.ROLE_ASSISTANT, "system": pb.ROLE_SYSTEM}


@dataclass(slots=True)
class HistoryItem:
    """One message. `role`: "user", "assistant" or "system"; an assistant's `text` is what was heard of it."""

    item_id: str
    role: str
    text: str


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
        self._items.append(HistoryItem(item_id, role, text))
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
        for item in items:
            if not item.text:
                unheard = item.role == "assistant"
            elif unheard and item.role == "user" and messages and messages[-1].role == pb.ROLE_USER:
                messages[-1].text += " " + item.text
                unheard = False
            else:
                messages.append(pb.Message(role=_ROLES[item.role], text=item.text))
                unheard = False
        return messages[self._first_shown(messages) :]

    def _first_shown(self, messages: list[pb.Message]) -> int:
        """How many messages are left out, so that the rest is short enough; never the last."""
        too_much = sum(len(message.text) for message in messages) - self._max_characters
        if too_much <= 0:
            return 0
        quarter = max(1, self._max_characters // 4)
        too_much = -(-too_much // quarter) * quarter
        for index, message in enumerate(messages[:-1]):
            if too_much <= 0:
                return index
            too_much -= len(message.text)
        return len(messages) - 1
