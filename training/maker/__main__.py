"""Makes the avatars that people ask the gateway for: `python -m training.maker`, as many as are needed.

It takes jobs from Redis, one at a time, and says there that it is alive; without that the gateway takes no
jobs. Needs the `data` extra, and for cartoons the `train` extra.
"""

import asyncio
import logging
import os
import socket
import sys

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from parley.aio import wait_event
from parley.cli.extras import missing
from parley.errors import ChainUnavailable, EngineUnavailable, ParleyError
from parley.handover import notify_ready
from parley.jobs.board import MakerAbilities
from parley.jobs.claim import TAKE_OVER_S, Jobs
from parley.jobs.spool import Spool
from parley.service import stop_on_signals
from parley.settings import Settings
from parley.telemetry import logs
from training.maker.making import Making

log = logging.getLogger("maker")

ALIVE_EVERY_S = 1.0
SWEEP_S = 60.0
PAUSE_S = 1.0


class MakerSettings(Settings):
    """What the maker needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_MAKER_", extra="forbid", frozen=True, populate_by_name=True
    )

    take_over_s: float = Field(
        TAKE_OVER_S, description="A job whose maker was silent for so long is taken over.", gt=2
    )
    drain_s: float = Field(10.0, description="Seconds that a job may take to end after SIGTERM.", ge=0)


async def run(settings: MakerSettings, making: Making, *, abilities: MakerAbilities) -> None:
    """Makes avatars until SIGTERM or SIGINT; what is not made by then is another maker's."""
    jobs = Jobs(settings.redis_url, f"{socket.gethostname()}-{os.getpid()}", take_over_s=settings.take_over_s)
    try:
        with stop_on_signals() as stop:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(_announce(jobs, abilities)),
                    tasks.create_task(_sweep(making)),
                ]
                await _work(jobs, making, stop, settings.drain_s)
                for task in beside:
                    task.cancel()
    finally:
        await jobs.close()


async def _work(jobs: Jobs, making: Making, stop: asyncio.Event, drain_s: float) -> None:
    while not stop.is_set():
        try:
            claim = await jobs.take()
            if claim is None:
                continue
            with logs.bind(job=claim.job.id):
                late = asyncio.Event()
                hurrying = asyncio.create_task(_hurry(stop, late, drain_s))
                try:
                    await making.handle(claim, late)
                finally:
                    hurrying.cancel()
        except ChainUnavailable as error:
            log.warning("The maker waits for Redis.", extra={"reason": str(error)})
            await wait_event(stop, PAUSE_S)


async def _hurry(stop: asyncio.Event, late: asyncio.Event, drain_s: float) -> None:
    await stop.wait()
    await asyncio.sleep(drain_s)
    late.set()


async def _announce(jobs: Jobs, abilities: MakerAbilities) -> None:
    told = False
    while True:
        try:
            await jobs.announce(abilities)
            if not told:
                log.info("The maker is ready.", extra={"drawn": abilities.drawn})
                notify_ready()
            told = True
        except ChainUnavailable:
            told = False
        await asyncio.sleep(ALIVE_EVERY_S)


async def _sweep(making: Making) -> None:
    while True:
        try:
            await asyncio.to_thread(making.sweep)
        except OSError as error:
            log.warning("What was left cannot be deleted.", extra={"reason": str(error)})
        await asyncio.sleep(SWEEP_S)


def main() -> int:
    """Reads the environment and works; 1 if something is missing."""
    try:
        settings = MakerSettings()
    except ValidationError as error:
        print(f"maker: {error}", file=sys.stderr)
        return 1
    logs.setup("maker", settings.log_level)
    try:
        if package := missing("data"):
            raise EngineUnavailable(
                f"The maker needs the package {package}.", fix="Run `scripts/setup python data`."
            )
        making = Making(settings.avatars_dir, Spool(settings.spool_dir))
        abilities = MakerAbilities(drawn=not missing("train"))
        asyncio.run(run(settings, making, abilities=abilities))
    except ParleyError as error:
        log.error("The maker cannot run.", extra={"code": error.code, "reason": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
