"""The chain over Redis streams: any number of processes, any of which may die."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from parley.aio import Signal, wait_event
from parley.chain import foresight, keys, scripts
from parley.chain.connection import Scripts, carrier, connect
from parley.chain.interface import OUTPUT, WORK_STREAM, Claim, Entry, Piece, Stage, Track
from parley.chain.pieces import ITEM_OF, refused_piece
from parley.chain.reader import Reader
from parley.chain.redis_claim import RedisClaim
from parley.chain.sinks import EntrySink
from parley.chain.subscription import LiveEntries, Subscription
from parley.chain.work import Work, WorkSource
from parley.errors import ChainUnavailable, ConfigError, LostClaim, StaleGeneration
from parley.telemetry import metrics
from proto.parley.v1 import chain_pb2 as pb

log = logging.getLogger(__name__)

MIN_REDIS = 7
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0


class RedisChain:
    """See `Chain`. One per process: a connection that reads, one per worker, a few for commands."""

    def __init__(self, redis_url: str, *, heartbeat_s: float = 0.3, take_over_s: float = 1.0) -> None:
        """Prepares; connects when first used.

        Args:
            redis_url: "redis://HOST:PORT/DB".
            heartbeat_s: How often a worker says that it is alive, and looks for items of dead ones.
            take_over_s: An item whose worker was silent for so long is taken over.

        Raises:
            ConfigError: `redis_url` is malformed.
        """
        self._url = redis_url
        self._heartbeat_s = heartbeat_s
        self._take_over_ms = round(take_over_s * 1000)
        self._commands = connect(redis_url)
        self._reader = Reader(redis_url, self._commands)
        self._execute = Scripts(redis_url, self._commands)
        self._claims: set[RedisClaim] = set()
        self._freed = Signal()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether Redis answered when last asked."""
        return self._reader.available

    # ---- life

    async def start(self) -> None:
        """See `Chain.start`. May be called again to ask whether Redis is there."""
        self._run()
        async with carrier(self._url):
            about = await self._commands.info("server")
        if int(str(about["redis_version"]).partition(".")[0]) < MIN_REDIS:
            raise ConfigError(
                f"Redis {about['redis_version']} is too old.", fix=f"Install Redis {MIN_REDIS} or newer."
            )

    def _run(self) -> None:
        """Starts the tasks that live as long as the chain."""
        if self._closed.is_set():
            raise ChainUnavailable("The chain was closed.", fix="Make a new one.")
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._reader.run()), loop.create_task(self._beat())]

    async def close(self) -> None:
        """See `Chain.close`. Items that are still owned are left to be taken over."""
        self._closed.set()
        self._freed.notify()
        gone = ChainUnavailable("The chain was closed.", fix="Make a new one.")
        for claim in self._claims:
            claim.end(gone)
        self._reader.fail_all(gone)
        self._reader.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._commands.aclose()

    # ---- the conversation's end

    async def open_session(self, session: str) -> None:
        """See `Chain.open_session`."""
        self._run()
        await self._execute(scripts.OPEN, [keys.session_key(session)], [keys.SESSION_TTL_S])

    async def close_session(self, session: str) -> None:
        """See `Chain.close_session`."""
        await self._execute(scripts.CLOSE, self._session_keys(session), [])

    async def submit(self, turn: pb.Turn) -> None:
        """See `Chain.submit`."""
        self._run()
        await self._reader.placed()
        session, control, *outputs = self._session_keys(turn.trace.session)
        answer = await self._execute(
            scripts.SUBMIT,
            [session, WORK_STREAM[Stage.LLM], control, *outputs],
            [turn.trace.generation, turn.SerializeToString(), keys.SESSION_TTL_S, keys.WORK_MAXLEN],
        )
        if answer == b"STALE":
            raise StaleGeneration(f"Generation {turn.trace.generation} was flushed.")

    async def flush(self, session: str, generation: int) -> None:
        """See `Chain.flush`."""
        self._run()
        await self._reader.placed()
        await self._execute(scripts.FLUSH, self._session_keys(session), [generation, keys.SESSION_TTL_S])

    async def report_played(self, session: str, generation: int, samples: int) -> None:
        """See `Chain.report_played`."""
        await self._execute(
            scripts.PLAYED,
            [keys.session_key(session), keys.control_key(session)],
            [generation, samples, keys.SESSION_TTL_S],
        )

    async def foresee(self, turn: pb.Turn) -> bool:
        """See `Chain.foresee`."""
        async with carrier(self._url):
            return bool(await self._commands.publish(foresight.CHANNEL, turn.SerializeToString()))

    async def foreseen(self) -> AsyncIterator[pb.Turn]:
        """See `Chain.foreseen`."""
        async for turn in foresight.hints(self._url, self._closed):
            try:
                async with carrier(self._url):
                    key = foresight.claim_key(turn)
                    first = await self._commands.set(key, b"1", nx=True, px=foresight.TAKEN_MS)
            except ChainUnavailable:
                continue
            yield turn if first else foresight.taken_back(turn)

    def subscribe(self, session: str, tracks: Sequence[Track]) -> AsyncIterator[Entry]:
        """See `Chain.subscribe`."""
        self._run()
        subscription = Subscription()
        followers = [
            self._reader.follow(
                keys.output_key(session, track), None, EntrySink(track, subscription, timed=True)
            )
            for track in tracks
        ]

        def leave() -> None:
            for follower in followers:
                self._reader.leave(follower)

        subscription.on_close(leave)
        return LiveEntries(subscription)

    @staticmethod
    def _session_keys(session: str) -> list[str]:
        return [keys.session_key(session), keys.control_key(session), *keys.output_keys(session)]

    # ---- the workers' end

    async def claims(self, stage: Stage, *, consumer: str, capacity: int) -> AsyncIterator[Claim]:
        """See `Chain.claims`."""
        self._run()
        held: set[RedisClaim] = set()
        source = WorkSource(
            self._url,
            WORK_STREAM[stage],
            stage.value,
            consumer,
            every_s=self._heartbeat_s,
            idle_ms=self._take_over_ms,
        )

        def free() -> int:
            held.difference_update([claim for claim in held if claim.given_back])
            return capacity - len(held)

        pause_s = FIRST_PAUSE_S
        try:
            while True:
                await self._freed.wait_for(lambda: free() > 0 or self._closed.is_set())
                if self._closed.is_set():
                    return
                try:
                    for work in await source.fetch(free(), held={claim.item_id for claim in held}):
                        claim = await self._own(stage, consumer, work)
                        if claim is not None:
                            held.add(claim)
                            yield claim
                    pause_s = FIRST_PAUSE_S
                except ChainUnavailable as error:
                    if pause_s == FIRST_PAUSE_S:
                        log.warning("no work: Redis is away", extra={"stage": stage, "reason": str(error)})
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, MAX_PAUSE_S)
        finally:
            await source.close()

    async def _own(self, stage: Stage, consumer: str, work: Work) -> RedisClaim | None:
        """Makes this process the owner of an item that it was delivered; None: there is nothing to do."""
        item = ITEM_OF[stage].FromString(work.payload)
        session, generation = item.trace.session, item.trace.generation
        claim = RedisClaim(
            item=item,
            item_id=work.item_id,
            stage=stage,
            consumer=consumer,
            reader=self._reader,
            execute=self._execute,
        )
        answer = await self._execute(
            scripts.OWN,
            [
                keys.session_key(session),
                WORK_STREAM[stage],
                keys.output_key(session, OUTPUT[stage]),
                keys.control_key(session),
            ],
            [generation, stage.value, claim.token, consumer, work.item_id],
        )
        if answer[0] != b"OK":
            log.debug("item not worth working on", extra={"stage": stage, "reason": answer[0].decode()})
            metrics.count_generation_drop(stage)
            return None
        deliveries, published, played = (int(number) for number in answer[1:4])
        claim.begin(deliveries=deliveries, played=played, control_after=keys.parse_id(answer[4]))
        self._claims.add(claim)
        refused = refused_piece(stage, item, begun=published > 0, deliveries=deliveries)
        if refused is not None:
            await self._refuse(claim, published + 1, refused)
            return None
        if claim.taken_over:
            metrics.count_taken_over(stage)
            log.warning("took over an item of a dead worker", extra={"stage": stage, "session": session})
        return claim

    async def _refuse(self, claim: RedisClaim, seq: int, piece: Piece) -> None:
        """Ends a reply visibly instead of working on it."""
        log.warning("item refused", extra={"stage": claim.stage, "code": piece.error.code})
        try:
            await claim.publish(seq, piece)
        except (StaleGeneration, LostClaim) as ended:
            log.debug("nobody waits for it any more", extra={"reason": ended.code})
        await self.done(claim)

    async def done(self, claim: Claim) -> None:
        """See `Chain.done`."""
        await self._give_back(claim, scripts.DONE)

    async def release(self, claim: Claim) -> None:
        """See `Chain.release`."""
        await self._give_back(claim, scripts.RELEASE)

    async def _give_back(self, claim: Claim, script: str) -> None:
        assert isinstance(claim, RedisClaim)
        self._claims.discard(claim)
        claim.give_back()
        self._freed.notify()
        await self._execute(script, *claim.giving_back(script))

    async def _beat(self) -> None:
        """Says for all owned items that this process is alive."""
        while not self._closed.is_set():
            for claim in list(self._claims):
                try:
                    await claim.beat()
                except ChainUnavailable as error:
                    # Whoever cannot say so cannot know either whether another has taken over.
                    claim.end(error)
            await wait_event(self._closed, self._heartbeat_s)
