"""Facts about people."""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.memory.facts import Said
from gateway.memory.file import connected, hashed, prepare

MAX_FACTS = 50
_SCHEMA = """
create table if not exists facts (
  id text primary key, person text not null, slot text not null, text text not null,
  created_unix integer not null
);
create index if not exists facts_of on facts (person, created_unix);
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is remembered. `created_unix`: seconds."""

    id: str
    text: str
    created_unix: int


class FactStore:
    """Remembers facts by person. A person is a secret that only they know; the file holds its hash."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file.

        Raises:
            ConfigError: It cannot be written.
        """
        self._path = path
        self._watchers: dict[str, set[Callable[[], None]]] = defaultdict(set)
        prepare(path, _SCHEMA)

    async def facts(self, person: str) -> list[Fact]:
        """All that is remembered of a person, oldest first."""
        return await asyncio.to_thread(self._facts, hashed(person))

    async def add(self, person: str, said: list[Said]) -> None:
        """Remembers; the same fact once, one of each slot, and the newest `MAX_FACTS`."""
        if said:
            await asyncio.to_thread(self._add, hashed(person), said)
            self._tell(person)

    async def delete(self, person: str, fact_id: str | None = None) -> int:
        """Forgets one fact, or all; returns how many that were."""
        deleted = await asyncio.to_thread(self._delete, hashed(person), fact_id)
        self._tell(person)
        return deleted

    def watch(self, person: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` whenever the person's facts change here; returns what ends it."""
        key = hashed(person)
        self._watchers[key].add(changed)

        def end() -> None:
            self._watchers[key].discard(changed)
            if not self._watchers[key]:
                del self._watchers[key]

        return end

    def _tell(self, person: str) -> None:
        for changed in list(self._watchers.get(hashed(person), ())):
            changed()

    def _facts(self, person: str) -> list[Fact]:
        with closing(connected(self._path)) as connection:
            rows = connection.execute(
                "select id, text, created_unix from facts where person = ? order by created_unix, rowid",
                (person,),
            )
            return [Fact(*row) for row in rows]

    def _add(self, person: str, said: list[Said]) -> None:
        with closing(connected(self._path)) as connection, connection:
            for one in said:
                connection.execute(
                    "delete from facts where person = ? "
                    "and ((slot != '' and slot = ?) or lower(text) = lower(?))",
                    (person, one.slot, one.text),
                )
                row = (secrets.token_hex(8), person, one.slot, one.text, int(time.time()))
                connection.execute("insert into facts values (?, ?, ?, ?, ?)", row)
            connection.execute(
                "delete from facts where person = ? and rowid not in "
                "(select rowid from facts where person = ? order by created_unix desc, rowid desc limit ?)",
                (person, person, MAX_FACTS),
            )

    def _delete(self, person: str, fact_id: str | None) -> int:
        with closing(connected(self._path)) as connection, connection:
            if fact_id is None:
                return connection.execute("delete from facts where person = ?", (person,)).rowcount
            return connection.execute(
                "delete from facts where person = ? and id = ?", (person, fact_id)
            ).rowcount
