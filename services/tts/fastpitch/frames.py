"""Speech in frames: 80 a second, each the spectrum of 43 ms about its centre, and back to samples.

Frame t is centred on sample (t + 1/2) * HOP, so n frames stand for exactly n * HOP samples.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.engines import Audio
from parley.media.clock import SAMPLE_RATE_HZ

HOP: Final = 300  # samples; 12.5 ms
FFT: Final = 1024
BINS: Final = FFT // 2 + 1
MELS: Final = 80
EDGE: Final = (FFT - HOP) // 2  # samples of a frame on either side of its own
LOW_HZ: Final = 40.0
Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]
WINDOW: Final[Floats] = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)


@lru_cache(maxsize=1)
def filters() -> Floats:
    """Triangular mel filters (HTK scale) of equal area, 40 Hz to the Nyquist: float32 [BINS, MELS]."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (LOW_HZ, SAMPLE_RATE_HZ / 2))
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    hz = np.arange(BINS) * SAMPLE_RATE_HZ / FFT
    rise = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    shape = np.maximum(0, np.minimum(rise, fall))
    equal: Floats = (shape / np.maximum(shape.sum(0), 1e-3)).astype(np.float32)
    return equal


def frames(audio: Audio) -> int:
    """How many frames stand for float32 [n]."""
    return -(-len(audio) // HOP)


def spectrum(audio: Audio, part: slice = slice(None)) -> Complex:
    """Short-time Fourier transform of float32 [n].

    Args:
        audio: Speech.
        part: The frames wanted, of all.

    Returns:
        complex64 [frames, BINS].
    """
    padded = np.pad(audio, (EDGE, EDGE + frames(audio) * HOP - len(audio)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][part] * WINDOW
    out: Complex = np.fft.rfft(windows, axis=1).astype(np.complex64)
    return out


def compress(power: Floats) -> Floats:
    """Mel features of power spectra: float32 [..., BINS] to [..., MELS], about -2 (silence) to 2."""
    mel: Floats = (np.log(np.sqrt(power + 1e-9) @ filters() + 1e-4) / 3 + 1).astype(np.float32)
    return mel


def mel(audio: Audio) -> Floats:
    """Mel spectrogram, float32 [frames, MELS], of float32 [n]."""
    return compress(np.abs(spectrum(audio)) ** 2)


class OverlapAdd:
    """Spectra to samples as they come (Griffin and Lim 1984, equation 6), however they were cut."""

    def __init__(self) -> None:
        self._sum = np.zeros(FFT, np.float32)
        self._weight = np.zeros(FFT, np.float32)
        self._skip = EDGE

    def push(self, spectra: Complex) -> Audio:
        """Takes complex64 [n, BINS]; returns the samples that no later frame reaches."""
        out = [np.zeros(0, np.float32)]
        for frame in np.fft.irfft(spectra, FFT, axis=1).astype(np.float32):
            self._sum += frame * WINDOW
            self._weight += WINDOW**2
            out.append(self._shift(HOP))
        return self._without_edge(np.concatenate(out))

    def finish(self) -> Audio:
        """The last frame's second half, without what lies beyond it."""
        return self._without_edge(self._shift(EDGE))

    def _shift(self, samples: int) -> Audio:
        done: Audio = (self._sum[:samples] / np.maximum(self._weight[:samples], 1e-3)).astype(np.float32)
        for buffer in (self._sum, self._weight):
            buffer[:-samples] = buffer[samples:].copy()
            buffer[-samples:] = 0
        return done

    def _without_edge(self, audio: Audio) -> Audio:
        cut = min(self._skip, len(audio))
        self._skip -= cut
        return audio[cut:]
