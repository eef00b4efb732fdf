"""From sound to mouth, for voices that give no phone times: a small network on mel features.

Per video frame it sees speech from 120 ms before the frame to 80 ms after its end. Trained by
`training/sda/visemes.py`.
"""

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley.engines import Audio
from parley.errors import EngineUnavailable
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from services.sda.face.controls import HIGHEST, LOWEST, Mouth

WEIGHTS = Path(__file__).parent.parent / "weights" / "listener.onnx"
HOP, WINDOW, MELS = 240, 512, 24
OVERLAP = WINDOW - HOP
HOPS_PER_FRAME = FRAME_SAMPLES // HOP
BEFORE, AFTER = 3, 2  # video frames of context
CONTEXT = BEFORE + 1 + AFTER
HOPS = CONTEXT * HOPS_PER_FRAME
Floats = NDArray[np.float32]


@lru_cache(maxsize=1)
def _mel_filters() -> Floats:
    """Triangular mel filters (HTK scale), 80 to 8 000 Hz: float32 [WINDOW // 2 + 1, MELS]."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (80, 8000))
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    hz = np.arange(WINDOW // 2 + 1) * SAMPLE_RATE_HZ / WINDOW
    rise = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    filters: Floats = np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
    return filters


_HANN = np.hanning(WINDOW).astype(np.float32)


def features(frame: Audio) -> Floats:
    """Log mel of one video frame, in hops whose windows end inside it.

    Args:
        frame: float32 [OVERLAP + 960]: the frame and the samples just before it.

    Returns:
        float32 [HOPS_PER_FRAME, MELS], about -1…1.
    """
    windows = np.lib.stride_tricks.sliding_window_view(frame, WINDOW)[::HOP] * _HANN
    power = np.abs(np.fft.rfft(windows, axis=1)).astype(np.float32) ** 2
    mel: Floats = (np.log(power @ _mel_filters() + 1e-4) / 8).astype(np.float32)
    return mel


class Listener:
    """Shared model; `Hearing` is one stream's state."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        """Raises EngineUnavailable if the weights are missing."""
        if not path.is_file():
            raise EngineUnavailable(
                f"The audio-to-mouth model {path} is missing.", fix="Run `python -m training.sda.visemes`."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def mouth(self, context: Floats) -> Mouth:
        """Mouth [6] from float32 [HOPS, MELS]."""
        (out,) = self._session.run(None, {"mel": context.reshape(1, -1)})
        mouth: Mouth = np.clip(out[0].astype(np.float64), LOWEST, HIGHEST)
        return mouth


class Hearing:
    """One stream's mel features; always computed frame by frame, so that results do not depend on how the
    speech was cut."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        silence = np.full((HOPS_PER_FRAME, MELS), np.log(1e-4) / 8, np.float32)
        self._mels = [silence] * BEFORE
        self._tail = np.zeros(OVERLAP, np.float32)

    def add(self, frame: Audio) -> None:
        """The next video frame's speech, float32 [960]."""
        joined = np.concatenate([self._tail, frame])
        self._mels.append(features(joined))
        self._tail = joined[-OVERLAP:]

    def mouth(self) -> Mouth:
        """The mouth of the next frame; `AFTER` frames beyond it must have been added."""
        context = np.concatenate(self._mels[:CONTEXT])
        del self._mels[0]
        return self._listener.mouth(context)
