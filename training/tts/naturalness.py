"""What people would say of speech, predicted: DNSMOS (Reddy et al., arXiv 2010.15258 and 2110.01763).

Two small networks by Microsoft (MIT), as the package `speechmos` carries them; they were trained on people's
opinions of noisy and denoised speech, so between synthetic voices they are a hint, not a verdict. Features
are computed here: the package itself would pull librosa, pandas and numba.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from parley.engines import Audio
from parley.errors import EngineUnavailable
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.fastpitch.frames import Floats

RATE_HZ: Final = 16_000
_SAMPLES: Final = 144_160  # 9.01 s, which the networks take at once
_FFT: Final = 321
_HOP: Final = 160
_MELS: Final = 120
# From the networks' raw scales to opinions: signal and overall quality, as published with the networks.
_SIGNAL: Final = (-0.08397278, 1.22083953, 0.0052439)
_OVERALL: Final = (-0.06766283, 1.11546468, 0.04602535)


class Listeners:
    """Both networks.

    Raises:
        EngineUnavailable: The package that carries them is not installed.
    """

    def __init__(self) -> None:
        found = find_spec("speechmos")
        if found is None or not found.submodule_search_locations:
            raise EngineUnavailable(
                "The quality networks are not installed.", fix="Run `scripts/setup python train`."
            )
        folder = Path(found.submodule_search_locations[0]) / "dnsmos_models"
        self._opinion = _session(folder / "model_v8.onnx")
        self._quality = _session(folder / "sig_bak_ovr.onnx")

    def opinion(self, audio: Audio) -> dict[str, float]:
        """Mean opinion scores, 1 to 5, of float32 [n] at 24 kHz.

        Returns:
            `mos` (P.808: how good it sounds), `signal` and `overall` (P.835).
        """
        low = resample(audio, SAMPLE_RATE_HZ, RATE_HZ)
        window = np.tile(low, -(-_SAMPLES // max(len(low), 1)))[:_SAMPLES].astype(np.float32)
        (scores,) = self._quality.run(None, {"input_1": window[None]})
        (mos,) = self._opinion.run(None, {"input_1": _features(window[:-_HOP])[None]})
        return {
            "mos": float(mos[0, 0]),
            "signal": float(np.polyval(_SIGNAL, scores[0, 0])),
            "overall": float(np.polyval(_OVERALL, scores[0, 2])),
        }


def _features(audio: Audio) -> Floats:
    """Mel spectrogram in dB below its loudest point, scaled as the network wants it: float32 [900, 120]."""
    padded = np.pad(audio, _FFT // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)
    power = np.abs(np.fft.rfft(windows * shape, axis=1)) ** 2 @ _mel_filters()
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    below = np.maximum(decibels - decibels.max(), -80.0)
    scaled: Floats = ((below + 40) / 40).astype(np.float32)
    return scaled


def _mel_filters() -> Floats:
    """Slaney's mel scale (linear to 1 kHz, then logarithmic), filters of equal area: [bins, _MELS]."""
    step = 200 / 3
    top = 15 + np.log(RATE_HZ / 2 / 1000) / (np.log(6.4) / 27)
    mels = np.linspace(0, top, _MELS + 2)
    edges = np.where(mels < 15, mels * step, 1000 * np.exp((np.log(6.4) / 27) * (mels - 15)))
    hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)[:, None]
    rise, fall = (hz - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - hz) / np.diff(edges)[1:]
    shape: Floats = (np.maximum(0, np.minimum(rise, fall)) * 2 / (edges[2:] - edges[:-2])).astype(np.float32)
    return shape


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
