"""The conversation's items as clients see them: order, content, and the JSON of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_ITEMS = 500


@dataclass(slots=True)
class Item:
    """One message.

    Attributes:
        spoken: Its content is audio with a transcript; otherwise text.
        text: What was said or written; of an assistant's item only what was heard, once that is known.
            None: spoken, and not transcribed yet.
        status: "in_progress", "completed" or "incomplete".
        audio_samples: Length of an assistant's speech that was sent, media clock.
    """

    id: str
    role: str
    spoken: bool
    text: str | None = None
    status: str = "completed"
    audio_samples: int = 0

    def shown(self) -> dict[str, Any]:
        """The item as JSON; audio itself is never repeated."""
        content: list[dict[str, Any]] = []
        if self.status != "in_progress":
            side = "output" if self.role == "assistant" else "input"
            kind = f"{side}_audio" if self.spoken else f"{side}_text"
            content = [{"type": kind, "transcript" if self.spoken else "text": self.text}]
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": content,
        }


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
