"""The chain inside one process: no Redis, no copies, the same rules."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from parley.aio import Signal
from parley.chain.foresight import taken_back
from parley.chain.interface import NEXT, OUTPUT, Claim, Entry, Item, Piece, Stage, Track
from parley.chain.pieces import (
    UPSTREAM,
    ends_reply,
    refused_piece,
    reply_for,
    unix_ms,
)
from parley.chain.subscription import LiveEntries, Subscription
from parley.errors import ChainUnavailable, LostClaim, StaleGeneration
from parley.telemetry import metrics
from proto.parley.v1 import chain_pb2 as pb


def _no_entries() -> dict[Track, list[Entry]]:
    return {track: [] for track in Track}


@dataclass
class _Session:
    """What a session holds. Entries, owners and flags are those of the current generation."""

    generation: int = 0
    played: int = 0
    entries: dict[Track, list[Entry]] = field(default_factory=_no_entries)
    last_ids: dict[Track, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(Track, (0, 0)))
    owners: dict[Stage, "MemoryClaim"] = field(default_factory=dict)
    asked: set[Stage] = field(default_factory=set)
    readers: dict[Track, list[Subscription]] = field(default_factory=lambda: {track: [] for track in Track})
    changed: Signal = field(default_factory=Signal)

    def advance(self, generation: int) -> None:
        """Makes `generation` current; those who work for an earlier one learn it at once."""
        if generation > self.generation:
            for owner in self.owners.values():
                owner.stale.set()
            self.generation, self.played = generation, 0
            self.entries, self.owners, self.asked = _no_entries(), {}, set()
            self.changed.notify()

    def append(self, entry: Entry) -> bool:
        """Writes an entry unless its id is not above the last; tells everyone who reads."""
        identity = (entry.generation, entry.seq)
        if identity <= self.last_ids[entry.track]:
            return False
        self.last_ids[entry.track] = identity
        self.entries[entry.track].append(entry)
        for reader in list(self.readers[entry.track]):
            reader.put(entry)
        self.changed.notify()
        return True


@dataclass
class _Queued:
    """A work item and how often a worker has had it."""

    item: Item
    deliveries: int = 0


class MemoryClaim:
    """A work item that a worker of this process owns."""

    def __init__(self, chain: "MemoryChain", state: _Session, stage: Stage, queued: _Queued) -> None:
        self.item = queued.item
        self.taken_over = queued.deliveries > 1
        self.stale = asyncio.Event()
        self.stage = stage
        self.queued = queued
        self.given_back = False
        self._chain = chain
        self._state = state
        self._generation = queued.item.trace.generation

    def owned(self) -> bool:
        """Whether this is still the item's last claim."""
        return self._state.owners.get(self.stage) is self

    def _check(self) -> None:
        """Raises what ends the work on this item, if anything does."""
        self._chain.check_open()
        if self._state.generation != self._generation:
            raise StaleGeneration(f"Generation {self._generation} was flushed.")
        if not self.owned():
            raise LostClaim(f"Another worker has taken over generation {self._generation}.")

    async def publish(self, seq: int, piece: Piece) -> bool:
        """See `Claim.publish`."""
        self._check()
        if not piece.created_unix_ms:
            piece.created_unix_ms = unix_ms()
        written = self._state.append(Entry(OUTPUT[self.stage], self._generation, seq, piece))
        await asyncio.sleep(0)  # like the real carrier: readers get their turn between two pieces
        return written

    async def hand_on(self) -> None:
        """See `Claim.hand_on`."""
        self._check()
        stage = NEXT[self.stage]
        if stage not in self._state.asked:
            self._state.asked.add(stage)
            self._chain.enqueue(stage, _Queued(reply_for(self.item)))

    async def upstream(self) -> AsyncIterator[Entry]:
        """See `Claim.upstream`."""
        self._check()
        entries = self._state.entries[UPSTREAM[self.stage]]
        seen = 0

        def more() -> bool:
            return len(entries) > seen or self._ended()

        while True:
            await self._state.changed.wait_for(more)
            self._check()
            entry = entries[seen]
            seen += 1
            if entry.piece is not None:
                yield entry
            if ends_reply(entry):
                return

    async def published(self) -> list[Entry]:
        """See `Claim.published`."""
        self._check()
        return [entry for entry in self._state.entries[OUTPUT[self.stage]] if entry.piece is not None]

    async def wait_for_credit(self, pts_samples: int, *, ahead_samples: int) -> None:
        """See `Claim.wait_for_credit`."""
        await self._state.changed.wait_for(
            lambda: self._state.played + ahead_samples >= pts_samples or self._ended()
        )
        self._check()

    def give_back(self) -> None:
        """The work on it has ended, one way or the other: nothing more may be published."""
        self.given_back = True
        if self.owned():
            del self._state.owners[self.stage]
        self.stale.set()
        self._state.changed.notify()

    def _ended(self) -> bool:
        return self.stale.is_set() or self._chain.closed

    def played_samples(self) -> int:
        """See `Claim.played_samples`."""
        return self._state.played if self._state.generation == self._generation else 0


class MemoryChain:
    """See `Chain`. All ends live on one event loop."""

    def __init__(self) -> None:
        self.closed = False
        self._sessions: dict[str, _Session] = {}
        self._queues: dict[Stage, deque[_Queued]] = {stage: deque() for stage in Stage}
        self._changed = Signal()
        self._listeners: list[asyncio.Queue[pb.Turn | None]] = []

    def check_open(self) -> None:
        """Raises ChainUnavailable after `close`."""
        if self.closed:
            raise ChainUnavailable("The chain was closed.", fix="Make a new one.")

    async def start(self) -> None:
        """See `Chain.start`."""
        self.check_open()

    async def close(self) -> None:
        """See `Chain.close`."""
        self.closed = True
        self._changed.notify()
        for listener in self._listeners:
            listener.put_nowait(None)
        for state in self._sessions.values():
            state.changed.notify()
            self._fail_readers(state)

    def _fail_readers(self, state: _Session) -> None:
        for reader in [reader for readers in state.readers.values() for reader in readers]:
            reader.fail(ChainUnavailable("The session was closed.", fix="Open a new one."))

    def _session(self, session: str) -> _Session:
        self.check_open()
        return self._sessions.setdefault(session, _Session())

    async def open_session(self, session: str) -> None:
        """See `Chain.open_session`."""
        self._session(session)

    async def close_session(self, session: str) -> None:
        """See `Chain.close_session`."""
        state = self._sessions.pop(session, None)
        if state is not None:
            state.advance(state.generation + 1)
            self._fail_readers(state)

    async def submit(self, turn: pb.Turn) -> None:
        """See `Chain.submit`."""
        generation, state = turn.trace.generation, self._session(turn.trace.session)
        if generation < state.generation:
            raise StaleGeneration(f"Generation {generation} was flushed.")
        state.advance(generation)
        if Stage.LLM not in state.asked:
            state.asked.add(Stage.LLM)
            self.enqueue(Stage.LLM, _Queued(turn))

    async def flush(self, session: str, generation: int) -> None:
        """See `Chain.flush`."""
        state = self._session(session)
        if generation >= state.generation:
            state.advance(generation)
            for track in Track:
                state.append(Entry(track, generation, 0, None))

    async def report_played(self, session: str, generation: int, samples: int) -> None:
        """See `Chain.report_played`."""
        state = self._session(session)
        if generation == state.generation and samples > state.played:
            state.played = samples
            state.changed.notify()

    async def foresee(self, turn: pb.Turn) -> bool:
        """See `Chain.foresee`."""
        for number, listener in enumerate(self._listeners):
            listener.put_nowait(turn if number == 0 else taken_back(turn))
        return bool(self._listeners)

    async def foreseen(self) -> AsyncIterator[pb.Turn]:
        """See `Chain.foreseen`."""
        listener: asyncio.Queue[pb.Turn | None] = asyncio.Queue()
        self._listeners.append(listener)
        try:
            while not self.closed and (turn := await listener.get()) is not None:
                yield turn
        finally:
            self._listeners.remove(listener)

    def subscribe(self, session: str, tracks: Sequence[Track]) -> AsyncIterator[Entry]:
        """See `Chain.subscribe`."""
        state, subscription = self._session(session), Subscription()

        def leave() -> None:
            for track in tracks:
                state.readers[track].remove(subscription)

        for track in tracks:
            state.readers[track].append(subscription)
        subscription.on_close(leave)
        return LiveEntries(subscription)

    async def claims(self, stage: Stage, *, consumer: str, capacity: int) -> AsyncIterator[Claim]:
        """See `Chain.claims`. `consumer` means nothing here."""
        taken: list[MemoryClaim] = []
        queue = self._queues[stage]

        def ready() -> bool:
            taken[:] = [claim for claim in taken if not claim.given_back]
            return self.closed or (bool(queue) and len(taken) < capacity)

        while True:
            await self._changed.wait_for(ready)
            if self.closed:
                return
            claim = self._claim(stage, queue.popleft())
            if claim is not None:
                taken.append(claim)
                yield claim

    def _claim(self, stage: Stage, queued: _Queued) -> MemoryClaim | None:
        """Takes an item, unless it cannot be worked on: then it ends here."""
        trace = queued.item.trace
        state = self._sessions.get(trace.session)
        if state is None or state.generation != trace.generation:
            metrics.count_generation_drop(stage)
            return None
        track = OUTPUT[stage]
        begun = state.last_ids[track] > (trace.generation, 0)
        queued.deliveries += 1
        refused = refused_piece(stage, queued.item, begun=begun, deliveries=queued.deliveries)
        if refused is not None:
            seq = state.last_ids[track][1] + 1 if begun else 1
            state.append(Entry(track, trace.generation, seq, refused))
            return None
        if queued.deliveries > 1:
            metrics.count_taken_over(stage)
        claim = MemoryClaim(self, state, stage, queued)
        state.owners[stage] = claim
        return claim

    async def done(self, claim: Claim) -> None:
        """See `Chain.done`."""
        self._give_back(claim)

    async def release(self, claim: Claim) -> None:
        """See `Chain.release`."""
        if isinstance(claim, MemoryClaim) and claim.owned() and not claim.given_back:
            self._queues[claim.stage].append(claim.queued)
        self._give_back(claim)

    def _give_back(self, claim: Claim) -> None:
        assert isinstance(claim, MemoryClaim)
        claim.give_back()
        self._changed.notify()

    def enqueue(self, stage: Stage, queued: _Queued) -> None:
        """Adds a work item."""
        self._queues[stage].append(queued)
        self._changed.notify()
