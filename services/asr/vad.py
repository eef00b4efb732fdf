"""Who speaks when: Silero VAD in ONNX Runtime, streaming, with hysteresis.

The network (https://github.com/snakers4/silero-vad) looks at 32 ms of 16 kHz audio and the 4 ms before it.
Its ONNX file comes with the faster-whisper package, which is not imported for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.errors import EngineUnavailable

STEP_SAMPLES: Final = 512
_CONTEXT_SAMPLES: Final = 64
_STATE: Final = (1, 1, 128)

# Below this peak nothing can be heard; the network need not look. -66 dBFS.
_INAUDIBLE: Final = 0.0005
_REST_STEPS: Final = 10

_ONSET_STEPS: Final = 2
_OFFSET_STEPS: Final = 2
_LOOK_BACK_STEPS: Final = 3
_HYSTERESIS: Final = 0.15


@dataclass(frozen=True, slots=True)
class VadStep:
    """What one step of 32 ms told. Positions are samples at 16 kHz since the detector was opened.

    Attributes:
        end: The step's end.
        probability: That it holds speech, 0…1.
        started: Where speech began, if that was noticed now.
        stopped: Where speech ended, if that was noticed now.
    """

    end: int
    probability: float
    started: int | None = None
    stopped: int | None = None


class VadModel:
    """The network; one per process, shared by all detectors."""

    def __init__(self, path: Path) -> None:
        """Loads the network.

        Raises:
            EngineUnavailable: The file is not a Silero VAD that can stream.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [i.name for i in self._session.get_inputs()]
        if names != ["input", "h", "c"]:
            raise EngineUnavailable(
                f"{path} is not a Silero VAD of the kind known here (its inputs are {', '.join(names)}).",
                fix="Install faster-whisper 1.2: pip install 'faster-whisper>=1.2,<1.3'.",
            )

    def __call__(
        self, window: NDArray[np.float32], state: tuple[NDArray[np.float32], NDArray[np.float32]]
    ) -> tuple[float, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Probability of speech in one window.

        Args:
            window: float32 [1, 64 + 512]: context and step.
            state: The LSTM's two states, float32 [1, 1, 128] each.
        """
        probability, h, c = self._session.run(None, {"input": window, "h": state[0], "c": state[1]})
        return float(probability.reshape(-1)[0]), (h, c)


@cache
def load_vad() -> VadModel:
    """The process's one network.

    Raises:
        EngineUnavailable: The package that brings it is not installed.
    """
    spec = find_spec("faster_whisper")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = sorted(f for folder in folders for f in Path(folder).glob("assets/silero_vad*.onnx"))
    if not files:
        raise EngineUnavailable(
            "The voice activity detector's network was not found.",
            fix="Install the package that brings it: pip install 'faster-whisper>=1.2'.",
        )
    return VadModel(files[-1])


class VoiceDetector:
    """One listener's voice activity detector.

    Speech begins with two steps over `threshold` and ends with two more than 0.15 below it. The onset is
    looked for a few steps back, since the network needs a moment to be sure; the end one step back, since it
    lingers for about one (measured: both within 20 ms of the truth in the median, the end noticed 100 ms
    after it).
    """

    def __init__(self, model: VadModel, *, threshold: float = 0.5) -> None:
        self._model = model
        self._on = threshold
        self._off = max(threshold - _HYSTERESIS, threshold / 2)
        self._rest = np.zeros(0, np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._state = (np.zeros(_STATE, np.float32), np.zeros(_STATE, np.float32))
        self._recent = [0.0] * (_LOOK_BACK_STEPS + _ONSET_STEPS)
        self._quiet = _REST_STEPS
        self._position = 0
        self.speaking = False

    def push(self, audio: NDArray[np.float32]) -> Iterator[VadStep]:
        """More audio, float32 [n] at 16 kHz; yields a step for each 512 samples that are complete."""
        self._rest = np.concatenate([self._rest, audio])
        while len(self._rest) >= STEP_SAMPLES:
            step, self._rest = self._rest[:STEP_SAMPLES], self._rest[STEP_SAMPLES:]
            yield self._advance(step)

    def _advance(self, step: NDArray[np.float32]) -> VadStep:
        probability = self._probability(step)
        self._position += STEP_SAMPLES
        self._recent = [*self._recent[1:], probability]
        low = probability < self._off
        self._quiet = self._quiet + 1 if low else 0
        if not self.speaking and min(self._recent[-_ONSET_STEPS:]) >= self._on:
            self.speaking = True
            return VadStep(self._position, probability, started=self._onset())
        if self.speaking and self._quiet >= _OFFSET_STEPS:
            self.speaking = False
            return VadStep(
                self._position, probability, stopped=self._position - (_OFFSET_STEPS + 1) * STEP_SAMPLES
            )
        return VadStep(self._position, probability)

    def _probability(self, step: NDArray[np.float32]) -> float:
        """The network's opinion, or 0 without asking it when nothing could be heard for a while."""
        context, self._context = self._context, step[-_CONTEXT_SAMPLES:]
        if self._quiet >= _REST_STEPS and float(np.abs(step).max()) < _INAUDIBLE:
            return 0.0
        probability, self._state = self._model(np.concatenate([context, step])[None], self._state)
        return probability

    def _onset(self) -> int:
        """Start of the first step of those just before that the network already leaned towards speech."""
        steps = _ONSET_STEPS
        for probability in reversed(self._recent[:-_ONSET_STEPS]):
            if probability < self._off:
                break
            steps += 1
        return max(self._position - steps * STEP_SAMPLES, 0)
