"""What the acoustic model reads: phones with stress, accent, word ends and punctuation, as flite finds them.

Text comes normalised and with the lexicon's pronunciations in it, exactly as the embedded engines get it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.tts.engines.flite_library import FliteLibrary, Segment
from services.tts.engines.phones import CONSONANTS, SILENCE, VOWELS
from services.tts.engines.spoken import Token

# The reduced vowel stays apart from AH here: it is half as long.
SYMBOLS: Final = ("", SILENCE, *sorted(VOWELS), *sorted(CONSONANTS))
MARKS: Final = ("", ",", ".", "?", "!")
# How many values each column of `Phonemes.codes` has: phone, stress, accent, what ends, mark to come.
SIZES: Final = (len(SYMBOLS), 2, 2, 3, len(MARKS))
ANALYST: Final = "kal16"  # speaks a clause in 1 ms; its front end is that of all flite voices
_OF_FLITE: Final = {
    "axr": "er",
    "el": "l",
    "em": "m",
    "en": "n",
    "nx": "n",
    "dx": "d",
    "hv": "hh",
    "ssil": SILENCE,
}
_NUMBER: Final = {symbol: number for number, symbol in enumerate(SYMBOLS)}
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phonemes:
    """A clause as the model reads it.

    Attributes:
        symbols: Lower-case ARPAbet without stress, "ax" for the reduced vowel, "pau" for silence.
        codes: int64 [n, 5], see `SIZES`.
    """

    symbols: tuple[str, ...]
    codes: Codes


class FrontEnd:
    """Finds the phonemes of a clause.

    Raises:
        EngineUnavailable: libflite or its voice kal16 is not installed.
    """

    def __init__(self) -> None:
        self._library = FliteLibrary(wanted=(ANALYST,))

    def read(self, words: Sequence[Token]) -> Phonemes:
        """The phonemes of `words`, at least one; begins and ends with silence.

        Raises:
            ServiceUnavailable: flite made nothing of them.
        """
        return phonemes(self._library.analyse(ANALYST, words))


def phonemes(segments: Sequence[Segment]) -> Phonemes:
    """Segments in the model's code."""
    symbols = tuple(_OF_FLITE.get(s.symbol, s.symbol) for s in segments)
    codes = np.zeros((len(segments), len(SIZES)), np.int64)
    coming = 0
    for at in reversed(range(len(segments))):
        segment = segments[at]
        if symbols[at] != SILENCE and segment.ends == 2 and segment.mark[:1] in MARKS[1:]:
            coming = MARKS.index(segment.mark[0])
            if at + 1 < len(segments) and symbols[at + 1] == SILENCE:
                codes[at + 1, 4] = coming  # a pause belongs to the phrase that it ends
        ends = 2 if symbols[at] == SILENCE else segment.ends
        codes[at] = _NUMBER[symbols[at]], segment.stressed, segment.accented, ends, coming
    return Phonemes(symbols, codes)
