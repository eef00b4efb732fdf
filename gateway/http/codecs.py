"""Audio files out, through PyAV. Everything here blocks: call it in a thread."""

import io
import struct
from typing import Final, Literal, Protocol, cast

import av
import numpy as np

from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ

SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
MEDIA_TYPES: Final[dict[str, str]] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_CONTAINERS: Final = {
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "aac": ("adts", "aac"),
    "flac": ("flac", "flac"),
}
_OPUS_RATE_HZ: Final = 48_000


class Encoder(Protocol):
    """Speech in, pieces of a file out."""

    def push(self, pcm: bytes) -> bytes:
        """Takes s16le mono 24 kHz; returns what of the file is finished."""

    def close(self) -> bytes:
        """The rest of the file."""


def encoder(kind: SpeechFormat) -> Encoder:
    """A streaming encoder for `kind`."""
    if kind == "pcm":
        return _Plain(b"")
    if kind == "wav":
        return _Plain(_wav_header())
    return _Compressed(*_CONTAINERS[kind])


class _Plain:
    """Raw samples behind an optional header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def push(self, pcm: bytes) -> bytes:
        out, self._header = self._header + pcm, b""
        return out

    def close(self) -> bytes:
        return self.push(b"")


class _Compressed:
    """Any container that can be written without seeking back."""

    def __init__(self, container: str, codec: str) -> None:
        self._sink = _Sink()
        self._container = av.open(self._sink, mode="w", format=container)
        rate = _OPUS_RATE_HZ if codec == "libopus" else SAMPLE_RATE_HZ
        stream = self._container.add_stream(codec, rate=rate, layout="mono")
        self._stream = cast(av.AudioStream, stream)
        self._resampler = av.AudioResampler(format=self._stream.format.name, layout="mono", rate=rate)
        self._rest = b""

    def push(self, pcm: bytes) -> bytes:
        if pcm:
            samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            for out in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(out))
        return self._sink.take()

    def close(self) -> bytes:
        for out in self._resampler.resample(None):
            self._container.mux(self._stream.encode(out))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """A file that only grows and is taken away as it grows."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._written += piece
        return len(piece)

    def take(self) -> bytes:
        out = bytes(self._written)
        self._written.clear()
        return out


def _wav_header() -> bytes:
    """Of a stream whose length is not known yet: both sizes say "as much as comes"."""
    unknown = 0xFFFFFFFF
    rate = SAMPLE_RATE_HZ * BYTES_PER_SAMPLE
    head = struct.pack("<4sI4s", b"RIFF", unknown, b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE_HZ, rate, BYTES_PER_SAMPLE, 16)
    return head + form + struct.pack("<4sI", b"data", unknown)
