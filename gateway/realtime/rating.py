"""What a client's thumb on an answer does."""

from dataclasses import asdict
from typing import Any, Final

from gateway.memory.ratings import RatingStore
from gateway.realtime import messages as m
from gateway.realtime.dialect import event
from gateway.realtime.items import Item, Items

LONGEST: Final = 4000  # characters of a question or an answer


class Rater:
    """Keeps the thumbs of one conversation; with each the answer and the words it answers, nothing else."""

    def __init__(self, store: RatingStore | None, items: Items, avatar: str) -> None:
        self._store = store
        self._items = items
        self._avatar = avatar

    async def rate(self, wanted: m.Rate) -> dict[str, Any]:
        """Keeps a thumb, or takes it back; returns the event that says so.

        Raises:
            EventError: This server keeps none, or the item is no answer to anything.
        """
        if self._store is None:
            raise m.EventError(
                "memory_off", "This server keeps no ratings.", fix="Set PARLEY_GATEWAY_MEMORY to a file."
            )
        if wanted.rating is None:
            await self._store.take_back(wanted.person, wanted.item_id)
            return event("avatar.rated", item_id=wanted.item_id, rating=None)
        if wanted.better and wanted.rating == "up":
            raise m.EventError("invalid_value", "What is good has no better.", param="better")
        question, answer = self._exchange(wanted.item_id)
        kept = await self._store.rate(
            wanted.person,
            item=wanted.item_id,
            avatar=self._avatar,
            question=question,
            answer=answer,
            thumb=wanted.rating,
            better=wanted.better.strip(),
        )
        return event("avatar.rated", item_id=wanted.item_id, rating=asdict(kept))

    def _exchange(self, item_id: str) -> tuple[str, str]:
        """The answer of that id, and what the person said before it."""
        asked: Item | None = None
        for item in self._items:
            if item.id == item_id:
                return self._checked(asked, item)
            if item.kind == "message" and item.role == "user" and item.text:
                asked = item
        raise m.EventError("item_not_found", f"There is no item {item_id!r}.", param="item_id")

    def _checked(self, asked: Item | None, answer: Item) -> tuple[str, str]:
        wrong = ""
        if answer.kind != "message" or answer.role != "assistant":
            wrong = "Only answers of the avatar can be rated."
        elif answer.status != "completed":
            wrong = "Only an answer that was said to its end can be rated."
        elif asked is None:
            wrong = "That was no answer: nothing had been asked."
        elif max(len(asked.text or ""), len(answer.text or "")) > LONGEST:
            wrong = f"Only questions and answers of at most {LONGEST} characters can be rated."
        if wrong or asked is None:
            raise m.EventError("invalid_value", wrong, param="item_id")
        return asked.text or "", answer.text or ""
