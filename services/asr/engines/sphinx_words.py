"""Words that a persona's ears should know, added to a pocketsphinx decoder.

The bundled dictionary knows 130 000 words, its language model most of them, rare ones with next to no
chance. A word is therefore added under a spelling of its own, as likely as a common word; `spoken` gives the
plain spelling back. A new word gets its pronunciation from the lexicon, or by rule.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from parley.errors import BadRequest
from services.asr.g2p import check_pronunciation, pronounce

log = logging.getLogger(__name__)

_MARK: Final = "~"
# Chance of an added word, as a multiple of the language model's uniform share (1 in 72 000).
_WEIGHT: Final = 50.0


def spoken(token: str) -> str:
    """The word behind a decoder's token: "read(2)" and "read~" are "read"; fillers like "<sil>" are ""."""
    if token.startswith(("<", "[", "+")):
        return ""
    return token.partition("(")[0].rstrip(_MARK)


def wanted_words(hotwords: Sequence[str], lexicon: Mapping[str, str]) -> dict[str, str]:
    """Single lower-case words of both, with the pronunciation where one is given.

    Raises:
        BadRequest: A pronunciation that is not ARPAbet.
    """
    wanted = {word: "" for phrase in hotwords for word in _words(phrase)}
    for phrase, phones in lexicon.items():
        parts = list(_words(phrase))
        if phones and len(parts) != 1:
            raise BadRequest(
                f"The lexicon's {phrase!r} is not one word, so it cannot have a pronunciation.",
                fix="Give each of its words an entry.",
            )
        for word in parts:
            wanted[word] = check_pronunciation(word, phones) if phones else wanted.get(word, "")
    return wanted


def add_words(decoder: Any, words: Mapping[str, str]) -> None:
    """Makes a pocketsphinx decoder expect `words` (word → ARPAbet, "" = by dictionary or rule).

    Raises:
        EngineUnavailable: A pronunciation by rule is needed and flite is not installed.
    """
    model = decoder.get_lm()
    added = []
    for word, given in words.items():
        phones = given or decoder.lookup_word(word) or _by_rule(word)
        if phones and not decoder.lookup_word(word + _MARK):
            model.add_word(word + _MARK, _WEIGHT)
            added.append((word + _MARK, phones))
    for index, (token, phones) in enumerate(added):
        # The search tree is built anew once, with the last.
        decoder.add_word(token, phones, index == len(added) - 1)


def _by_rule(word: str) -> str:
    try:
        return pronounce(word)
    except BadRequest as error:
        # A hotword list may hold "3D" or a foreign name: the other words still count.
        log.warning("a word stays unknown to the ears", extra={"word": word, "reason": error.message})
        return ""


def _words(phrase: str) -> Iterable[str]:
    return (word.strip('.,!?;:"()').lower() for word in phrase.replace("-", " ").split())
