"""Phone symbols: what the synthesisers say, and the one set that travels with the audio."""

import re

# Festival's and flite's "radio" phone set has allophones that CMUdict writes as their phonemes.
_TO_CMUDICT = {
    "ax": "ah",
    "axr": "er",
    "ix": "ih",
    "el": "l",
    "em": "m",
    "en": "n",
    "nx": "n",
    "dx": "d",
    "hv": "hh",
    "h#": "pau",
    "brth": "pau",
    "sil": "pau",
    "ssil": "pau",
}

VOWELS = frozenset("aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw".split())
CONSONANTS = frozenset("b ch d dh f g hh jh k l m n ng p r s sh t th v w y z zh".split())
SILENCE = "pau"

_SYMBOL = re.compile(r"([a-z]+)([012]?)")


def to_cmudict(symbol: str) -> str:
    """A synthesiser's symbol as lower-case ARPAbet without stress, "pau" for silence."""
    return _TO_CMUDICT.get(symbol, symbol)


def stressed(pronunciation: str) -> tuple[str, ...]:
    """ARPAbet, as people write it in a lexicon, in the form that both synthesisers take.

    Every vowel gets a stress digit: what is written; else 1 for the first vowel and 0 for the others. An
    unstressed AH becomes the reduced "ax".

    Args:
        pronunciation: "P AA R L IY" or "P AA1 R L IY0".

    Returns:
        ("p", "aa1", "r", "l", "iy0"); empty when it is not ARPAbet or has no vowel.
    """
    phones: list[str] = []
    primary_seen = False
    for written in pronunciation.lower().split():
        match = _SYMBOL.fullmatch(written)
        symbol, stress = match.groups() if match else ("", "")
        if symbol in CONSONANTS and not stress:
            phones.append(symbol)
        elif symbol in VOWELS:
            stress = stress or ("0" if primary_seen or symbol == "ax" else "1")
            primary_seen = primary_seen or stress != "0"
            phones.append(("ax" if symbol == "ah" and stress == "0" else symbol) + stress)
        else:
            return ()
    return tuple(phones) if any(phone[-1].isdigit() for phone in phones) else ()
