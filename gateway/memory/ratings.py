"""Answers that people rated: question, answer, thumb up or down, and what they would rather have heard."""

import asyncio
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.memory.file import connected, hashed, prepare

MAX_RATINGS = 200
Thumb = Literal["up", "down"]
_SCHEMA = """
create table if not exists ratings (
  id text primary key, person text not null, item text not null, avatar text not null, question text not null,
  answer text not null, thumb text not null, better text not null, created_unix integer not null,
  unique (person, item)
);
"""
_COLUMNS = "id, item, avatar, question, answer, thumb, better, created_unix"


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer that a person rated.

    Attributes:
        item: The answer's id in its conversation.
        thumb: "up" or "down".
        better: What the person would rather have heard; empty: they did not say.
        created_unix: Seconds.
    """

    id: str
    item: str
    avatar: str
    question: str
    answer: str
    thumb: Thumb
    better: str
    created_unix: int


class RatingStore:
    """Keeps ratings by person, in the file of the facts and by the same rules."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file.

        Raises:
            ConfigError: It cannot be written.
        """
        self._path = path
        prepare(path, _SCHEMA)

    async def ratings(self, person: str) -> list[Rating]:
        """All that a person rated, oldest first."""
        return await asyncio.to_thread(self._read, "where person = ?", (hashed(person),))

    async def everybodys(self) -> list[Rating]:
        """All ratings, oldest first, without a word about whose they are."""
        return await asyncio.to_thread(self._read, "", ())

    async def rate(
        self, person: str, *, item: str, avatar: str, question: str, answer: str, thumb: Thumb, better: str
    ) -> Rating:
        """Keeps a rating in place of an earlier one of that answer; of a person the newest `MAX_RATINGS`."""
        rating = Rating(secrets.token_hex(8), item, avatar, question, answer, thumb, better, int(time.time()))
        await asyncio.to_thread(self._rate, hashed(person), rating)
        return rating

    async def take_back(self, person: str, item: str) -> int:
        """Forgets what the person said of that answer; returns how many ratings that were."""
        return await asyncio.to_thread(self._delete, "person = ? and item = ?", (hashed(person), item))

    async def delete(self, person: str, rating_id: str | None = None) -> int:
        """Forgets one rating, or all of the person's; returns how many that were."""
        if rating_id is None:
            return await asyncio.to_thread(self._delete, "person = ?", (hashed(person),))
        return await asyncio.to_thread(self._delete, "person = ? and id = ?", (hashed(person), rating_id))

    def _read(self, where: str, values: tuple[str, ...]) -> list[Rating]:
        with closing(connected(self._path)) as connection:
            order = "order by created_unix, rowid"
            return [
                Rating(*row)
                for row in connection.execute(f"select {_COLUMNS} from ratings {where} {order}", values)
            ]

    def _rate(self, person: str, new: Rating) -> None:
        with closing(connected(self._path)) as connection, connection:
            connection.execute("delete from ratings where person = ? and item = ?", (person, new.item))
            connection.execute(
                f"insert into ratings (person, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    person, new.id, new.item, new.avatar, new.question, new.answer, new.thumb, new.better,
                    new.created_unix,
                ),
            )  # fmt: skip
            connection.execute(
                "delete from ratings where person = ? and rowid not in (select rowid from ratings "
                "where person = ? order by created_unix desc, rowid desc limit ?)",
                (person, person, MAX_RATINGS),
            )

    def _delete(self, where: str, values: tuple[str, ...]) -> int:
        with closing(connected(self._path)) as connection, connection:
            return connection.execute(f"delete from ratings where {where}", values).rowcount
