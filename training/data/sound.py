"""Reading and measuring a recording's sound in pieces, so that an hour takes no more memory than a minute."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from parley.media.audio import Resampler, float_to_pcm16, pcm16_to_float, resample
from training.data.workspace import Rejected

Audio = NDArray[np.float32]

RATE_HZ = 24_000
_LEVEL_SAMPLES = RATE_HZ // 50
_FLOOR_DB = -100


class Levels:
    """Loudness of 20 ms frames, as a histogram over whole decibels; and clipping."""

    def __init__(self) -> None:
        self._counts = np.zeros(-_FLOOR_DB + 1, np.int64)
        self._rest = np.zeros(0, np.float32)
        self._clipped = self._samples = 0

    def push(self, audio: Audio) -> None:
        """More sound, float32 [n] at 24 kHz."""
        self._samples += len(audio)
        self._clipped += int(np.count_nonzero(np.abs(audio) > 0.995))
        joined = np.concatenate([self._rest, audio])
        whole = len(joined) - len(joined) % _LEVEL_SAMPLES
        self._rest = joined[whole:]
        power = np.square(joined[:whole]).reshape(-1, _LEVEL_SAMPLES).mean(1)
        levels = np.clip(10 * np.log10(power + 1e-12), _FLOOR_DB, 0)
        np.add.at(self._counts, (-levels).astype(int), 1)

    @property
    def clipped(self) -> float:
        """Share of samples at full scale."""
        return self._clipped / max(1, self._samples)

    def percentile_db(self, share: float) -> float:
        """The level that this share of frames stays under."""
        quiet_first = np.cumsum(self._counts[::-1])
        if not quiet_first[-1]:
            return float(_FLOOR_DB)
        return float(_FLOOR_DB + int(np.searchsorted(quiet_first, share * quiet_first[-1])))


def extract(path: Path, out: Path) -> tuple[float, Levels]:
    """Decodes a recording's first audio track to a mono 16-bit WAV at 24 kHz, piece by piece.

    Damaged packets are skipped.

    Returns:
        Its length in seconds and its levels.

    Raises:
        Rejected: no audio track.
        av.FFmpegError: it cannot be opened.
    """
    levels, samples = Levels(), 0
    with av.open(str(path)) as container, wave.open(str(out), "wb") as file:
        if not container.streams.audio:
            raise Rejected("no audio track")
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        for audio in _gathered(_decoded(container, resampler), RATE_HZ):
            levels.push(audio)
            file.writeframes(float_to_pcm16(audio))
            samples += len(audio)
    return samples / RATE_HZ, levels


def _gathered(frames: Iterator[Audio], samples: int) -> Iterator[Audio]:
    """The same sound in pieces of at least so many samples: a decoder's own are tiny."""
    held: list[Audio] = []
    count = 0
    for frame in frames:
        held.append(frame)
        count += len(frame)
        if count >= samples:
            yield np.concatenate(held)
            held, count = [], 0
    if held:
        yield np.concatenate(held)


def _decoded(container: av.container.InputContainer, resampler: av.AudioResampler) -> Iterator[Audio]:
    stream = container.streams.audio[0]
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else []
        except av.error.InvalidDataError:
            continue
        except av.error.EOFError:
            packet = None
            frames = []
        for frame in frames:
            for ready in resampler.resample(frame):
                yield ready.to_ndarray()[0].astype(np.float32)
        if packet is None:
            break
    for ready in resampler.resample(None):
        yield ready.to_ndarray()[0].astype(np.float32)


def pieces(path: Path, rate_hz: int, seconds: float = 10.0) -> Iterator[Audio]:
    """A WAV of ours, piece by piece, float32 at `rate_hz`."""
    with wave.open(str(path)) as file:
        resampler = Resampler(file.getframerate(), rate_hz)
        step = round(seconds * file.getframerate())
        while True:
            pcm = file.readframes(step)
            last = len(pcm) < 2 * step
            yield resampler.push(pcm16_to_float(pcm), last=last)
            if last:
                return


def read(path: Path, start_s: float, end_s: float, rate_hz: int) -> Audio:
    """A stretch of a WAV of ours, float32 [n] at `rate_hz`, cut at the recording's ends."""
    with wave.open(str(path)) as file:
        own = file.getframerate()
        first = min(max(0, round(start_s * own)), file.getnframes())
        file.setpos(first)
        audio = pcm16_to_float(file.readframes(max(0, round(end_s * own) - first)))
    return resample(audio, own, rate_hz)
