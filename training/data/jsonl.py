"""Append-only JSON lines: the one file format under every ledger of the training tree.

A line is whole or it does not exist: a writer that dies in the middle of a line leaves a tail without a
newline, which readers skip and the next writer cuts off. Writers hold an exclusive `flock` (freed by the
kernel when a process dies), so a file never has two of them at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from parley.errors import ParleyError

Record = dict[str, Any]

_CHUNK = 1 << 20


class Busy(ParleyError):
    """Another process writes this file."""


def read(path: Path, offset: int = 0) -> Iterator[tuple[Record, int]]:
    """Yields every whole line from byte `offset` on, each with the byte offset after it.

    A missing file is an empty one: stages read ledgers that may not have begun yet.

    Raises:
        ValueError: a whole line is not JSON, so that the file was edited or the disk is damaged.
    """
    if not path.exists():
        return
    with path.open("rb", buffering=_CHUNK) as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                yield orjson.loads(line), offset
            except orjson.JSONDecodeError as error:
                raise ValueError(f"{path}: damaged line before byte {offset}: {error}") from error


class Appender:
    """Holds a file's write lock and appends lines to it; a context manager.

    Args:
        path: created if missing, with its folder.
        wait: wait for another writer instead of raising `Busy`.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            os.close(self._fd)
            raise Busy(
                f"{path} is being written by another process.",
                fix="Wait for it, or give each process a shard of its own (--shard i/n).",
            ) from error
        self._end = self._whole_end()
        os.ftruncate(self._fd, self._end)

    def append(self, records: Iterable[Record], *, sync: bool = True) -> int:
        """Writes the records as lines, all of them or none.

        Args:
            records: JSON objects.
            sync: force them onto the disk before returning (survives loss of power, not only of the process).

        Returns:
            The file's size after them, in bytes.

        Raises:
            OSError: the disk is full or gone; the file is as it was before the call.
        """
        data = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], self._end + written)
            if sync:
                os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end += len(data)
        return self._end

    def sync(self) -> None:
        """Forces what was appended onto the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Releases the lock."""
        os.close(self._fd)

    def __enter__(self) -> Appender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _whole_end(self) -> int:
        """The byte after the last newline: what a killed writer left behind it is cut off."""
        end = os.fstat(self._fd).st_size
        while end > 0:
            start = max(0, end - _CHUNK)
            cut = os.pread(self._fd, end - start, start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
        return 0
