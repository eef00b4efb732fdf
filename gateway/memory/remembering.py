"""One conversation's memory of its person: off until they ask for it, and always as it is in the store."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.memory.facts import facts_in
from gateway.memory.store import Fact, FactStore

Changed = Callable[[list[Fact]], Awaitable[None]]


class Remembering:
    """Follows the facts about whoever talks, also when they are deleted elsewhere."""

    def __init__(self, store: FactStore | None, *, changed: Changed, tasks: asyncio.TaskGroup) -> None:
        """Begins without memory.

        Args:
            store: Where facts are; None: this server remembers nothing.
            changed: Told the facts when they change, and when memory is switched on or off.
            tasks: Where work that nobody waits for runs.
        """
        self._store = store
        self._changed = changed
        self._tasks = tasks
        self._person: str | None = None
        self._unwatch: Callable[[], None] | None = None

    @property
    def offered(self) -> bool:
        """Whether this server can remember."""
        return self._store is not None

    async def of(self, person: str | None) -> None:
        """Remembers that person from here on; None: nobody."""
        if person == self._person:
            return
        self.close()
        self._person = person
        if person is not None and self._store is not None:
            self._unwatch = self._store.watch(person, self._look_again)
        await self._refresh()

    async def heard(self, words: str) -> None:
        """The person said this: what it tells about them is remembered, if they asked for that."""
        if self._person is not None and self._store is not None and (said := facts_in(words)):
            await self._store.add(self._person, said)

    def close(self) -> None:
        """Follows nobody any more."""
        if self._unwatch is not None:
            self._unwatch()
        self._unwatch = self._person = None

    def _look_again(self) -> None:
        self._tasks.create_task(self._refresh())

    async def _refresh(self) -> None:
        person = self._person
        facts = await self._store.facts(person) if person is not None and self._store is not None else []
        if person == self._person:
            await self._changed(facts)
