"""The maker's end: jobs are claimed, told of, and ended; of a maker that dies, another takes them over."""

import asyncio
import uuid
from typing import Any, Final

from parley.chain import scripts as chain_scripts
from parley.chain.connection import Scripts, carrier, connect
from parley.chain.keys import PAYLOAD
from parley.chain.work import Work, WorkSource
from parley.errors import ChainUnavailable, LostClaim, ParleyError, StaleGeneration
from parley.jobs import keys, scripts
from parley.jobs.board import ALIVE_S, MakerAbilities
from parley.jobs.job import ID, Job

BEAT_S: Final = 1.0
TAKE_OVER_S: Final = 5.0
_GENERATION: Final = 1  # of a job that was not cancelled


class JobClaim:
    """A job that this maker owns for now.

    Attributes:
        job: As it was last told.
        deliveries: How many makers had it, this one included.
        token: Of this claim alone.
        ended: Set once it was cancelled, or lost to another maker: stop.
    """

    def __init__(self, execute: Scripts, job: Job, work: Work, consumer: str, token: str) -> None:
        self.job = job
        self.deliveries = 1
        self.token = token
        self.ended = asyncio.Event()
        self.seq = 0
        self._execute, self._work, self._consumer = execute, work, consumer
        self._error: ParleyError | None = None

    async def publish(self, **changes: object) -> None:
        """Tells how the job is now: fields of `Job`.

        Raises:
            StaleGeneration: It was cancelled.
            LostClaim: Another maker owns it.
            ChainUnavailable: Redis does not answer.
        """
        job = Job.model_validate({**self.job.model_dump(), **changes})
        self.seq += 1
        answer = await self._execute(
            chain_scripts.PUBLISH,
            [keys.job_key(job.id), keys.states_key(job.id)],
            [*self._identity(), self.seq, job.model_dump_json(), keys.KEEP_S, keys.STATES_MAXLEN],
        )
        self._heed(answer)
        self.job = job

    async def beat(self) -> None:
        """Says that the maker is alive.

        Raises:
            StaleGeneration: It was cancelled.
            LostClaim: Another maker owns it.
            ChainUnavailable: Redis does not answer, so nobody can know who owns it.
        """
        try:
            answer = await self._execute(
                chain_scripts.BEAT, self._keys(), [*self._identity(), self._consumer, self._work.item_id]
            )
        except ChainUnavailable as error:
            self._error = error
            self.ended.set()
            raise
        self._heed(answer[0])

    async def done(self) -> None:
        """The job has ended; its name is free again, if nothing has it."""
        await self._execute(chain_scripts.DONE, self._keys(), [*self._identity(), self._work.item_id])
        await self._execute(scripts.FREE, [keys.name_key(self.job.avatar)], [self.job.id])

    async def release(self) -> None:
        """Gives it up undone: another maker takes it over at once."""
        await self._execute(
            chain_scripts.RELEASE, self._keys(), [*self._identity(), self._consumer, self._work.item_id]
        )

    def check(self) -> None:
        """Raises what has ended the claim, if anything has."""
        if self._error is not None:
            raise self._error

    def _identity(self) -> list[str | int]:
        return [_GENERATION, keys.GROUP, self.token]

    def _keys(self) -> list[str]:
        return [keys.job_key(self.job.id), keys.STREAM]

    def _heed(self, answer: bytes) -> None:
        if answer == b"STALE":
            self._error = StaleGeneration("The job was cancelled.")
        elif answer == b"LOST":
            self._error = LostClaim("Another maker has taken the job over.")
        if self._error is not None:
            self.ended.set()
            raise self._error


class Jobs:
    """Jobs for one maker, one at a time: new ones, and those of makers that died."""

    def __init__(self, redis_url: str, consumer: str, *, take_over_s: float = TAKE_OVER_S) -> None:
        """Prepares; connects when first used.

        Args:
            redis_url: Where Redis is.
            consumer: Name of this maker; no two living ones may share it.
            take_over_s: A job whose maker was silent for so long is taken over.

        Raises:
            ConfigError: `redis_url` is malformed.
        """
        self._url, self._consumer = redis_url, consumer
        self._client = connect(redis_url)
        self._execute = Scripts(redis_url, self._client)
        self._source = WorkSource(
            redis_url, keys.STREAM, keys.GROUP, consumer, every_s=BEAT_S, idle_ms=round(take_over_s * 1000)
        )

    async def announce(self, abilities: MakerAbilities) -> None:
        """Says that a maker is alive, for `ALIVE_S` seconds.

        Raises:
            ChainUnavailable: Redis does not answer.
        """
        async with carrier(self._url):
            await self._client.set(keys.MAKER, abilities.model_dump_json(), ex=ALIVE_S)

    async def take(self) -> JobClaim | None:
        """Waits a moment for a job; None: there is none yet.

        Raises:
            ChainUnavailable: Redis does not answer.
        """
        for work in await self._source.fetch(1, held=set()):
            return await self._own(work)
        return None

    async def _own(self, work: Work) -> JobClaim | None:
        """Makes this maker the owner of a job that it was delivered; None: it was cancelled or forgotten."""
        job_id, token = work.payload.decode(), uuid.uuid4().hex
        assert ID.fullmatch(job_id)
        states = keys.states_key(job_id)
        answer = await self._execute(
            chain_scripts.OWN,
            [keys.job_key(job_id), keys.STREAM, states, keys.control_key(job_id)],
            [_GENERATION, keys.GROUP, token, self._consumer, work.item_id],
        )
        if answer[0] != b"OK":
            return None
        async with carrier(self._url):
            found: Any = await self._client.xrevrange(states, count=1)
        if not found:
            return None
        claim = JobClaim(
            self._execute, Job.model_validate_json(found[0][1][PAYLOAD]), work, self._consumer, token
        )
        claim.deliveries, claim.seq = int(answer[1]), int(answer[2])
        return claim

    async def close(self) -> None:
        """Disconnects."""
        await self._source.close()
        await self._client.aclose()
