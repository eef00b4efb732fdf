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
        del self._items[: -self._max_items]

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
        characters = 0
        for index in range(len(messages) - 1, -1, -1):
            characters += len(messages[index].text)
            if characters > self._max_characters and index < len(messages) - 1:
                return messages[index + 1 :]
        return messages
