"""Speaker embedding models: the bundled one, or one from a model hub by name.

A hub model is an ONNX graph from log mel features [batch, frames, mels] to embeddings [batch, n], as those of
WeSpeaker and 3D-Speaker are: `Wespeaker/wespeaker-voxceleb-resnet34-LM/voxceleb_resnet34_LM.onnx`, say.
Its features are Kaldi's: Hamming windows of 25 ms every 10 ms, less their mean over the 1.6 s.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley.errors import EngineUnavailable
from training.data import speaker_encoder
from training.data.speaker_encoder import HOP, RATE_HZ, WINDOW_S, Array

_FRAME = 400
_FFT = 512
_PREEMPHASIS = np.float32(0.97)
_LOW_HZ = 20.0
_BATCH = 32


class Encoder(Protocol):
    """Tells voices apart."""

    def windows(self, audio: Array, starts_s: NDArray[np.float64]) -> Array:
        """Embeddings [windows, n] of length 1, each of 1.6 s of float32 [samples] at 16 kHz from a start."""


@cache
def load(name: str) -> Encoder:
    """The process's encoder of that name.

    Args:
        name: empty: the bundled one; else an ONNX file, or `owner/repository/file.onnx` on the hub.

    Raises:
        EngineUnavailable: it cannot be had, or is no model of this kind.
    """
    if not name:
        return speaker_encoder.load()
    path = Path(name) if Path(name).is_file() else _from_hub(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types share no base
        raise EngineUnavailable(f"{path} is no ONNX model that runs here: {error}") from error
    return OnnxEncoder(session)


class OnnxEncoder:
    """A graph from log mel features to embeddings.

    Args:
        session: one input [batch, frames, mels], one output [batch, n].

    Raises:
        EngineUnavailable: it takes or gives something else.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 3 or len(outputs[0].shape) != 2:
            raise EngineUnavailable(
                f"The speaker model takes {[each.shape for each in inputs]}, not [batch, frames, mels].",
                fix="Choose a model of WeSpeaker's or 3D-Speaker's kind, exported to ONNX.",
            )
        self._session, self._input = session, inputs[0].name
        self._mels = shape[2] if isinstance(shape[2], int) else 80

    def windows(self, audio: Array, starts_s: NDArray[np.float64]) -> Array:
        """See `Encoder`."""
        length = round(WINDOW_S * RATE_HZ)
        padded = np.pad(audio, (0, max(0, length - len(audio))))
        firsts = np.clip(np.rint(starts_s * RATE_HZ).astype(int), 0, len(padded) - length)
        found = [
            self._embedded([padded[first : first + length] for first in firsts[begin : begin + _BATCH]])
            for begin in range(0, len(firsts), _BATCH)
        ]
        return np.concatenate(found)

    def _embedded(self, pieces: list[Array]) -> Array:
        features = np.stack([fbank(piece, self._mels) for piece in pieces])
        features -= features.mean(1, keepdims=True)
        (raw,) = self._session.run(None, {self._input: features})
        embedded: Array = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-6)
        return embedded


def fbank(audio: Array, mels: int) -> Array:
    """Kaldi's log mel filter bank energies without dither, [frames, mels].

    Args:
        audio: float32 [n] in -1…1 at 16 kHz.
        mels: how many filters, from 20 Hz to 8 kHz.
    """
    count = 1 + (len(audio) - _FRAME) // HOP
    frames = audio[np.arange(count)[:, None] * HOP + np.arange(_FRAME)] * np.float32(32768)
    frames = frames - frames.mean(1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    windowed = (frames - _PREEMPHASIS * before) * np.hamming(_FRAME).astype(np.float32)
    power = np.abs(np.fft.rfft(windowed, _FFT)) ** 2
    energies: Array = np.log(np.maximum(power @ _filters(mels), np.finfo(np.float32).eps)).astype(np.float32)
    return energies


@cache
def _filters(mels: int) -> NDArray[np.float64]:
    """Triangles [257, mels] that are even on the mel scale, in mel as Kaldi has them."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(RATE_HZ / 2), mels + 2)
    bins = np.array([[_mel(hz)] for hz in np.fft.rfftfreq(_FFT, 1 / RATE_HZ).tolist()])
    rise = (bins - edges[:-2]) / np.diff(edges[:-1])
    fall = (edges[2:] - bins) / np.diff(edges[1:])
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rise, fall))
    return filters


def _mel(hz: float) -> float:
    return 1127.0 * math.log(1 + hz / 700)


def _from_hub(name: str) -> Path:
    owner, _, rest = name.partition("/")
    repository, _, file = rest.partition("/")
    if not file.endswith(".onnx"):
        raise EngineUnavailable(
            f"There is no speaker model {name!r}.", fix="Name an ONNX file, or owner/repository/file.onnx."
        )
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(f"{owner}/{repository}", file))
    except (OSError, ValueError) as error:
        raise EngineUnavailable(
            f"The speaker model {name} cannot be had: {error}",
            fix="On a machine with internet access fetch it once, then copy its file here and name that.",
        ) from error
