"""Speech with phone times from Debian's `flite`: for contact sheets, benchmarks and training, not replies."""

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from parley.engines import Audio, TimedPhone
from parley.errors import EngineUnavailable
from parley.media.audio import pcm16_to_float, resample
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ


def speak(
    text: str, *, voice: str = "slt", settings: dict[str, float] | None = None
) -> tuple[Audio, list[TimedPhone]]:
    """Says `text`.

    Args:
        text: Any.
        voice: "slt", "rms", "awb" or "kal16".
        settings: flite's own, such as duration_stretch or int_f0_target_mean.

    Returns:
        float32 [n * 960] at 24 kHz, padded with silence, and its phones on the media clock.

    Raises:
        EngineUnavailable: flite is not installed.
    """
    if shutil.which("flite") is None:
        raise EngineUnavailable("flite is not installed.", fix="Run `apt-get install flite`.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        options = [x for name, value in (settings or {}).items() for x in ("--setf", f"{name}={value}")]
        told = subprocess.run(
            ["flite", "-voice", voice, *options, "-psdur", "-t", text, "-o", str(path)],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip
        with wave.open(str(path)) as file:
            rate, pcm = file.getframerate(), file.readframes(file.getnframes())
    audio = resample(pcm16_to_float(pcm), rate, SAMPLE_RATE_HZ)
    phones: list[TimedPhone] = []
    sentence = last = 0.0
    for entry in told.split():
        symbol, seconds = entry.rsplit(":", 1)
        if float(seconds) < last:  # flite's clock restarts with every sentence
            sentence += last
        last = float(seconds)
        phones.append(TimedPhone(symbol, round((sentence + last) * SAMPLE_RATE_HZ)))
    return np.pad(audio, (0, -len(audio) % FRAME_SAMPLES)), phones
