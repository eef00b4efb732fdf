"""Speech with phone times from `libespeak-ng`, whose hundred voice variants make a model hear many people."""

import ctypes
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from parley.engines import Audio, TimedPhone
from parley.errors import EngineUnavailable
from parley.media.audio import pcm16_to_float, resample
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ

_SYNCHRONOUS, _PHONEME_EVENTS, _IPA = 2, 1, 2
_PHONEME, _LIST_END = 7, 0
_RATE, _PITCH, _RANGE = 1, 3, 4

# IPA as espeak-ng writes English, longest first when matched; values in ARPAbet.
_IPA_TO_ARPABET = {
    "tʃ": "ch", "dʒ": "jh", "aɪ": "ay", "eɪ": "ey", "ɔɪ": "oy", "aʊ": "aw", "oʊ": "ow", "əʊ": "ow",
    "ɑː": "aa", "ɔː": "ao", "oː": "ao", "iː": "iy", "uː": "uw", "ɜː": "er", "eə": "eh", "ɪə": "ih",
    "ʊə": "uh", "p": "p", "b": "b", "m": "m", "f": "f", "v": "v", "θ": "th", "ð": "dh", "t": "t", "d": "d",
    "ɾ": "dx", "n": "n", "ŋ": "ng", "k": "k", "ɡ": "g", "g": "g", "x": "k", "h": "hh", "s": "s", "z": "z",
    "ʃ": "sh", "ʒ": "zh", "ɹ": "r", "r": "r", "l": "l", "ɫ": "l", "w": "w", "j": "y", "ʔ": "pau", "ɚ": "er",
    "ɝ": "er", "ə": "ax", "ɐ": "ah", "ʌ": "ah", "ɪ": "ih", "ᵻ": "ih", "i": "iy", "e": "eh", "ɛ": "eh",
    "æ": "ae", "a": "ae", "ɑ": "aa", "ɒ": "aa", "ɔ": "ao", "o": "ao", "ʊ": "uh", "u": "uw",
}  # fmt: skip
_UNITS = re.compile("|".join(sorted(_IPA_TO_ARPABET, key=len, reverse=True)))


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def arpabet(ipa: str) -> list[str]:
    """English IPA, stress marks and all, as lower-case ARPAbet; nothing for a pause."""
    return [_IPA_TO_ARPABET[unit] for unit in _UNITS.findall(ipa)]


class Espeak:
    """The library, once a process: it keeps its state in globals.

    Raises:
        EngineUnavailable: It is not installed.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise EngineUnavailable(
                "libespeak-ng is not installed.", fix="Run `apt-get install espeak-ng`."
            ) from error
        self._rate_hz: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _IPA)
        if self._rate_hz <= 0:
            raise EngineUnavailable("espeak-ng finds no data.", fix="Run `apt-get install espeak-ng-data`.")
        self._pieces: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self._phones: list[tuple[int, str]] = []
        self._callback = _Callback(self._receive)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Sequence[int], count: int, events: Sequence[_Event]) -> int:
        if count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        i = 0
        while events[i].type != _LIST_END:
            if events[i].type == _PHONEME:
                self._phones.append((events[i].sample, events[i].id.string.decode("utf-8", "ignore")))
            i += 1
        return 0

    def speak(
        self, text: str, *, voice: str, words_per_minute: int = 165, pitch: int = 50
    ) -> tuple[Audio, list[TimedPhone]]:
        """Says `text`.

        Args:
            text: English.
            voice: Name with variant, such as "en-us+f3".
            words_per_minute: 80 to 450.
            pitch: 0 to 99.

        Returns:
            float32 [n * 960] at 24 kHz, padded with silence, and its phones on the media clock.

        Raises:
            EngineUnavailable: There is no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EngineUnavailable(f"espeak-ng has no voice {voice!r}.")
        self._pieces.clear()
        self._phones.clear()
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        said = text.encode()
        self._library.espeak_Synth(said, len(said) + 1, 0, 1, 0, 1, None, None)
        self._library.espeak_Synchronize()
        pcm = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        audio = resample(pcm16_to_float(pcm.tobytes()), self._rate_hz, SAMPLE_RATE_HZ)
        return np.pad(audio, (0, -len(audio) % FRAME_SAMPLES)), self._timed(len(pcm))

    def _timed(self, samples: int) -> list[TimedPhone]:
        phones = [TimedPhone("pau", self._clock(self._phones[0][0]))] if self._phones else []
        ends = [start for start, _ in self._phones[1:]] + [samples]
        for (start, ipa), end in zip(self._phones, ends, strict=True):
            units = arpabet(ipa) or ["pau"]
            for k, unit in enumerate(units, 1):
                phones.append(TimedPhone(unit, self._clock(start + (end - start) * k // len(units))))
        return phones

    def _clock(self, sample: int) -> int:
        return sample * SAMPLE_RATE_HZ // self._rate_hz


@lru_cache(maxsize=1)
def espeak() -> Espeak:
    """This process's library."""
    return Espeak()
