"""Engine `sphinx`: pocketsphinx with its bundled US English models. No download; real-time factor 0.13.

Its language model is adapted to conversation (`services.asr.lm`).

A turn is decoded in segments: `finalize` closes the running one with a best-path search over its lattice,
and what is said after it goes into the next. The flat-lexicon pass between the two is left out: measured, it
gains a word in a hundred and takes a tenth of a second, during which it holds the interpreter's lock.
"""

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from parley.engines import AsrStream, Audio, HeardWord, Hypothesis
from parley.errors import BadRequest, EngineUnavailable
from parley.media.audio import float_to_pcm16
from services.asr.engines.sphinx_cmn import CepstralMean
from services.asr.engines.sphinx_words import add_words, spoken, wanted_words

_RATE_HZ: Final = 16_000
_FRAME_SAMPLES: Final = 160
_PIECE_SAMPLES: Final = 1_600
_SPARE_DECODERS: Final = 2
_SETTINGS: Final = {"loglevel": "FATAL", "fwdflat": False, "bestpathlw": 7.5}


class SphinxEngine:
    """Keeps two decoders (90 MB each) for the next sessions with the same words.

    Who calls again at once may open a session before the last one's decoder is back: then another is made.
    """

    name = "sphinx"
    sample_rate_hz = _RATE_HZ

    def __init__(
        self, *, warm: int = 1, language_model: Path | None = None, transform: Path | None = None
    ) -> None:
        """Loads `warm` decoders ahead of the first sessions.

        Args:
            warm: How many.
            language_model: In pocketsphinx's binary format; None: the bundled one.
            transform: Of the Gaussians' means towards one voice (`training/asr/mllr.py`); None: none.

        Raises:
            EngineUnavailable: pocketsphinx is not installed.
        """
        try:
            import pocketsphinx
        except ImportError as error:
            raise EngineUnavailable(
                "The ears' engine `sphinx` needs pocketsphinx.", fix="pip install 'pocketsphinx>=5.1'"
            ) from error
        adapted = {} if language_model is None else {"lm": str(language_model)}
        self.model = "pocketsphinx en-us" + (", adapted language model" if adapted else "")
        if transform is not None:
            self.model += ", for one voice"
            adapted["mllr"] = str(transform)
        self._new_decoder = partial(pocketsphinx.Decoder, **_SETTINGS, **adapted)
        self._spare: list[tuple[frozenset[tuple[str, str]], Any]] = []
        self._lock = threading.Lock()
        # What a stream's end gives back: the collector may end one in any thread, at any line, inside the
        # lock as well, so that nothing here may wait. Appending to a deque does not.
        self._back: deque[tuple[frozenset[tuple[str, str]], Any]] = deque(maxlen=_SPARE_DECODERS)
        for _ in range(warm):
            self._back.append((frozenset(), self._new_decoder()))

    def open(
        self, *, language: str, hotwords: Sequence[str], lexicon: Mapping[str, str] | None = None
    ) -> AsrStream:
        """Starts listening for one session; the first with new words takes about half a second.

        Raises:
            BadRequest: A language other than English, or a pronunciation that is not ARPAbet.
            EngineUnavailable: flite is needed for a pronunciation and not installed.
        """
        if language and language.split("-")[0].lower() != "en":
            raise BadRequest(
                f"The ears' engine `sphinx` understands English only, not {language!r}.",
                fix="Install a trained Whisper, or choose an avatar that speaks English.",
            )
        words = frozenset(wanted_words(hotwords, lexicon or {}).items())
        decoder = self._take(words)
        stream = SphinxStream(decoder)
        weakref.finalize(stream, self._back.append, (words, decoder)).atexit = False
        return stream

    def _take(self, words: frozenset[tuple[str, str]]) -> Any:
        with self._lock:
            self._sort_in()
            for wanted in (words, frozenset[tuple[str, str]]()):
                place = next((i for i, (known, _) in enumerate(self._spare) if known == wanted), None)
                if place is not None:
                    known, decoder = self._spare.pop(place)
                    break
            else:
                known, decoder = frozenset(), None
        if decoder is None:
            decoder = self._new_decoder()
        if known != words:
            add_words(decoder, dict(words))
        return decoder

    def _sort_in(self) -> None:
        """Puts what was given back first among the spare ones, and lets the oldest go."""
        while self._back:
            words, decoder = self._back.popleft()
            with contextlib.suppress(RuntimeError):  # no utterance was left open
                decoder.end_utt()
            self._spare.insert(0, (words, decoder))
        del self._spare[_SPARE_DECODERS:]


class SphinxStream:
    """One session's decoder; what it learns of the speaker's voice stays from turn to turn."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._mean = CepstralMean()
        self._open = False
        self._words: list[HeardWord] = []
        self._heard = self._segment_start = 0

    def accept(self, audio: Audio) -> None:
        """Decodes more speech, float32 [n] at 16 kHz."""
        if not len(audio):
            return
        if not self._open:
            self._decoder.start_utt()
            self._mean.begin(self._decoder)
            self._open, self._segment_start = True, self._heard
        self._heard += len(audio)
        pcm = float_to_pcm16(audio)
        for start in range(0, len(pcm), 2 * _PIECE_SAMPLES):
            self._decoder.process_raw(pcm[start : start + 2 * _PIECE_SAMPLES])
            self._mean.learn(self._decoder)

    def partial(self) -> Hypothesis:
        """First-pass hypothesis; what `finalize` has closed is stable."""
        closed = " ".join(word.text for word in self._words)
        best = self._decoder.hyp() if self._open else None
        running = " ".join(filter(None, map(spoken, best.hypstr.split()))) if best else ""
        return Hypothesis(f"{closed} {running}".strip(), len(closed))

    def finalize(self) -> Hypothesis:
        """Closes the segment with all passes; costs nothing when nothing was accepted since the last time."""
        if self._open:
            self._decoder.end_utt()
            self._open = False
            self._words += self._segment()
        words = tuple(self._words)
        confidence = float(np.mean([word.confidence for word in words])) if words else 0.0
        text = " ".join(word.text for word in words)
        return Hypothesis(text, len(text), words, confidence)

    def reset(self) -> None:
        """Forgets the turn's words, not the speaker's voice."""
        if self._open:
            self._decoder.end_utt()
        self._open = False
        self._words = []
        self._heard = self._segment_start = 0

    def _segment(self) -> list[HeardWord]:
        if self._decoder.hyp() is None:
            return []
        return [
            HeardWord(
                text,
                self._segment_start + part.start_frame * _FRAME_SAMPLES,
                self._segment_start + (part.end_frame + 1) * _FRAME_SAMPLES,
                min(part.prob, 1.0),
            )
            for part in self._decoder.seg()
            if (text := spoken(part.word))
        ]
