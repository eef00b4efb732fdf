"""A work item that a worker owns, on Redis."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from typing import Any

from parley.aio import Signal
from parley.chain import keys, scripts
from parley.chain.interface import NEXT, OUTPUT, WORK_STREAM, Entry, Item, Piece, Stage
from parley.chain.pieces import UPSTREAM, ends_reply, reply_for, unix_ms
from parley.chain.reader import Follower, Reader
from parley.chain.sinks import EntrySink
from parley.chain.subscription import Subscription
from parley.errors import ChainUnavailable, LostClaim, ParleyError, StaleGeneration
from parley.telemetry import tracing

UPSTREAM_HIGH = 64  # entries read ahead of the worker; the rest stays in Redis
UPSTREAM_LOW = 32

Execute = Callable[..., Awaitable[Any]]


class RedisClaim:
    """See `Claim`. It ends when its generation is flushed, another worker owns the item, or Redis is gone."""

    def __init__(
        self,
        *,
        item: Item,
        item_id: str,
        stage: Stage,
        consumer: str,
        reader: Reader,
        execute: Execute,
    ) -> None:
        """A claim that was not yet made: see `RedisChain`.

        Args:
            item: The work.
            item_id: Its id in the stage's work stream.
            stage: Whose it is.
            consumer: The worker.
            reader: Follows the session's streams.
            execute: Runs a script: `execute(script, keys, args)`.
        """
        self.item = item
        self.item_id = item_id
        self.stage = stage
        self.consumer = consumer
        self.taken_over = False
        self.token = uuid.uuid4().hex
        self.stale = asyncio.Event()
        self.given_back = False
        self._reader = reader
        self._execute = execute
        self._generation = item.trace.generation
        self._session = item.trace.session
        self._played = 0
        self._silent = True
        self._error: ParleyError | None = None
        self._changed = Signal()
        self._reading: set[Subscription] = set()
        self._control: Follower | None = None
        self._control_after: keys.Id = (0, 0)

    # ---- what the worker uses

    async def publish(self, seq: int, piece: Piece) -> bool:
        """See `Claim.publish`."""
        self._check()
        if not piece.created_unix_ms:
            piece.created_unix_ms = unix_ms()
        output = keys.output_key(self._session, OUTPUT[self.stage])
        answer = await self._execute(
            scripts.PUBLISH,
            [keys.session_key(self._session), output],
            [*self._identity(), seq, piece.SerializeToString(), keys.SESSION_TTL_S, keys.OUTPUT_MAXLEN],
        )
        self._heed(answer)
        if self._silent:
            self._silent = False
            tracing.event("first piece")
        return bool(answer == b"OK")

    async def hand_on(self) -> None:
        """See `Claim.hand_on`."""
        self._check()
        stage = NEXT[self.stage]
        payload = reply_for(self.item).SerializeToString()
        self._heed(
            await self._execute(
                scripts.HAND_ON,
                [keys.session_key(self._session), WORK_STREAM[stage]],
                [*self._identity(), stage.value, payload, keys.WORK_MAXLEN],
            )
        )

    async def upstream(self) -> AsyncIterator[Entry]:
        """See `Claim.upstream`."""
        self._check()
        track = UPSTREAM[self.stage]

        def room() -> None:
            if len(subscription.waiting) == UPSTREAM_LOW:
                self._reader.wake()

        subscription = Subscription(on_room=room)
        sink = EntrySink(track, subscription, high_water=UPSTREAM_HIGH)
        follower = self._reader.follow(keys.output_key(self._session, track), (self._generation, 0), sink)
        subscription.on_close(lambda: self._reader.leave(follower))
        self._reading.add(subscription)
        try:
            with closing(subscription):
                expected = 1
                while True:
                    entry = await subscription.get()
                    if entry.generation != self._generation:
                        self.end(StaleGeneration(f"Generation {self._generation} was flushed."))
                        self._check()
                    if entry.seq != expected:
                        raise ChainUnavailable(
                            f"Piece {expected} of the {track} stream is missing, {entry.seq} came.",
                            fix="Redis may have run out of memory: raise its maxmemory, or ask again.",
                        )
                    expected += 1
                    yield entry
                    if ends_reply(entry):
                        return
        finally:
            self._reading.discard(subscription)

    async def published(self) -> list[Entry]:
        """See `Claim.published`."""
        self._check()
        track = OUTPUT[self.stage]
        raw = await self._execute(
            scripts.PUBLISHED,
            [keys.session_key(self._session), keys.output_key(self._session, track)],
            self._identity(),
        )
        if not isinstance(raw, list):
            self._heed(raw)
        return [
            keys.decode_entry(track, keys.parse_id(raw_id), dict(zip(fields[::2], fields[1::2], strict=True)))
            for raw_id, fields in raw
        ]

    async def wait_for_credit(self, pts_samples: int, *, ahead_samples: int) -> None:
        """See `Claim.wait_for_credit`."""
        await self._changed.wait_for(
            lambda: self._error is not None or self._played + ahead_samples >= pts_samples
        )
        self._check()

    def played_samples(self) -> int:
        """See `Claim.played_samples`."""
        return self._played

    # ---- what the chain uses

    def begin(self, *, deliveries: int, played: int, control_after: keys.Id) -> None:
        """The claim was made: follows the session's hints from there."""
        self.taken_over = deliveries > 1
        self._played = played
        self._control_after = control_after
        self.follow_hints()

    def follow_hints(self) -> None:
        """Follows the hints again if the connection was lost meanwhile."""
        if self._control is None and not self.given_back:
            self._control = self._reader.follow(
                keys.control_key(self._session), self._control_after, _Hints(self)
            )

    def hinted(self, identity: keys.Id, *, generation: int, played: int) -> None:
        """A hint came: the session's generation, and what was played of it."""
        self._control_after = identity
        if generation != self._generation:
            if generation > self._generation:
                self.end(StaleGeneration(f"Generation {self._generation} was flushed."))
        elif played > self._played:
            self._played = played
            self._changed.notify()

    def hints_lost(self) -> None:
        """The connection broke; the heartbeat follows again."""
        self._control = None

    def end(self, error: ParleyError) -> None:
        """The work has ended: whatever the worker waits for raises `error`."""
        if self._error is None:
            self._error = error
            self.stale.set()
            for subscription in list(self._reading):
                subscription.fail(error, at_once=True)
            self._changed.notify()

    def give_back(self) -> None:
        """Done or released: nothing more may be published, nothing more is followed."""
        self.given_back = True
        if self._control is not None:
            self._reader.leave(self._control)
            self._control = None
        self.end(LostClaim("This item was given back."))

    async def beat(self) -> None:
        """Says that the worker is alive, and learns what the hints may have missed."""
        answer = await self._execute(
            scripts.BEAT,
            [keys.session_key(self._session), WORK_STREAM[self.stage]],
            [*self._identity(), self.consumer, self.item_id],
        )
        try:
            self._heed(answer[0])
        except (StaleGeneration, LostClaim):
            return  # `stale` is set now, and the worker's next step raises it
        if int(answer[1]) > self._played:
            self._played = int(answer[1])
            self._changed.notify()
        self.follow_hints()

    def giving_back(self, script: str) -> tuple[list[str], list[str | int]]:
        """Keys and arguments of the scripts DONE and RELEASE."""
        whose = [self.consumer] if script == scripts.RELEASE else []
        return (
            [keys.session_key(self._session), WORK_STREAM[self.stage]],
            [*self._identity(), *whose, self.item_id],
        )

    def _identity(self) -> list[str | int]:
        return [self._generation, self.stage.value, self.token]

    def _check(self) -> None:
        if self._error is not None:
            raise type(self._error)(self._error.message, fix=self._error.fix)

    def _heed(self, answer: bytes) -> None:
        """Ends the claim if Redis says that it has ended."""
        if answer == b"STALE":
            self.end(StaleGeneration(f"Generation {self._generation} was flushed."))
        elif answer == b"LOST":
            self.end(LostClaim(f"Another worker has taken over generation {self._generation}."))
        self._check()


class _Hints:
    """Passes the control stream's entries to a claim."""

    def __init__(self, claim: RedisClaim) -> None:
        self._claim = claim

    def wants(self) -> bool:
        return True

    def take(self, identity: keys.Id, fields: keys.Fields) -> None:
        self._claim.hinted(
            identity,
            generation=int(fields[keys.CONTROL_GENERATION]),
            played=int(fields.get(keys.CONTROL_PLAYED, b"0")),
        )

    def fail(self, error: ParleyError) -> None:
        self._claim.hints_lost()
