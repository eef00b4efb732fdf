"""The pitch of speech, by autocorrelation (Boersma 1993) and the cheapest path through its candidates."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.engines import Audio
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.fastpitch.frames import HOP, Floats, frames

LOWEST_HZ: Final = 60.0
HIGHEST_HZ: Final = 400.0
_RATE_HZ: Final = 8000
_WINDOW: Final = 400  # samples at _RATE_HZ: three periods of the lowest pitch
_FFT: Final = 1024
_CANDIDATES: Final = 5
_SMOOTH: Final = np.hanning(10)[1:-1] / np.hanning(10).sum()  # passes up to about 1 kHz
_VOICED: Final = 0.5  # of a perfect repetition
_QUIET: Final = 0.02  # of the loudest frame
_OCTAVE: Final = 0.02  # what an octave lower costs: of equal repetitions, the shortest is the period
_JUMP: Final = 0.5  # what an octave between neighbours costs
_TURN: Final = 0.14  # what going silent, or sounding again, costs


def track(audio: Audio) -> Floats:
    """Hertz of each frame of float32 [n] at 24 kHz; 0 where the speech is unvoiced. float32 [frames]."""
    # Without what is above the lowest formants, whose peaks would fall between the lags.
    low = np.convolve(resample(audio, SAMPLE_RATE_HZ, _RATE_HZ), _SMOOTH, "same").astype(np.float32)
    hop = HOP * _RATE_HZ // SAMPLE_RATE_HZ
    count = frames(audio)
    padded = np.pad(low, (_WINDOW // 2, _WINDOW + hop))
    centres = hop // 2 + hop * np.arange(count)
    windows = padded[centres[:, None] + np.arange(_WINDOW)]
    levels = np.sqrt((windows**2).mean(1))
    lags, strengths = _candidates(windows)
    strengths[levels < _QUIET * max(float(levels.max(initial=0.0)), 1e-6)] = 0
    return _cheapest(_RATE_HZ / lags, strengths)


def _candidates(windows: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lags [frames, candidates] at which windows repeat themselves best, and how well (1: perfectly)."""
    shape = np.hanning(_WINDOW)
    shaped = (windows - windows.mean(1, keepdims=True)) * shape
    heard = _autocorrelation(shaped) / np.maximum(_autocorrelation(shape[None]), 1e-3)
    low, high = int(_RATE_HZ / HIGHEST_HZ), int(_RATE_HZ / LOWEST_HZ)
    inner = heard[:, low : high + 1]
    left, right = heard[:, low - 1 : high], heard[:, low + 1 : high + 2]
    peaks = np.where((inner > left) & (inner >= right), inner, 0)
    best = np.argsort(-peaks, axis=1)[:, :_CANDIDATES]
    rows = np.arange(len(best))[:, None]
    bend = left - 2 * inner + right
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (left - right) / np.where(bend == 0, 1, bend), 0)[rows, best]
    return best + low + np.clip(shift, -0.5, 0.5), np.clip(peaks[rows, best], 0, 1)


def _autocorrelation(windows: NDArray[np.floating]) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(windows, _FFT, axis=1)) ** 2
    found = np.fft.irfft(power, axis=1)[:, :_WINDOW]
    normal: NDArray[np.float64] = found / np.maximum(found[:, :1], 1e-12)
    return normal


def _cheapest(hertz: NDArray[np.float64], strengths: NDArray[np.float64]) -> Floats:
    """Viterbi's path through the candidates of each frame and silence, the last state."""
    count, number = hertz.shape
    octaves = np.log2(hertz)
    gain = np.where(strengths > 0, strengths - _OCTAVE * (np.log2(HIGHEST_HZ) - octaves), -1.0)
    gain = np.concatenate([gain, np.full((count, 1), _VOICED)], 1)
    came = np.zeros((count, number + 1), int)
    best = gain[0] if count else gain
    for t in range(1, count):
        cost = np.full((number + 1, number + 1), _TURN)
        cost[:number, :number] = _JUMP * np.abs(octaves[t - 1][:, None] - octaves[t][None])
        cost[number, number] = 0
        paths = best[:, None] - cost
        came[t] = paths.argmax(0)
        best = paths.max(0) + gain[t]
    out = np.zeros(count, np.float32)
    state = int(best.argmax()) if count else 0
    for t in reversed(range(count)):
        out[t] = hertz[t, state] if state < number else 0.0
        state = int(came[t, state])
    return out


def filled(hertz: Floats) -> Floats:
    """The pitch, carried through what is unvoiced along a line in the logarithm; 0 when nothing is voiced."""
    voiced = np.flatnonzero(hertz)
    if not len(voiced):
        return hertz
    line: Floats = np.exp(np.interp(np.arange(len(hertz)), voiced, np.log(hertz[voiced]))).astype(np.float32)
    return line
