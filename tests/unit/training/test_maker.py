"""A maker makes all of an avatar or nothing, whatever happens to it or to what it was sent."""

import asyncio
import io
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from parley.aio import Signal
from parley.consent import Consent
from parley.errors import ChainUnavailable, LostClaim, ParleyError, StaleGeneration
from parley.jobs.job import Job
from parley.jobs.spool import PHOTO, TEXT, Spool, Wanted
from training.maker import making
from training.maker.making import MARK, Making

CONSENT = Consent(
    person="Ada Example",
    granted=date(2026, 1, 1),
    purposes=("face", "text"),
    statement="I agree that an avatar of my face is made.",
    evidence="letter",
)
# Stands in for `training.maker.work`: makes an avatar of the sent text, as fast as the text says.
WORK = """
import json, pathlib, sys, time
text = pathlib.Path("text").read_text()
folder = pathlib.Path(sys.argv[1]) / "ada"
folder.mkdir()
print(json.dumps({"step": "face", "progress": 0.5}), flush=True)
if text == "slow": time.sleep(60)
if text == "crash": sys.exit(9)
if text == "blank":
    print(json.dumps({"code": "no_face", "message": "No face is seen.", "fix": "Use another photo."}))
    sys.exit(3)
(folder / "avatar.yaml").write_text(text)
"""


class FakeClaim:
    """A claim whose end a test decides."""

    def __init__(self, job: Job, *, deliveries: int = 1) -> None:
        self.job = job
        self.deliveries = deliveries
        self.token = "0123456789abcdef"
        self.ended = asyncio.Event()
        self.told: list[Job] = []
        self.given_back = ""
        self._error: ParleyError | None = None
        self._changed = Signal()

    async def publish(self, **changes: Any) -> None:
        self.check()
        self.job = Job.model_validate({**self.job.model_dump(), **changes})
        self.told.append(self.job)
        self._changed.notify()

    async def until(self, step: str) -> None:
        async with asyncio.timeout(10):
            await self._changed.wait_for(lambda: self.job.step == step)

    def end(self, error: ParleyError) -> None:
        self._error = error
        self.ended.set()

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    async def beat(self) -> None:
        self.check()

    async def done(self) -> None:
        self.given_back = "done"

    async def release(self) -> None:
        self.given_back = "released"


class Place:
    """Folders of one test."""

    def __init__(self, root: Path) -> None:
        self.avatars = root / "avatars"
        self.avatars.mkdir()
        self.spool = Spool(root / "spool")
        self.making = Making(self.avatars, self.spool, command=(sys.executable, "-c", WORK))

    def claim(self, text: str, **options: Any) -> FakeClaim:
        job = Job.new("ada")
        wanted = Wanted(name="ada", consent=CONSENT)
        self.spool.put(job.id, wanted, {PHOTO: io.BytesIO(b"x"), TEXT: io.BytesIO(text.encode())})
        return FakeClaim(job, **options)

    async def handle(self, claim: FakeClaim, stop: asyncio.Event | None = None) -> None:
        await self.making.handle(claim, stop or asyncio.Event())  # type: ignore[arg-type]

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.avatars.iterdir())

    def sent(self, claim: FakeClaim) -> bool:
        return self.spool.folder(claim.job.id).exists()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_an_avatar_is_put_into_place_and_what_was_sent_is_deleted(place: Place) -> None:
    claim = place.claim("quick")
    await place.handle(claim)
    steps = [(job.status, job.step, job.progress) for job in claim.told]
    assert steps == [
        ("running", "text", 0.0),
        ("running", "face", 0.5),
        ("running", "placing", 0.95),
        ("succeeded", "done", 1.0),
    ]
    assert place.left == ["ada"]
    assert [path.name for path in (place.avatars / "ada").iterdir()] == ["avatar.yaml"]
    assert claim.given_back == "done" and not place.sent(claim)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [("blank", "no_face", "No face is seen."), ("crash", "internal_error", "status 9")],
)
async def test_a_failure_is_told_and_leaves_nothing(place: Place, text: str, code: str, words: str) -> None:
    claim = place.claim(text)
    await place.handle(claim)
    assert (claim.job.status, claim.job.step) == ("failed", "face")
    assert claim.job.error is not None and claim.job.error.code == code and words in claim.job.error.message
    assert claim.job.error.fix
    assert place.left == [] and not place.sent(claim) and claim.given_back == "done"


@pytest.mark.parametrize(
    ("error", "given_back", "sent"),
    [(StaleGeneration("cancelled"), "done", False), (LostClaim("another has it"), "", True)],
)
async def test_a_job_that_is_cancelled_or_lost_stops_at_once(place: Place, error, given_back, sent) -> None:
    claim = place.claim("slow")
    task = asyncio.create_task(place.handle(claim))
    await claim.until("face")
    began = time.monotonic()
    claim.end(error)
    await asyncio.wait_for(task, 5)
    assert time.monotonic() - began < 2, "the process was killed"
    assert place.left == []
    assert (claim.given_back, place.sent(claim)) == (given_back, sent)
    assert claim.job.status == "running"


async def test_a_job_is_not_gone_on_with_while_redis_is_away(place: Place) -> None:
    claim = place.claim("slow")
    task = asyncio.create_task(place.handle(claim))
    await claim.until("face")
    claim.end(ChainUnavailable("Redis does not answer."))
    with pytest.raises(ChainUnavailable):
        await asyncio.wait_for(task, 5)
    assert place.left == [] and place.sent(claim), "whoever takes it over can make it"
    assert (claim.given_back, claim.job.status) == ("", "running")


async def test_a_maker_that_stops_leaves_the_job_to_another(place: Place) -> None:
    claim, stop = place.claim("slow"), asyncio.Event()
    task = asyncio.create_task(place.handle(claim, stop))
    await claim.until("face")
    stop.set()
    await asyncio.wait_for(task, 5)
    assert (claim.given_back, claim.job.status, place.sent(claim)) == ("released", "running", True)
    assert place.left == []


async def test_what_takes_too_long_fails(place: Place) -> None:
    hurried = Making(place.avatars, place.spool, command=(sys.executable, "-c", WORK), longest_s=0.5)
    claim = place.claim("slow")
    await hurried.handle(claim, asyncio.Event())  # type: ignore[arg-type]
    assert claim.job.error is not None and claim.job.error.code == "job_too_costly"
    assert place.left == [] and not place.sent(claim)


async def test_an_avatar_that_came_meanwhile_is_not_written_over(place: Place) -> None:
    (place.avatars / "ada").mkdir()
    (place.avatars / "ada" / "avatar.yaml").write_text("another")
    claim = place.claim("quick")
    await place.handle(claim)
    assert claim.job.error is not None and claim.job.error.code == "avatar_exists"
    assert (place.avatars / "ada" / "avatar.yaml").read_text() == "another"
    assert place.left == ["ada"]


async def test_a_job_whose_maker_died_is_made_again_from_its_start(place: Place) -> None:
    claim = place.claim("quick", deliveries=2)
    half = place.avatars / f"{making.ASIDE}{claim.job.id}-ffffffff" / "ada"
    half.mkdir(parents=True)
    await place.handle(claim)
    assert claim.job.status == "succeeded"
    assert place.left == ["ada"]


async def test_a_maker_that_died_after_the_rename_made_the_avatar(place: Place) -> None:
    claim = place.claim("crash", deliveries=2)  # making it again would fail
    (place.avatars / "ada").mkdir()
    (place.avatars / "ada" / MARK).write_text(claim.job.id)
    await place.handle(claim)
    assert [job.status for job in claim.told] == ["succeeded"]
    assert not (place.avatars / "ada" / MARK).exists() and not place.sent(claim)


async def test_a_maker_that_died_after_the_last_word_is_only_tidied_up_after(place: Place) -> None:
    claim = place.claim("quick", deliveries=2)
    claim.job = claim.job.model_copy(update={"status": "failed"})
    await place.handle(claim)
    assert claim.told == [] and claim.given_back == "done" and not place.sent(claim)


async def test_a_job_that_kills_makers_is_given_up(place: Place) -> None:
    claim = place.claim("quick", deliveries=making.MOST_MAKERS + 1)
    await place.handle(claim)
    assert claim.job.error is not None and claim.job.error.code == "job_too_costly"
    assert place.left == []


async def test_uploads_that_are_gone_are_said_to_be(place: Place) -> None:
    claim = place.claim("quick")
    place.spool.remove(claim.job.id)
    await place.handle(claim)
    assert claim.job.error is not None and claim.job.error.code == "upload_gone"


def test_what_dead_makers_left_is_swept_but_not_what_is_being_made(place: Place) -> None:
    running, dead = place.claim("quick").job.id, Job.new("bob").id
    for name in (
        f"{making.ASIDE}{running}-00000000",
        f"{making.ASIDE}{dead}-00000000",
        ".gone-x",
        ".job-mine",
    ):
        (place.avatars / name).mkdir()
    place.making.sweep()
    assert place.left == [f"{making.ASIDE}{running}-00000000", ".job-mine"]
