"""Who speaks, as a vector: a GE2E speaker encoder in plain NumPy.

Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018); weights of Resemblyzer
(see weights/manifest.json). Three LSTM layers read 1.6 s of mel spectrogram; the last state, projected,
rectified and normalised, is the embedding. Same speaker: cosine about 0.8 and more; others: 0.4 to 0.7.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "speaker_encoder.npz"
RATE_HZ = 16_000
WINDOW_S = 1.6
HOP = 160
SIZE = 256
_FFT = 400
_MELS = 40
_FRAMES = 160
_LAYERS = 3
_LOUDNESS_DB = -30.0
_BATCH = 64


class SpeakerEncoder:
    """The network; build it once per process with `load`."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._layers = [
            (
                weights[f"lstm.weight_ih_l{n}"].T.copy(),
                weights[f"lstm.weight_hh_l{n}"].T.copy(),
                weights[f"lstm.bias_ih_l{n}"] + weights[f"lstm.bias_hh_l{n}"],
            )
            for n in range(_LAYERS)
        ]
        self._out = weights["linear.weight"].T.copy(), weights["linear.bias"]

    def embed(self, mels: Array) -> Array:
        """Embeddings of windows.

        Args:
            mels: [windows, 160, 40], from `mel`.

        Returns:
            [windows, 256], each of length 1, no element negative.
        """
        parts = [self._batch(mels[start : start + _BATCH]) for start in range(0, len(mels), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, SIZE), np.float32)

    def windows(self, audio: Array, starts_s: NDArray[np.float64]) -> Array:
        """Embeddings of 1.6 s windows of a recording.

        Args:
            audio: float32 [n] at 16 kHz, loudness as it is.
            starts_s: where the windows begin; each must lie inside the recording.
        """
        frames = mel(louder(audio))
        firsts = np.clip(np.rint(starts_s * RATE_HZ / HOP).astype(int), 0, max(0, len(frames) - _FRAMES))
        if len(frames) < _FRAMES:
            frames = np.pad(frames, ((0, _FRAMES - len(frames)), (0, 0)))
        return self.embed(frames[firsts[:, None] + np.arange(_FRAMES)])

    def _batch(self, x: Array) -> Array:
        hidden = x
        for w_in, w_state, bias in self._layers:
            gates = hidden @ w_in + bias
            h = np.zeros((len(x), SIZE), np.float32)
            c = np.zeros_like(h)
            steps = np.empty((*gates.shape[:2], SIZE), np.float32)
            for t in range(gates.shape[1]):
                g = gates[:, t] + h @ w_state
                # Sigmoid by tanh: no overflow. Gate order: input, forget, cell, output.
                i, f, o = (_sigmoid(g[:, k * SIZE : (k + 1) * SIZE]) for k in (0, 1, 3))
                c = f * c + i * np.tanh(g[:, 2 * SIZE : 3 * SIZE])
                h = o * np.tanh(c)
                steps[:, t] = h
            hidden = steps
        raw = np.maximum(hidden[:, -1] @ self._out[0] + self._out[1], 0)
        embedded: Array = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-6)
        return embedded


@cache
def load() -> SpeakerEncoder:
    """The process's one encoder."""
    with np.load(WEIGHTS) as stored:
        return SpeakerEncoder({name: stored[name].astype(np.float32) for name in stored.files})


def louder(audio: Array) -> Array:
    """Raises a recording to -30 dBFS, as the encoder's training had it; louder ones stay."""
    level_db = 10 * np.log10(float(np.mean(np.square(audio))) + 1e-12)
    return audio * np.float32(10 ** (max(0.0, _LOUDNESS_DB - level_db) / 20))


def mel(audio: Array) -> Array:
    """Mel power spectrogram [n / 160 + 1, 40] of float32 [n] at 16 kHz: Hann 25 ms, hop 10 ms, not log."""
    padded = np.pad(audio, _FFT // 2)
    count = 1 + len(audio) // HOP
    out = np.empty((count, _MELS), np.float32)
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    for start in range(0, count, 4096):
        stop = min(count, start + 4096)
        index = np.arange(start, stop)[:, None] * HOP + np.arange(_FFT)
        power = np.abs(np.fft.rfft(padded[index] * window)) ** 2
        out[start:stop] = power @ _filters()
    return out


@cache
def _filters() -> NDArray[np.float64]:
    """Slaney's mel filters, area-normalised, [201, 40]: linear below 1 kHz, logarithmic above."""
    per_hz, knee_hz, step = 3 / 200, 1000.0, np.log(6.4) / 27
    top = knee_hz * per_hz + np.log(RATE_HZ / 2 / knee_hz) / step
    points = np.linspace(0, top, _MELS + 2)
    linear = points / per_hz
    hz = np.where(linear < knee_hz, linear, knee_hz * np.exp(step * (points - knee_hz * per_hz)))
    bins = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)[:, None]
    rise = (bins - hz[:-2]) / np.diff(hz[:-1])
    fall = (hz[2:] - bins) / np.diff(hz[1:])
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rise, fall)) * 2 / (hz[2:] - hz[:-2])
    return filters


def _sigmoid(x: Array) -> Array:
    out: Array = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * x))
    return out
