"""The gateway's end: jobs are posted, looked at, watched, and cancelled."""

from collections.abc import AsyncGenerator
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict

from parley.chain.connection import BLOCK_MS, Scripts, carrier, connect
from parley.chain.keys import PAYLOAD
from parley.errors import ParleyError, ServiceUnavailable
from parley.jobs import keys, scripts
from parley.jobs.job import Job, UnknownJob

MOST_JOBS: Final = 16
ALIVE_S: Final = 5  # a maker that has not said so for this long is dead


class MakerAbilities(BaseModel):
    """What the makers that run can do. `drawn`: cartoons, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drawn: bool = False


class NameTaken(ParleyError):
    """An avatar of that name is there, or is being made."""

    code = "avatar_exists"


class JobEnded(ParleyError):
    """A job cannot be cancelled any more."""

    code = "job_ended"


class Board(Protocol):
    """Where jobs are posted."""

    async def maker(self) -> MakerAbilities | None:
        """What can be made now; None: nobody is there to make anything.

        Raises:
            ChainUnavailable: Redis does not answer.
        """

    async def post(self, job: Job) -> None:
        """Queues a job.

        Raises:
            NameTaken: An avatar of that name is being made.
            ServiceUnavailable: Too many wait.
            ChainUnavailable: Redis does not answer.
        """

    async def get(self, job_id: str) -> Job:
        """How a job is now.

        Raises:
            UnknownJob: There is none, or no longer.
            ChainUnavailable: Redis does not answer.
        """

    def watch(self, job_id: str) -> AsyncGenerator[Job, None]:
        """How a job is now, and then each change, up to its end. Raises as `get` does, also midway."""

    async def cancel(self, job_id: str) -> Job:
        """Ends a job; what was made of it so far is thrown away.

        Raises:
            UnknownJob: There is none, or no longer.
            JobEnded: It has ended, or all is made and being put into place.
            ChainUnavailable: Redis does not answer.
        """

    async def close(self) -> None:
        """Disconnects."""


class RedisBoard:
    """See `Board`."""

    def __init__(self, redis_url: str) -> None:
        """Prepares; connects when first used.

        Raises:
            ConfigError: `redis_url` is malformed.
        """
        self._url = redis_url
        self._client = connect(redis_url)
        self._execute = Scripts(redis_url, self._client)

    async def close(self) -> None:
        """See `Board.close`."""
        await self._client.aclose()

    async def maker(self) -> MakerAbilities | None:
        """See `Board.maker`."""
        async with carrier(self._url):
            told = await self._client.get(keys.MAKER)
        return None if told is None else MakerAbilities.model_validate_json(told)

    async def post(self, job: Job) -> None:
        """See `Board.post`."""
        answer = await self._execute(
            scripts.POST,
            [keys.name_key(job.avatar), keys.STREAM, keys.job_key(job.id), keys.states_key(job.id)],
            [job.id, job.model_dump_json(), keys.KEEP_S, MOST_JOBS],
        )
        if answer == b"TAKEN":
            raise NameTaken(
                f"An avatar named {job.avatar!r} is being made already.", fix="Choose another name."
            )
        if answer == b"BUSY":
            raise ServiceUnavailable(
                f"{MOST_JOBS} avatars are waiting to be made.", fix="Try again later.", code="maker_busy"
            )

    async def get(self, job_id: str) -> Job:
        """See `Board.get`."""
        return (await self._last(job_id))[1]

    async def watch(self, job_id: str) -> AsyncGenerator[Job, None]:
        """See `Board.watch`."""
        at, job = await self._last(job_id)
        yield job
        client = connect(self._url, blocking=True)
        try:
            while not job.ended:
                async with carrier(self._url, blocking=True):
                    reply: Any = await client.xread({keys.states_key(job_id): at}, block=BLOCK_MS)
                if not reply:
                    await self._last(job_id)  # or it was forgotten meanwhile
                for entry in reply[0][1] if reply else ():
                    at, job = entry[0], Job.model_validate_json(entry[1][PAYLOAD])
                    yield job
        finally:
            await client.aclose()

    async def cancel(self, job_id: str) -> Job:
        """See `Board.cancel`."""
        job = await self.get(job_id)
        answer = await self._execute(
            scripts.CANCEL,
            [keys.name_key(job.avatar), keys.job_key(job_id), keys.states_key(job_id)],
            [job_id, keys.KEEP_S],
        )
        if answer == b"GONE":
            raise UnknownJob(job_id)
        if answer in (b"ENDED", b"LATE"):
            raise JobEnded(
                "The job has ended." if answer == b"ENDED" else "The avatar is made already.",
                fix=f"DELETE /v1/avatars/{job.avatar} deletes what was made.",
            )
        return await self.get(job_id)

    async def _last(self, job_id: str) -> tuple[bytes, Job]:
        async with carrier(self._url):
            found: Any = await self._client.xrevrange(keys.states_key(job_id), count=1)
        if not found:
            raise UnknownJob(job_id)
        at, fields = found[0]
        return at, Job.model_validate_json(fields[PAYLOAD])
