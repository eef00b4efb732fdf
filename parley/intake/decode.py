"""Decoding files from strangers. Everything here blocks: call it in a thread."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from typing import IO, BinaryIO, Final

import numpy as np

from parley.engines import Picture
from parley.errors import MediaError
from parley.intake.limits import PICTURE_BYTES, PICTURE_PIXELS, REFUSED
from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ

TIMEOUT_S: Final = 120.0  # of the wall; the process has 20 s of its core

_PICTURES: Final = ((b"\x89PNG\r\n\x1a\n", 0), (b"\xff\xd8\xff", 0), (b"WEBP", 8))


def decode_audio(file: BinaryIO, *, max_s: float) -> bytes:
    """Decodes the first audio track of a recording, or of a video, to s16le mono 24 kHz.

    Raises:
        MediaError: `code` says which: "media_error": no audio, or not readable; "media_too_long": more than
            `max_s`; "media_too_large": needs too much memory; "media_too_costly": takes too long.
    """
    # The process counts, too; the second more is for what a codec hands out at once.
    return _run("audio", max_s, file, most_bytes=int((max_s + 1) * SAMPLE_RATE_HZ) * BYTES_PER_SAMPLE)


def decode_picture(data: bytes) -> Picture:
    """Decodes a PNG, JPEG or WebP picture to RGB uint8 [height, width, 3], upright.

    Raises:
        MediaError: `code` says which: "media_wrong_type": another type; "media_error": broken;
            "media_too_large": too many bytes, pixels, or too much memory; "media_too_costly": takes too long.
    """
    if len(data) > PICTURE_BYTES:
        raise MediaError(
            f"The picture has {len(data)} bytes, at most {PICTURE_BYTES} are taken.", code="media_too_large"
        )
    if not any(data[at : at + len(magic)] == magic for magic, at in _PICTURES):
        raise MediaError(
            "This is no picture that is taken.", fix="Send PNG, JPEG or WebP.", code="media_wrong_type"
        )
    out = _run("picture", PICTURE_PIXELS, io.BytesIO(data), most_bytes=3 * PICTURE_PIXELS + 8)
    height, width = (int(n) for n in np.frombuffer(out, "<u4", 2))
    return np.frombuffer(out, np.uint8, offset=8).reshape(height, width, 3).copy()


def _run(kind: str, limit: float, file: BinaryIO, *, most_bytes: int) -> bytes:
    """What the decoding process makes of `file`: at most `most_bytes`, within `TIMEOUT_S`."""
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "parley.intake", kind, str(limit)]
    with ExitStack() as opened:
        source, told = _on_disk(file, opened), opened.enter_context(tempfile.TemporaryFile())
        with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=told, env=env) as process:
            assert process.stdout is not None
            late = threading.Timer(TIMEOUT_S, process.kill)
            late.start()
            try:
                out = process.stdout.read(most_bytes + 1)
                if len(out) > most_bytes:
                    process.kill()
                process.wait()
            finally:
                late.cancel()
                process.kill()
        if process.returncode != 0:
            told.seek(0)
            raise _error(process.returncode, told.read(65_536))
    return out


def _on_disk(file: BinaryIO, opened: ExitStack) -> IO[bytes]:
    """The file where a process can read it, from its start."""
    file.seek(0)
    try:
        file.fileno()  # an upload that was kept in memory so far goes to disk now
    except io.UnsupportedOperation:
        copy = opened.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(file, copy)
        copy.flush()
        file = copy
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return file


def _error(status: int, told: bytes) -> MediaError:
    """What went wrong, by the process's exit status (negative: a signal) and its last words."""
    if status == REFUSED:
        try:
            said = json.loads(told.splitlines()[-1])
            return MediaError(str(said["message"]), fix=str(said["fix"]), code=str(said["code"]))
        except (ValueError, KeyError, IndexError):
            pass  # not its own words any more
    if -status in (signal.SIGXCPU, signal.SIGKILL):
        return MediaError(
            "Decoding the file takes too long.", fix="Send a shorter one.", code="media_too_costly"
        )
    return MediaError(f"The decoder crashed on this file (status {status}).", fix="Send another format.")
