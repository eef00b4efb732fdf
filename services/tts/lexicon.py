"""An avatar's own words, said as its lexicon tells.

Pronunciations travel inside the clause, in square brackets ("Ask [M IH1 R AH0]."), so that engines keep no
state of avatars: two avatars may say one word in two ways on the same voice.
"""

import re
from collections.abc import Mapping

from services.tts.engines.phones import stressed

_SIBILANTS = frozenset("s z sh zh ch jh".split())
_VOICELESS = frozenset("p t k f th".split())


class Lexicon:
    """Marks the words that it knows.

    Args:
        entries: Word (any case; may be several words) to ARPAbet, with or without stress digits. Entries
            without a pronunciation, or with one that is not ARPAbet, are left to the engine's rules.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._phones = {
            word.lower(): phones
            for word, written in entries.items()
            if word and (phones := stressed(written))
        }
        words = "|".join(re.escape(word) for word in sorted(self._phones, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w'])({words})('s)?(?![\w'])", re.IGNORECASE) if words else None
        self.words = frozenset(word.lower() for word in entries)

    def mark(self, clause: str) -> str:
        """The clause with every known word (its possessive too) replaced by its pronunciation."""
        return self._pattern.sub(self._marked, clause) if self._pattern else clause

    def _marked(self, match: "re.Match[str]") -> str:
        phones = self._phones[match[1].lower()]
        if match[2]:
            phones += _possessive(phones[-1])
        return "[" + " ".join(phone.upper().replace("AX", "AH") for phone in phones) + "]"


def _possessive(last: str) -> tuple[str, ...]:
    if last in _SIBILANTS:
        return ("ih0", "z")
    return ("s",) if last in _VOICELESS else ("z",)
