"""Where a stage puts what it makes: blobs that exist whole or not at all, and errors that name the cause."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley.errors import ParleyError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class Rejected(ParleyError):
    """The material is unfit, by the stage's rules. `reason` is short and countable; `detail` has figures."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class StorageStopped(ParleyError):
    """The corpus folder cannot be written: the whole run stops, since every item would fail alike."""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Turns a full, read-only or broken disk into `StorageStopped`; other errors pass.

    Raises:
        StorageStopped: the disk below `folder` cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_ERRORS or (error.errno == errno.EACCES and not os.access(folder, os.W_OK)):
            raise StorageStopped(
                f"{folder} cannot be written: {error.strerror}.",
                fix="Free space or mount it writable, then run the same command again: it goes on here.",
            ) from error
        raise


def check_space(folder: Path, need_mb: int) -> None:
    """Refuses to begin what would end with a full disk.

    Raises:
        StorageStopped: less than `need_mb` is free, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageStopped(
            f"{folder} cannot be made: {error.strerror}.", fix="Choose another `corpus` folder."
        ) from error
    if not os.access(folder, os.W_OK):
        raise StorageStopped(f"{folder} is not writable.", fix="Change its owner or choose another.")
    free_mb = shutil.disk_usage(folder).free >> 20
    if free_mb < need_mb:
        raise StorageStopped(
            f"{folder} has {free_mb} MB free; {need_mb} MB are kept in reserve (`reserve_mb`).",
            fix="Free space, then run the same command again: it goes on where it stopped.",
        )


@dataclass
class NewBlob:
    """A blob being written.

    Attributes:
        aside: write here.
        name: path relative to the corpus; what rows refer to. Valid once the `with` block has ended.
    """

    aside: Path
    name: str


class Workspace:
    """The corpus folder as one item of one stage sees it.

    Args:
        root: the corpus.
        key: the item's key; blobs are named by it, so doing an item again replaces its blobs.
    """

    def __init__(self, root: Path, key: str) -> None:
        self.root, self.key = root, key

    def path(self, name: str) -> Path:
        """Where a blob, or a file outside the corpus, lies. `name` is as rows have it."""
        return self.root / name

    @contextmanager
    def blob(self, suffix: str) -> Iterator[NewBlob]:
        """Writes a blob aside, then syncs and renames it; nothing is left if the block fails.

        Args:
            suffix: end of the name, e.g. `.wav`; one item may write several blobs of different suffixes.

        Raises:
            StorageStopped: the disk is full or cannot be written.
        """
        name = f"blobs/{self.key[:2]}/{self.key}{suffix}"
        target = self.root / name
        aside = self.root / "blobs" / "aside" / f"{self.key}{suffix}"
        with guarded(self.root):
            aside.parent.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield NewBlob(aside, name)
                with aside.open("rb") as file:
                    os.fsync(file.fileno())
                os.replace(aside, target)
            finally:
                aside.unlink(missing_ok=True)
