"""Engine `whisper`: faster-whisper (CTranslate2), int8 on a CPU, float16 on a GPU.

Whisper hears windows, not streams: the turn's audio is decoded again as it grows, what two decodes agree on
is committed, and audio before the committed words is let go once the window is long.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from parley.engines import AsrStream, Audio, HeardWord, Hypothesis
from parley.errors import EngineUnavailable
from services.asr.engines.agreement import StablePrefix

_RATE_HZ: Final = 16_000
_LONGEST_WINDOW: Final = 15 * _RATE_HZ
_SHORTEST_WINDOW: Final = _RATE_HZ * 3 // 10
_KEPT_CONTEXT: Final = _RATE_HZ
# Whisper's own signs of having heard nothing, or of going in circles (Radford et al. 2022, section 4.5).
_NO_SPEECH: Final = 0.6
_NO_SPEECH_LOGPROB: Final = -1.0
_TOO_REPETITIVE: Final = 2.4
_UNSURE_LOGPROB: Final = -1.5


class WhisperModel(Protocol):
    """The part of `faster_whisper.WhisperModel` that is used."""

    def transcribe(self, audio: Audio, **options: Any) -> tuple[Iterable[Any], Any]: ...


def load_whisper(model: str, *, device: str) -> "WhisperEngine":
    """Loads a model.

    Args:
        model: A CTranslate2 folder, or a name that the hub or its local cache knows ("small.en").
        device: "cpu" or "cuda".

    Raises:
        EngineUnavailable: The package, the folder or the download is missing.
    """
    try:
        import faster_whisper
    except ImportError as error:
        raise EngineUnavailable(
            "The ears' engine `whisper` needs faster-whisper.", fix="pip install 'faster-whisper>=1.2'"
        ) from error
    path = Path(model)
    by_name = "/" not in model or (
        not path.is_absolute() and model.count("/") == 1 and not path.parent.is_dir()
    )
    if not by_name and not (path / "model.bin").is_file():
        raise EngineUnavailable(f"There is no CTranslate2 Whisper model in {path}.", fix=_how_to_get(path))
    try:
        loaded = faster_whisper.WhisperModel(
            model,
            device=device,
            compute_type="int8" if device == "cpu" else "float16",
            cpu_threads=1,
            num_workers=1,
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise EngineUnavailable(
            f"The Whisper model {model} cannot be loaded: {reason}", fix=_how_to_get(path)
        ) from error
    return WhisperEngine(loaded, model=path.resolve().name if path.is_dir() else model)


def _how_to_get(path: Path) -> str:
    return (
        "On a machine with internet access: ct2-transformers-converter --model openai/whisper-small.en "
        f"--copy_files tokenizer.json preprocessor_config.json --quantization int8 --output_dir {path}, "
        "or set PARLEY_ASR_ENGINE=sphinx, which needs no download."
    )


class WhisperEngine:
    """One model, decoded by one thread at a time."""

    name = "whisper"
    sample_rate_hz = _RATE_HZ

    def __init__(self, whisper: WhisperModel, *, model: str) -> None:
        self.model = model
        self._whisper = whisper
        self._lock = threading.Lock()

    def open(
        self, *, language: str, hotwords: Sequence[str], lexicon: Mapping[str, str] | None = None
    ) -> AsrStream:
        """Starts listening for one session; pronunciations are of no use to Whisper, spellings are."""
        words = dict.fromkeys([*hotwords, *(lexicon or {})])
        return WhisperStream(self, language=language.split("-")[0].lower(), hotwords=" ".join(words))

    def decode(self, audio: Audio, *, language: str, hotwords: str, beam: int) -> list[HeardWord]:
        """Words of one window, float32 [n] at 16 kHz; times in its samples."""
        with self._lock:
            segments, _ = self._whisper.transcribe(
                audio,
                language=language or None,
                beam_size=beam,
                temperature=0.0,
                word_timestamps=True,
                condition_on_previous_text=False,
                hotwords=hotwords or None,
                vad_filter=False,
            )
            # The segments are decoded while they are read.
            believed = [segment for segment in segments if _believable(segment)]
        words = [word for segment in believed for word in segment.words or ()]
        return [
            HeardWord(
                word.word.strip(),
                round(word.start * _RATE_HZ),
                min(round(word.end * _RATE_HZ), len(audio)),
                float(word.probability),
            )
            for word in words
            # Whisper pads its window with silence, and sometimes hears words there.
            if word.word.strip() and word.start * _RATE_HZ < len(audio)
        ]


def _believable(segment: Any) -> bool:
    """Whether Whisper heard this segment rather than made it up."""
    silent = segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _NO_SPEECH_LOGPROB
    looping = segment.compression_ratio > _TOO_REPETITIVE
    return not (silent or looping or segment.avg_logprob < _UNSURE_LOGPROB)


class WhisperStream:
    """One session's turn."""

    def __init__(self, engine: WhisperEngine, *, language: str, hotwords: str) -> None:
        self._engine = engine
        self._language = language
        self._hotwords = hotwords
        self.reset()

    def reset(self) -> None:
        """Forgets the turn."""
        self._audio: Audio = np.zeros(0, np.float32)
        self._begin = 0  # of the window, in the turn's samples
        self._decoded = -1  # length of the turn when `_final` was made
        self._final: list[HeardWord] = []
        self._prefix = StablePrefix()

    def accept(self, audio: Audio) -> None:
        """Takes more speech, float32 [n] at 16 kHz; nothing is decoded yet."""
        self._audio = np.concatenate([self._audio, audio])

    def partial(self) -> Hypothesis:
        """Decodes the window greedily."""
        self._prefix.update(self._decode(beam=1))
        self._trim()
        words = [*self._prefix.committed, *self._prefix.tentative]
        return _hypothesis(words, stable=len(self._prefix.committed))

    def finalize(self) -> Hypothesis:
        """Decodes the window with a beam; the committed words stay."""
        length = self._begin + len(self._audio)
        if length != self._decoded:
            self._final = self._prefix.settle(self._decode(beam=5))
            self._decoded = length
        return _hypothesis(self._final, stable=len(self._prefix.committed))

    def _decode(self, *, beam: int) -> list[HeardWord]:
        if len(self._audio) < _SHORTEST_WINDOW:
            return []
        words = self._engine.decode(self._audio, language=self._language, hotwords=self._hotwords, beam=beam)
        return [HeardWord(w.text, w.start + self._begin, w.end + self._begin, w.confidence) for w in words]

    def _trim(self) -> None:
        """Lets go of audio before the last committed words when the window has become long."""
        if len(self._audio) <= _LONGEST_WINDOW or not self._prefix.committed:
            return
        keep_from = max(self._prefix.committed[-1].end - _KEPT_CONTEXT, self._begin)
        self._audio = self._audio[keep_from - self._begin :]
        self._begin = keep_from


def _hypothesis(words: Sequence[HeardWord], *, stable: int) -> Hypothesis:
    confidence = float(np.mean([word.confidence for word in words])) if words else 0.0
    return Hypothesis(
        " ".join(word.text for word in words),
        len(" ".join(word.text for word in words[:stable])),
        tuple(words),
        confidence,
    )
