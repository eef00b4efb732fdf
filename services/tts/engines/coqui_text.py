"""Words for models that read IPA or letters, and IPA back to the phones that travel with the audio."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.engines import TimedPhone
from services.tts.engines.phones import SILENCE
from services.tts.engines.spoken import Token

# ARPAbet to IPA as espeak-ng writes American English, and to letters that English readers say that way.
_WRITTEN: Final = {
    "aa": ("ɑː", "ah"), "ae": ("æ", "a"), "ah": ("ʌ", "uh"), "ao": ("ɔː", "aw"), "aw": ("aʊ", "ow"),
    "ax": ("ə", "a"), "ay": ("aɪ", "igh"), "eh": ("ɛ", "e"), "er": ("ɜː", "er"), "ey": ("eɪ", "ay"),
    "ih": ("ɪ", "i"), "iy": ("iː", "ee"), "ow": ("oʊ", "oh"), "oy": ("ɔɪ", "oy"), "uh": ("ʊ", "oo"),
    "uw": ("uː", "oo"), "b": ("b", "b"), "ch": ("tʃ", "ch"), "d": ("d", "d"), "dh": ("ð", "th"),
    "f": ("f", "f"), "g": ("ɡ", "g"), "hh": ("h", "h"), "jh": ("dʒ", "j"), "k": ("k", "k"),
    "l": ("l", "l"), "m": ("m", "m"), "n": ("n", "n"), "ng": ("ŋ", "ng"), "p": ("p", "p"),
    "r": ("ɹ", "r"), "s": ("s", "s"), "sh": ("ʃ", "sh"), "t": ("t", "t"), "th": ("θ", "th"),
    "v": ("v", "v"), "w": ("w", "w"), "y": ("j", "y"), "z": ("z", "z"), "zh": ("ʒ", "zh"),
}  # fmt: skip
# What IPA characters, alone and in twos, are; the first of two that make one phone ends with the second.
_PHONES: Final = {ipa.rstrip("ː"): phone for phone, (ipa, _) in _WRITTEN.items()} | {
    "ə": "ah", "ɐ": "ah", "ᵻ": "ih", "ɚ": "er", "ɝ": "er", "ɒ": "aa", "e": "eh", "a": "ae", "o": "ow",
    "i": "iy", "u": "uw", "ɾ": "d", "r": "r", "g": "g", "ʔ": "t", "ɔ": "ao", "ɑ": "aa",
}  # fmt: skip
_UNHEARD: Final = frozenset("ˈˌː")


def symbols(phones: Sequence[str]) -> str:
    """IPA of ("m", "ih1", "r", "ax0"): stress marks stand before the vowel."""
    marks = {"1": "ˈ", "2": "ˌ"}
    return "".join(marks.get(p[-1], "") + _WRITTEN[p.rstrip("012")][0] for p in phones)


def respelled(words: Sequence[Token]) -> str:
    """Text; a pronunciation as letters that are said that way, for models that read letters."""
    return " ".join(
        (word.word or "".join(_WRITTEN[p.rstrip("012")][1] for p in word.phones)) + word.mark
        for word in words
    )


def timed(written: Sequence[str], ends: NDArray[np.floating]) -> list[TimedPhone]:
    """Phones of a model's input symbols.

    Args:
        written: Each symbol; a mark is silence, and what else is no phone (blanks, stress) belongs to the
            phone before.
        ends: Of each, in samples.
    """
    made: list[TimedPhone] = []
    before = ""
    for symbol, end in zip(written, ends, strict=True):
        stop = round(float(end))
        pair = _PHONES.get(before + symbol) if before and symbol else None
        phone = pair or _PHONES.get(symbol)
        if pair is not None and made:
            made[-1] = TimedPhone(pair, stop)
        elif phone is not None:
            made.append(TimedPhone(phone, stop))
        elif symbol in (",", ".", "?", "!", ";", ":") or not made:
            made.append(TimedPhone(SILENCE, stop))
        else:
            made[-1] = TimedPhone(made[-1].symbol, stop)
        if symbol not in _UNHEARD and _PHONES.get(symbol):
            before = "" if pair else symbol
        elif symbol in (" ", *",.?!;:"):
            before = ""
    return made
