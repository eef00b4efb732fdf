"""24 kHz to 16 kHz with one millisecond of delay.

A streaming soxr holds samples back in blocks (up to 36 ms at its usual quality), and that would be added to
every answer. Two over three is a small polyphase filter, so it is done here.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.media.clock import SAMPLE_RATE_HZ

EAR_RATE_HZ: Final = 16_000
_UP, _DOWN = 2, 3
_HALF: Final = 48  # of the filter, in samples at 48 kHz
DELAY_SAMPLES: Final = _HALF // _UP


def _lowpass() -> NDArray[np.float32]:
    """Kaiser-windowed sinc at 48 kHz, cut off at 7.4 kHz (stop band from 8.6 kHz, -60 dB), gain 2."""
    n = np.arange(-_HALF, _HALF + 1)
    cutoff = 7_400 / (SAMPLE_RATE_HZ * _UP)
    taps = 2 * cutoff * np.sinc(2 * cutoff * n) * np.kaiser(2 * _HALF + 1, 6.0)
    lowpass: NDArray[np.float32] = (taps * _UP / taps.sum()).astype(np.float32)
    return lowpass


class EarResampler:
    """Streaming conversion of media-clock audio to the ears' 16 kHz.

    Output sample k is the input at k * 1.5: no offset; it is given out once `DELAY_SAMPLES` (1 ms) more are
    in.
    """

    def __init__(self) -> None:
        taps = _lowpass()
        # Output phase 0 falls on an input sample, phase 1 halfway between two. The filter is symmetric.
        self._even, self._odd = taps[::2].copy(), taps[1::2].copy()
        self._input = np.zeros(DELAY_SAMPLES, np.float32)

    def push(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """More input float32 [n] at 24 kHz; returns float32 [about n * 2 / 3] at 16 kHz."""
        self._input = np.concatenate([self._input, audio])
        # Outputs come in pairs per three inputs: at 0 and at 1.5 of the triple.
        triples = (len(self._input) - 2 * DELAY_SAMPLES - 1) // _DOWN
        if triples <= 0:
            return np.zeros(0, np.float32)
        out = np.empty(2 * triples, np.float32)
        out[0::2] = np.convolve(self._input, self._even, "valid")[: 3 * triples : 3]
        out[1::2] = np.convolve(self._input, self._odd, "valid")[2 : 3 * triples + 2 : 3]
        self._input = self._input[3 * triples :]
        return out
