"""One job from its claim to its end.

A process of its own makes the avatar, aside, so that a crash costs the job and not the maker, and a job that
is cancelled stops at once. The maker moves what was made into place, by one rename: before it there is no
avatar, after it there is all of it. Each claim makes aside in a folder of its own, so that two makers of whom
one is taken for dead do not meet.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Final

from parley.avatars import finish_removals
from parley.errors import BadRequest, ChainUnavailable, ConfigError, LostClaim, ParleyError, StaleGeneration
from parley.intake.limits import REFUSED
from parley.jobs.board import NameTaken
from parley.jobs.claim import BEAT_S, JobClaim
from parley.jobs.job import ID, Job, JobError
from parley.jobs.keys import KEEP_S
from parley.jobs.spool import Spool
from parley.processes import die_with_parent
from parley.settings import REPOSITORY

log = logging.getLogger(__name__)

LONGEST_S: Final = 300.0
MOST_MAKERS: Final = 3  # that may die of one job
ASIDE: Final = ".job-"
MARK: Final = ".made-by"  # which job put an avatar there, until its end is told
COMMAND: Final = (sys.executable, "-m", "training.maker.work")


class GivenUp(Exception):
    """The maker stops: the job is another's to do."""


class Making:
    """Makes avatars in a folder.

    Args:
        avatars_dir: The folder.
        spool: Where what people sent lies.
        command: Makes one; it is given a folder.
        longest_s: More seconds than this no job takes.
    """

    def __init__(
        self,
        avatars_dir: Path,
        spool: Spool,
        *,
        command: tuple[str, ...] = COMMAND,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._avatars, self._spool = avatars_dir.resolve(), spool
        self._command, self._longest_s = command, longest_s

    def sweep(self) -> None:
        """Deletes what makers that died, and people who asked in vain, have left."""
        self._spool.sweep(KEEP_S)
        finish_removals(self._avatars)
        for aside in self._avatars.glob(f"{ASIDE}*"):
            job_id = aside.name.removeprefix(ASIDE).rpartition("-")[0]
            if ID.fullmatch(job_id) and not self._spool.folder(job_id).exists():
                shutil.rmtree(aside, ignore_errors=True)

    async def handle(self, claim: JobClaim, stop: asyncio.Event) -> None:
        """Works off a claim; its job has ended then, or is another maker's.

        Args:
            claim: The job.
            stop: Set: the job is given up, for another maker.
        """
        beating = asyncio.create_task(_beat(claim))
        aside = self._avatars / f"{ASIDE}{claim.job.id}-{claim.token[:8]}"
        try:
            await self._end(claim, aside, stop)
            await claim.done()
            await asyncio.to_thread(self._spool.remove, claim.job.id)
            (self._avatars / claim.job.avatar / MARK).unlink(missing_ok=True)
        except StaleGeneration:
            log.info("A job was cancelled.")
            await claim.done()
            await asyncio.to_thread(self._spool.remove, claim.job.id)
        except LostClaim as error:
            log.warning("A job was lost.", extra={"reason": str(error)})
        except GivenUp:
            log.info("A job is left to another maker.")
            await claim.release()
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)

    async def _end(self, claim: JobClaim, aside: Path, stop: asyncio.Event) -> None:
        """Makes the avatar and tells that it is there, or why not."""
        job = claim.job
        if job.ended:  # its maker died after it had told so
            return
        if self._placed(job):  # … or before
            await claim.publish(status="succeeded", step="done", progress=1.0)
            return
        try:
            if claim.deliveries > MOST_MAKERS:
                raise BadRequest(f"{MOST_MAKERS} makers died of this job.", code="job_too_costly")
            await claim.publish(status="running", step="text", progress=0.0)
            await asyncio.to_thread(_clear, self._avatars, job.id)
            await self._make(claim, aside, stop)
            await claim.publish(step="placing", progress=0.95)
            _place(aside / job.avatar, self._avatars / job.avatar, job)
        except (StaleGeneration, LostClaim, ChainUnavailable):
            raise
        except ParleyError as error:
            log.info("A job failed.", extra={"code": error.code})
            await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)
            told = JobError(code=error.code, message=error.message, fix=error.fix)
            await claim.publish(status="failed", error=told)
            return
        await claim.publish(status="succeeded", step="done", progress=1.0)
        log.info("An avatar was made.", extra={"avatar": job.avatar})

    def _placed(self, job: Job) -> bool:
        try:
            return (self._avatars / job.avatar / MARK).read_text(encoding="utf-8") == job.id
        except (FileNotFoundError, NotADirectoryError):
            return False

    async def _make(self, claim: JobClaim, aside: Path, stop: asyncio.Event) -> None:
        """Runs the process that makes the avatar.

        Raises:
            ParleyError: What it was told is wrong, or it crashed, or takes too long.
            GivenUp: The maker stops.
        """
        folder = self._spool.folder(claim.job.id)
        await asyncio.to_thread(_prepare, folder, aside)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(aside),
            cwd=folder,
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        following = asyncio.create_task(_follow(process, claim))
        waiting = [asyncio.create_task(event.wait()) for event in (claim.ended, stop)]
        try:
            await asyncio.wait(
                [following, *waiting], timeout=self._longest_s, return_when=asyncio.FIRST_COMPLETED
            )
            if following.done():
                await following
                return
        finally:
            for task in (following, *waiting):
                task.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await asyncio.gather(following, *waiting, return_exceptions=True)
        claim.check()
        if stop.is_set():
            raise GivenUp
        raise BadRequest(
            f"It took longer than {self._longest_s:.0f} s.",
            fix="Send a smaller photo and a shorter text, or try again later.",
            code="job_too_costly",
        )


async def _follow(process: asyncio.subprocess.Process, claim: JobClaim) -> None:
    """Tells the steps of the process.

    Raises:
        ParleyError: How it ended, if not well.
    """
    assert process.stdout is not None
    last: dict[str, str] = {}
    async for line in process.stdout:
        last = json.loads(line)
        if "step" in last:
            await claim.publish(**last)
    code = await process.wait()
    if code == REFUSED and "code" in last:
        raise ParleyError(last["message"], fix=last["fix"], code=last["code"])
    if code != 0:
        raise ParleyError(
            f"Making the avatar failed unexpectedly (status {code}).", fix="The maker's log has the details."
        )


def _place(made: Path, folder: Path, job: Job) -> None:
    """Puts a whole avatar where avatars are.

    Raises:
        NameTaken: There is one of that name by now.
    """
    (made / MARK).write_text(job.id, encoding="utf-8")
    try:
        made.rename(folder)
    except OSError as error:
        if folder.exists():
            raise NameTaken(
                f"There is an avatar {job.avatar!r} already.", fix="Choose another name."
            ) from error
        raise _unwritable(error) from error


def _prepare(folder: Path, aside: Path) -> None:
    """Makes the folder to make an avatar in.

    Raises:
        ParleyError: What was sent is gone, or the folder cannot be made.
    """
    if not folder.is_dir():
        raise BadRequest("What was sent is gone.", fix="Send it again.", code="upload_gone")
    try:
        aside.mkdir(mode=0o700)
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> ConfigError:
    return ConfigError(
        f"The avatar cannot be put into place: {error.strerror}.",
        fix="Make the folder of avatars writable for the maker.",
    )


def _clear(avatars: Path, job_id: str) -> None:
    """Deletes what makers that died have made of the job."""
    for aside in avatars.glob(f"{ASIDE}{job_id}-*"):
        shutil.rmtree(aside, ignore_errors=True)


async def _beat(claim: JobClaim) -> None:
    """Says that the maker is alive, until the claim has ended."""
    with contextlib.suppress(ParleyError):  # the claim knows
        while True:
            await asyncio.sleep(BEAT_S)
            await claim.beat()


def _environment() -> dict[str, str]:
    """The process works in another folder and must find the same code."""
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
