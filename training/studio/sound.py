"""Pieces of recordings for the page: WAV with range requests, and the waveform's outline."""

from __future__ import annotations

import io
import re
import wave
from pathlib import Path

import numpy as np
from starlette.responses import Response

from parley.errors import MediaError

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def duration_s(path: Path) -> float:
    """Length of a WAV file in seconds.

    Raises:
        MediaError: missing, or no WAV file.
    """
    try:
        with wave.open(str(path)) as file:
            return float(file.getnframes() / file.getframerate())
    except (OSError, EOFError, wave.Error) as error:
        raise MediaError(f"The recording {path.name} cannot be read: {error}") from error


def peaks(wav: bytes, bins: int) -> list[int]:
    """The loudest sample of each of `bins` equal parts of a 16-bit WAV, in 1/1000 of full scale."""
    with wave.open(io.BytesIO(wav)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    if not len(samples):
        return [0] * bins
    loud = np.abs(samples.astype(np.int32))
    starts = np.arange(bins) * len(loud) // bins
    return [int(each) for each in np.maximum.reduceat(loud, starts) * 1000 // 32768]


def ranged(content: bytes, media_type: str, asked: str | None) -> Response:
    """The content, or the part that a `Range` header asks for (RFC 9110, section 14: one range of bytes)."""
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "no-store"}
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or found[0] == "bytes=-":
        return Response(content, media_type=media_type, headers=headers)
    first, last = found[1], found[2]
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last) if first and last else len(content) - 1, len(content) - 1)
    if start > end:
        headers["Content-Range"] = f"bytes */{len(content)}"
        return Response(status_code=416, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start : end + 1], 206, media_type=media_type, headers=headers)
