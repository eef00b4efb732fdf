"""Log mel features of 24 kHz speech, 100 a second, computable as speech arrives.

The window of hop k ends with the hop's last sample, so features of a video frame need no sample after its
end; what the model sees ahead of a frame is said openly, by `AFTER`.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.engines import Audio
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ

HOP: Final = 240  # samples; 10 ms
WINDOW: Final = 600
FFT: Final = 1024
MELS: Final = 80
HOPS_PER_FRAME: Final = FRAME_SAMPLES // HOP
BEFORE, AFTER = 12, 8  # hops around a frame's own: 120 ms past, 80 ms ahead
CONTEXT: Final = BEFORE + HOPS_PER_FRAME + AFTER
LOOKAHEAD_SAMPLES: Final = AFTER * HOP
OVERLAP: Final = WINDOW - HOP  # samples before a hop that its window needs
Floats = NDArray[np.float32]
_HANN = np.hanning(WINDOW).astype(np.float32)


@lru_cache(maxsize=1)
def filters() -> Floats:
    """Triangular mel filters (HTK scale), 50 to 8 000 Hz: float32 [FFT // 2 + 1, MELS]."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (50, 8000))
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    hz = np.arange(FFT // 2 + 1) * SAMPLE_RATE_HZ / FFT
    rise = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    shape: Floats = np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
    return shape


def log_mel(audio: Audio) -> Floats:
    """Features of whole hops.

    Args:
        audio: float32 [OVERLAP + n * HOP]: n hops, and the samples just before them.

    Returns:
        float32 [n, MELS], about -1 (silence) to 1.
    """
    windows = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP] * _HANN
    power = np.abs(np.fft.rfft(windows, FFT, axis=1)).astype(np.float32) ** 2
    mel: Floats = ((np.log(power @ filters() + 1e-5) + 5) / 6).astype(np.float32)
    return mel


def silence() -> Floats:
    """Features of one hop of silence, float32 [MELS]."""
    hop: Floats = log_mel(np.zeros(WINDOW, np.float32))[0]
    return hop


def of_clip(audio: Audio) -> Floats:
    """Features of a whole clip, silence before it: float32 [len(audio) // HOP, MELS]."""
    return log_mel(np.concatenate([np.zeros(OVERLAP, np.float32), audio]))


def contexts(mel: Floats, first: int, count: int) -> Floats:
    """What the model hears for frames `first` … `first + count - 1`; silence beyond the ends.

    Args:
        mel: float32 [hops, MELS], hop 0 the first of frame 0.
        first: Frame; may be negative.
        count: Frames.

    Returns:
        float32 [count, MELS, CONTEXT].
    """
    wanted = (first + np.arange(count))[:, None] * HOPS_PER_FRAME + np.arange(-BEFORE, HOPS_PER_FRAME + AFTER)
    inside = (wanted >= 0) & (wanted < len(mel))
    out = np.where(inside[..., None], mel[np.clip(wanted, 0, len(mel) - 1)], silence())
    wide: Floats = np.ascontiguousarray(out.transpose(0, 2, 1), dtype=np.float32)
    return wide


class MelStream:
    """Features of speech as it arrives, computed frame by frame: how it was cut changes nothing."""

    def __init__(self) -> None:
        self._hops = np.tile(silence(), (BEFORE, 1))
        self._tail = np.zeros(OVERLAP, np.float32)

    def add(self, frame: Audio) -> None:
        """The next video frame's speech, float32 [960]."""
        joined = np.concatenate([self._tail, frame])
        self._hops = np.concatenate([self._hops, log_mel(joined)])
        self._tail = joined[-OVERLAP:]

    def context(self) -> Floats:
        """What is heard about the next frame, float32 [MELS, CONTEXT]; `AFTER` hops beyond it must be in."""
        heard: Floats = np.ascontiguousarray(self._hops[:CONTEXT].T)
        self._hops = self._hops[HOPS_PER_FRAME:]
        return heard
