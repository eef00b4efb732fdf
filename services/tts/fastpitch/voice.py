"""A trained voice, run by ONNX Runtime: three graphs, written by `training/tts/export.py`.

`encoder` reads phones and predicts durations and pitch; `decoder` makes frames of them; `vocoder` gives the
filters of each frame. The clause's frames are planned in one go, which takes milliseconds; its speech is made
stretch by stretch, the first one short. How it is cut changes nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley.engines import Audio
from parley.errors import EngineUnavailable
from services.tts.fastpitch import source
from services.tts.fastpitch.frames import Complex, Floats, OverlapAdd, spectrum
from services.tts.fastpitch.length import durations, places
from services.tts.fastpitch.phonemes import Codes

GRAPHS: Final = ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
FIRST: Final = 20  # frames of the first stretch: 250 ms, of which 100 are silence that is trimmed off
LONGEST: Final = 160
LOWEST_HZ, HIGHEST_HZ = 50.0, 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A clause, ready to sound.

    Attributes:
        durations: Frames of each phone, int64 [phones].
        mel: float32 [frames, MELS].
        hertz: Pitch of each frame, no 0, float32 [frames].
        voiced: float32 [frames], 0 or 1.
    """

    durations: NDArray[np.int64]
    mel: Floats
    hertz: Floats
    voiced: Floats


class Voice:
    """Shared by all clauses and threads.

    Args:
        folder: An exported voice.

    Raises:
        EngineUnavailable: A file is missing, or is not the one that the manifest names.
    """

    def __init__(self, folder: Path) -> None:
        about = verified(folder)
        self.name = str(about["voice"])
        self._mean, self._spread = float(about["pitch_mean"]), float(about["pitch_spread"])
        self._reach = int(about["vocoder_reach"])
        self._encoder, self._decoder, self._vocoder = (_session(folder / name) for name in GRAPHS)

    def plan(self, codes: Codes, *, speed: float = 1.0, semitones: float = 0.0) -> Plan:
        """How a clause is said.

        Args:
            codes: int64 [phones, 5], see `services.tts.fastpitch.phonemes`.
            speed: 0.5…2.
            semitones: How much higher than the voice's own pitch.
        """
        hidden, logs, pitch = self._encoder.run(None, {"codes": codes[None]})
        return self._drawn(hidden, pitch, durations(logs[0], speed=speed), semitones)

    def _drawn(self, hidden: Floats, pitch: Floats, lengths: NDArray[np.int64], semitones: float) -> Plan:
        place, index = places(lengths)
        told = {"hidden": hidden, "pitch": pitch, "places": place[None], "index": index[None]}
        mel, contour, voicing = self._decoder.run(None, told)
        higher = 2 ** (semitones / 12)
        hertz = np.clip(np.exp(contour[0] * self._spread + self._mean) * higher, LOWEST_HZ, HIGHEST_HZ)
        return Plan(lengths, mel[0], hertz.astype(np.float32), (voicing[0] > 0).astype(np.float32))

    def speak(self, plan: Plan) -> Iterator[Audio]:
        """Speech of a plan, float32 [frames * HOP] in all, stretch by stretch."""
        told = source.features(plan.mel, plan.hertz, plan.voiced)
        buzz, noise = source.buzz(plan.hertz), source.noise(len(told))
        together, at, size = OverlapAdd(), 0, FIRST
        while at < len(told):
            part = slice(at, min(at + size, len(told)))
            yield together.push(self._filtered(told, buzz, noise, part))
            at, size = part.stop, min(2 * size, LONGEST)
        yield together.finish()

    def filters(self, told: Floats) -> Sequence[Floats]:
        """The vocoder's filters of frames, float32 [batch, frames, MELS + 2].

        Returns:
            Log gain and phase of the buzz, log gain of the noise, each float32 [batch, frames, BINS].
        """
        made: Sequence[Floats] = self._vocoder.run(None, {"features": told})
        return made

    def _filtered(self, told: Floats, buzz: Audio, noise: Audio, part: slice) -> Complex:
        """Spectra of the frames in `part`, heard with as many around them as the network reaches."""
        first = max(0, part.start - self._reach)
        around = told[first : part.stop + self._reach]
        gain, phase, hiss = (
            made[0, part.start - first : part.stop - first] for made in self.filters(around[None])
        )
        spectra = np.exp(gain + 1j * phase) * spectrum(buzz, part) + np.exp(hiss) * spectrum(noise, part)
        spectra[:, [0, -1]] = 0
        filtered: Complex = spectra.astype(np.complex64)
        return filtered


def verified(folder: Path) -> dict[str, Any]:
    """What the manifest of an exported voice says, once its files have been checked against it.

    Raises:
        EngineUnavailable: A file is missing or damaged.
    """
    fix = "Export it again with `python -m training.tts.export`, or restore the file from the repository."
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise EngineUnavailable(f"The voice is not installed: {manifest} is missing.", fix=fix)
    about: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    for name in GRAPHS:
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != about["sha256"].get(name):
            raise EngineUnavailable(f"{path} is missing or damaged.", fix=fix)
    return about


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
