"""The C library flite through ctypes: voices stay in memory, and speech never touches a file.

Only functions that libflite exports are called; of its structures only the heads of `cst_wave` and
`cst_voice` are read, whose layout has not changed since flite 1.0.
"""

import ctypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_short, c_uint, c_void_p
from dataclasses import dataclass

import numpy as np

from parley.engines import Audio
from parley.errors import EngineUnavailable, ServiceUnavailable
from services.tts.engines.spoken import Token

LIBRARY = "libflite.so.1"
VOICES = ("rms", "slt", "awb", "kal16", "kal")
FIX = "apt install flite libflite1"
_NOISE_SEED = 1
_TOKEN, _SEGMENT, _STRETCH = b"Token", b"Segment", b"duration_stretch"
_NAME, _WHITESPACE, _BEFORE, _AFTER = b"name", b"whitespace", b"prepunctuation", b"punc"
_PHONES, _END = b"phones", b"end"
_STRESS = b"R:SylStructure.parent.stress"
_ACCENT = b"R:SylStructure.parent.R:Syllable.accented"
_NEXT_IN_SYLLABLE = b"R:SylStructure.n.name"
_BREAK = b"R:SylStructure.parent.syl_break"
_PUNCTUATION = b"R:SylStructure.parent.parent.R:Token.parent.punc"


class _Wave(Structure):
    _fields_ = (
        ("type", c_char_p),
        ("sample_rate", c_int),
        ("num_samples", c_int),
        ("num_channels", c_int),
        ("samples", POINTER(c_short)),
    )


class _Voice(Structure):
    _fields_ = (("name", c_char_p), ("features", c_void_p))


_SIGNATURES: dict[str, tuple[object, Sequence[object]]] = {
    "flite_init": (c_int, ()),
    "new_utterance": (c_void_p, ()),
    "delete_utterance": (None, (c_void_p,)),
    "utt_relation_create": (c_void_p, (c_void_p, c_char_p)),
    "utt_relation": (c_void_p, (c_void_p, c_char_p)),
    "relation_append": (c_void_p, (c_void_p, c_void_p)),
    "relation_head": (c_void_p, (c_void_p,)),
    "item_next": (c_void_p, (c_void_p,)),
    "item_set_string": (None, (c_void_p, c_char_p, c_char_p)),
    "item_feat_string": (c_char_p, (c_void_p, c_char_p)),
    "item_feat_float": (c_float, (c_void_p, c_char_p)),
    "ffeature_string": (c_char_p, (c_void_p, c_char_p)),
    "flite_do_synth": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "flite_feat_set_float": (None, (c_void_p, c_char_p, c_float)),
    "utt_wave": (POINTER(_Wave), (c_void_p,)),
}


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech float32 [n] at `rate_hz`, and (phone, end in seconds) in order."""

    audio: Audio
    rate_hz: int
    segments: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Segment:
    """A phone and its place in the sentence.

    Attributes:
        symbol: Of the radio phone set.
        stressed: Its syllable bears stress.
        accented: Its syllable bears a pitch accent.
        ends: 0; 1 when a syllable ends with it; 2 when a word does.
        mark: Punctuation after its word, as the token had it, or "".
    """

    symbol: str
    stressed: bool
    accented: bool
    ends: int
    mark: str


class FliteLibrary:
    """libflite and its American English voices.

    Synthesis is serialised by a lock: the statistical voices draw their noise from the C library's one
    `rand`, which is seeded afresh for each clause so that the same clause gives the same samples. At 1 % of
    real time that costs nothing.

    Args:
        wanted: The voices to load, as far as they are installed.

    Raises:
        EngineUnavailable: The library or all of these voices are missing.
    """

    def __init__(self, wanted: Sequence[str] = VOICES) -> None:
        try:
            self._flite = ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise EngineUnavailable(f"The library {LIBRARY} is not installed.", fix=FIX) from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._flite, name)
            function.restype, function.argtypes = result, arguments
        self._srand = ctypes.CDLL(None).srand
        self._srand.argtypes = (c_uint,)
        self._lock = threading.Lock()
        self._flite.flite_init()
        self._synthesizer = ctypes.cast(self._flite.utt_synth_tokens, c_void_p)
        self._voices = {name: voice for name in wanted if (voice := _load_voice(name)) is not None}
        if not self._voices:
            raise EngineUnavailable(f"No flite voice of {', '.join(wanted)} is installed.", fix=FIX)

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the voices found, best first."""
        return tuple(self._voices)

    def say(self, voice: str, words: Sequence[Token], *, speed: float) -> Utterance:
        """Synthesises `words`, at least one, by one of `voices`.

        Raises:
            ServiceUnavailable: flite made nothing of them.
        """
        with self._spoken(voice, words, speed) as utterance:
            wave = self._flite.utt_wave(utterance).contents
            pcm = np.frombuffer(ctypes.string_at(wave.samples, 2 * wave.num_samples), "=i2")
            return Utterance(
                pcm.astype(np.float32) * np.float32(2**-15),
                wave.sample_rate,
                list(self._segments(utterance)),
            )

    def analyse(self, voice: str, words: Sequence[Token]) -> list[Segment]:
        """How `words`, at least one, are said: flite's lexicon, letter-to-sound rules and phrasing.

        Raises:
            ServiceUnavailable: flite made nothing of them.
        """
        with self._spoken(voice, words, 1.0) as utterance:
            return [self._segment(item) for item in self._items(utterance)]

    @contextmanager
    def _spoken(self, voice: str, words: Sequence[Token], speed: float) -> Iterator[int]:
        """An utterance with everything that flite computes, freed afterwards."""
        pointer = self._voices[voice]
        features = ctypes.cast(pointer, POINTER(_Voice)).contents.features
        with self._lock:
            self._srand(_NOISE_SEED)
            self._flite.flite_feat_set_float(features, _STRETCH, 1 / speed)
            spoken = self._flite.flite_do_synth(self._tokens(words), pointer, self._synthesizer)
            if not spoken:  # flite has freed the utterance
                raise ServiceUnavailable("Flite could not speak this text.", fix="Use another voice for it.")
            try:
                yield spoken
            finally:
                self._flite.delete_utterance(spoken)

    def _tokens(self, words: Sequence[Token]) -> int:
        """An utterance with these tokens: text that flite would have to parse does not occur."""
        utterance: int = self._flite.new_utterance()
        relation = self._flite.utt_relation_create(utterance, _TOKEN)
        for word in words:
            item = self._flite.relation_append(relation, None)
            set_feature = self._flite.item_set_string
            # Flite keeps the pointer to a feature's name (constants, here) but copies its value.
            set_feature(item, _NAME, (word.word or "x").encode("ascii"))
            set_feature(item, _WHITESPACE, b" ")
            set_feature(item, _BEFORE, b"")
            set_feature(item, _AFTER, word.mark.encode("ascii"))
            if word.phones:
                set_feature(item, _PHONES, " ".join(word.phones).encode("ascii"))
        return utterance

    def _items(self, utterance: int) -> Iterator[int]:
        item = self._flite.relation_head(self._flite.utt_relation(utterance, _SEGMENT))
        while item:
            yield item
            item = self._flite.item_next(item)

    def _segments(self, utterance: int) -> Iterator[tuple[str, float]]:
        for item in self._items(utterance):
            symbol: bytes = self._flite.item_feat_string(item, _NAME)
            yield symbol.decode("ascii"), self._flite.item_feat_float(item, _END)

    def _segment(self, item: int) -> Segment:
        def feature(path: bytes) -> str:
            value: bytes = self._flite.ffeature_string(item, path)
            return "" if value == b"0" else value.decode("ascii")

        in_syllable = bool(feature(_NEXT_IN_SYLLABLE))
        return Segment(
            feature(_NAME),
            bool(feature(_STRESS)),
            bool(feature(_ACCENT)),
            0 if in_syllable else 1 + bool(feature(_BREAK)),
            feature(_PUNCTUATION),
        )


def _load_voice(name: str) -> int | None:
    """The pointer to a voice, which lives as long as the process; None when its library is not installed."""
    try:
        library = ctypes.CDLL(f"libflite_cmu_us_{name}.so.1")
    except OSError:
        return None
    register = getattr(library, f"register_cmu_us_{name}")
    register.restype, register.argtypes = c_void_p, (c_char_p,)
    pointer: int | None = register(None)
    return pointer
