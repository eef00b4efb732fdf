"""Audio conversions: s16le bytes, float32 arrays, and sample rates."""

import numpy as np
import soxr
from numpy.typing import NDArray

from parley.errors import MediaError


def pcm16_to_float(pcm: bytes) -> NDArray[np.float32]:
    """s16le bytes to float32 [n] in -1…1.

    Raises:
        MediaError: An odd number of bytes.
    """
    if len(pcm) % 2:
        raise MediaError(f"16 bit audio cannot have {len(pcm)} bytes.", fix="Send whole samples.")
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def float_to_pcm16(audio: NDArray[np.float32]) -> bytes:
    """float32 [n] to s16le bytes; what exceeds -1…1 is clipped."""
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2").tobytes()


class Resampler:
    """Streaming sample-rate conversion; a no-op when the rates are equal."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")

    def push(self, audio: NDArray[np.float32], *, last: bool = False) -> NDArray[np.float32]:
        """More input float32 [n]; returns what can be given out now (all the rest when `last`)."""
        if self._stream is None:
            return audio
        out: NDArray[np.float32] = self._stream.resample_chunk(audio, last=last)
        return out


def resample(audio: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Converts a whole clip float32 [n]."""
    out: NDArray[np.float32] = audio if from_hz == to_hz else soxr.resample(audio, from_hz, to_hz)
    return out
