"""A job, as its client sees it."""

import re
import secrets
import time
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from parley.errors import ParleyError

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
# "placing" is the last: from there on a job cannot be cancelled any more.
Step = Literal["waiting", "text", "voice", "face", "placing", "done"]
ID: Final = re.compile(r"job_[0-9a-f]{32}")


class UnknownJob(ParleyError):
    """There is no job of that id, or no longer."""

    code = "unknown_job"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no job {job_id[:40]!r}; an hour after the last news of it a job is forgotten.",
            fix="Look at /v1/avatars: what was made is there.",
        )


class JobError(BaseModel):
    """Why a job failed; see `ParleyError`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    message: str
    fix: str = ""


class Job(BaseModel):
    """The making of one avatar.

    Attributes:
        id: "job_" and 32 hexadecimal digits that nobody can guess.
        status: See `Status`.
        step: What is done now; of a failed job, where it failed.
        progress: 0 … 1.
        avatar: Its name.
        error: Of a failed one.
        created_unix: Seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID)
    status: Status = "queued"
    step: Step = "waiting"
    progress: float = Field(default=0.0, ge=0, le=1)
    avatar: str
    error: JobError | None = None
    created_unix: int

    @classmethod
    def new(cls, avatar: str) -> "Job":
        """A job that waits."""
        return cls(id=f"job_{secrets.token_hex(16)}", avatar=avatar, created_unix=int(time.time()))

    @property
    def ended(self) -> bool:
        """Nothing of it changes any more."""
        return self.status in ("succeeded", "failed", "cancelled")

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {"object": "job", **self.model_dump(mode="json")}
