"""Words in texts: counting them, and replacing one everywhere."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+(?:['’.-]\w+)*")


def count(text: str) -> int:
    """How many words a text has."""
    return sum(1 for _ in _WORD.finditer(text))


def normalised(word: str) -> str:
    """A word as it is compared: lower case, only letters, digits and inner apostrophes."""
    return "".join(c for c in word.lower().replace("’", "'") if c.isalnum() or c == "'").strip("'")


def replace(text: str, word: str, replacement: str) -> str:
    """The text with every whole occurrence of `word` (one or several words, any case) replaced.

    A capital at the beginning of an occurrence is kept if the replacement begins with a small letter. An
    empty replacement takes the word out, with one space.
    """
    pattern = re.compile(rf"(?<![\w'’]){re.escape(word.strip())}(?![\w'’])", re.IGNORECASE)

    def cased(match: re.Match[str]) -> str:
        if match[0][:1].isupper() and not word[:1].isupper() and replacement[:1].islower():
            return replacement[:1].upper() + replacement[1:]
        return replacement

    replaced = pattern.sub(cased, text)
    return replaced if replacement or replaced == text else re.sub(r"\s{2,}", " ", replaced).strip()
