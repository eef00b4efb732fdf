"""What people send to be made into an avatar, until it is: files in a folder that only this user can read.

The gateway writes them, the maker reads them, and whoever ends the job removes them. Both sweep what is left.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import BaseModel, ConfigDict

from parley.consent import Consent
from parley.errors import ConfigError
from parley.jobs.job import ID, UnknownJob

PHOTO: Final = "photo"
SPEECH: Final = "speech"
TEXT: Final = "text"
WANTED: Final = "wanted.json"


class Wanted(BaseModel):
    """What is to be made. `speech`: whether there is a clip of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str = ""
    drawn: bool = False
    speech: bool = False
    consent: Consent


class Spool:
    """A folder with a folder for each job. Everything here blocks."""

    def __init__(self, folder: Path) -> None:
        self._root = folder

    def put(self, job_id: str, wanted: Wanted, files: Mapping[str, BinaryIO]) -> None:
        """Writes a job's files; `files` by their names here: `PHOTO`, `TEXT`, `SPEECH`.

        Raises:
            ConfigError: The spool is not this user's alone, or cannot be written.
        """
        try:
            self._check()
            folder = self.folder(job_id)
            folder.mkdir(mode=0o700)
            for name, source in files.items():
                source.seek(0)
                with (folder / name).open("xb") as sink:
                    shutil.copyfileobj(source, sink)
            (folder / WANTED).write_text(wanted.model_dump_json(), encoding="utf-8")  # last
        except OSError as error:
            self.remove(job_id)
            raise ConfigError(
                f"What was sent cannot be kept in {self._root}: {error.strerror}.",
                fix="Make room there, or set PARLEY_SPOOL_DIR to another folder.",
            ) from error

    def wanted(self, job_id: str) -> Wanted:
        """What a job is to make.

        Raises:
            UnknownJob: Its files are not here.
        """
        try:
            return Wanted.model_validate_json((self.folder(job_id) / WANTED).read_bytes())
        except FileNotFoundError as error:
            raise UnknownJob(job_id) from error

    def folder(self, job_id: str) -> Path:
        """Where a job's files lie.

        Raises:
            UnknownJob: That is no job's id.
        """
        if not ID.fullmatch(job_id):
            raise UnknownJob(job_id)
        return self._root / job_id

    def remove(self, job_id: str) -> None:
        """Deletes a job's files, if there are any."""
        shutil.rmtree(self.folder(job_id), ignore_errors=True)

    def sweep(self, older_s: float) -> int:
        """Deletes the files of jobs that nobody ended; returns how many jobs that were.

        Args:
            older_s: Only those that were sent longer ago.
        """
        if not self._root.is_dir():
            return 0
        before = time.time() - older_s
        left = [path for path in self._root.iterdir() if ID.fullmatch(path.name) and _age(path) < before]
        for path in left:
            self.remove(path.name)
        return len(left)

    def _check(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = self._root.stat()
        if about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise ConfigError(
                f"Others than this user can open {self._root}, where people's pictures and voices would lie.",
                fix=f"Run `chmod 700 {self._root}`, or set PARLEY_SPOOL_DIR to another folder.",
            )


def _age(path: Path) -> float:
    """When it was changed, unix seconds; never, if it is gone by now."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
