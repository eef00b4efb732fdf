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
from parley.errors import BadRequest
from services.asr.engines import guards, whisper_model
from services.asr.engines.agreement import StablePrefix

_RATE_HZ: Final = guards.RATE_HZ
_LONGEST_WINDOW: Final = 15 * _RATE_HZ
_SHORTEST_WINDOW: Final = _RATE_HZ * 3 // 10
_KEPT_CONTEXT: Final = _RATE_HZ
_HELD_BACK: Final = _RATE_HZ * 8 // 10  # of what was said last a small model guesses the rest: not promised
# More than people say in a window of 16 s; a decoder that goes in circles is stopped there.
_MOST_TOKENS: Final = 160


class WhisperModel(Protocol):
    """The part of `faster_whisper.WhisperModel` that is used."""

    def transcribe(self, audio: Audio, **options: Any) -> tuple[Iterable[Any], Any]: ...


def load_whisper(model: str, *, device: str, compute: str = "auto") -> "WhisperEngine":
    """Loads a model; see `services.asr.engines.whisper_model.load` for what it takes and raises."""
    loaded = whisper_model.load(model, device=device, compute=compute)
    languages = frozenset(loaded.supported_languages)
    path = Path(model)
    name = path.resolve().name if path.is_dir() else model
    expects = whisper_model.about(model).get("expects", True)
    return WhisperEngine(loaded, model=name, languages=languages, expects=expects)


class WhisperEngine:
    """One model, decoded by one thread at a time.

    Args:
        whisper: The model.
        model: Its name.
        languages: What it understands; empty: not known, and not checked.
        expects: Whether words to expect help it; a small model may be misled by them, and is not told any.
    """

    name = "whisper"
    sample_rate_hz = _RATE_HZ

    def __init__(
        self,
        whisper: WhisperModel,
        *,
        model: str,
        languages: frozenset[str] = frozenset(),
        expects: bool = True,
    ) -> None:
        self.model = model
        self._expects = expects
        self._whisper = whisper
        self._languages = languages
        self._lock = threading.Lock()

    def open(
        self, *, language: str, hotwords: Sequence[str], lexicon: Mapping[str, str] | None = None
    ) -> AsrStream:
        """Starts listening for one session; pronunciations are of no use to Whisper, spellings are.

        Raises:
            BadRequest: The model does not understand the language.
        """
        words = dict.fromkeys([*hotwords, *(lexicon or {})] if self._expects else [])
        spoken = language.split("-")[0].lower()
        if spoken and self._languages and spoken not in self._languages:
            raise BadRequest(
                f"The Whisper model {self.model} does not understand {language!r}.",
                fix=f"Install a multilingual one, or choose from: {', '.join(sorted(self._languages))}.",
            )
        return WhisperStream(self, language=spoken, hotwords=" ".join(words))

    def decode(self, audio: Audio, *, language: str, hotwords: str, beam: int) -> list[HeardWord]:
        """Words of one window, float32 [n] at 16 kHz; times in its samples."""
        sound_end = guards.audible_end(audio)
        if not sound_end:
            return []
        with self._lock:
            segments, _ = self._whisper.transcribe(
                audio,
                language=language or None,
                beam_size=beam,
                temperature=0.0,
                # A window is one segment: word times come from the attention, not from what is written.
                without_timestamps=True,
                word_timestamps=True,
                max_new_tokens=_MOST_TOKENS,
                condition_on_previous_text=False,
                hotwords=hotwords or None,
                vad_filter=False,
            )
            # The segments are decoded while they are read.
            believed = [segment for segment in guards.once(segments, len(audio)) if guards.heard(segment)]
        words = [
            HeardWord(
                word.word.strip(),
                round(word.start * _RATE_HZ),
                min(round(word.end * _RATE_HZ), len(audio)),
                float(word.probability),
            )
            for segment in believed
            for word in segment.words or ()
            if word.word.strip() and word.start * _RATE_HZ < len(audio)
        ]
        return guards.unlooped(guards.sounded(words, sound_end))


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
        heard_until = self._begin + len(self._audio)
        self._prefix.update(self._decode(beam=1), until=heard_until - _HELD_BACK)
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
