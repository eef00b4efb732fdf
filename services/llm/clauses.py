"""Cuts a streaming reply into clauses that can be spoken one by one.

The first clause leaves as soon as it makes sense alone, since everyone waits for it; later ones are about a
sentence long, since a voice sounds best with a whole sentence in hand. Where it is cut depends on the text
alone, not on how it arrived, so a worker that takes a reply over cuts it where the first one would have.
"""

import re

from services.llm.spoken import SpokenText

# Words that must stand before a boundary of each kind for it to be taken: (first clause, later clauses).
_ENOUGH_WORDS = {
    "end": (1, 3),
    "strong": (2, 6),
    "comma": (2, 12),
    "dash": (2, 8),
    "joint": (4, 18),
    "space": (40, 40),
}

_BOUNDARY = re.compile(
    r"(?P<end>[.!?…]+[\"')\]”’]*)(?= )"
    r"|(?P<strong>[;:][\"')\]”’]*)(?= )"
    r"|(?P<comma>,[\"')\]”’]*)(?= )"
    r"|(?P<dash>—|(?: [–-]{1,2})(?= ))"
    r"|(?P<joint>)(?= (?:and|but|or|because|so|which|while|when|where|if|although|though|until) )"
    r"|(?P<space>)(?= )"
)

# Abbreviations that a name or a number follows, so that a capital letter after them starts no sentence.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st mt gen col sgt capt lt rev hon fr sr fig vol approx ca cf vs e.g i.e".split()
)
_INITIALS = re.compile(r"(?:[a-z]\.)*[a-z]", re.IGNORECASE)


class ClauseChunker:
    """Turns deltas of text into clauses. Their concatenation is the cleaned text."""

    def __init__(self, *, after: str = "") -> None:
        """Starts a reply, or goes on after the clauses already said.

        Args:
            after: Concatenation of those clauses.
        """
        self._cleaner = SpokenText(after=after)
        self._text = ""
        self._first = not after

    def feed(self, delta: str) -> list[str]:
        """Takes more raw text; returns the clauses that are complete."""
        self._text += self._cleaner.feed(delta)
        return self._cut_off()

    def finish(self) -> list[str]:
        """Returns the clauses that are left: the text is complete."""
        self._text += self._cleaner.finish()
        clauses = self._cut_off()
        if self._text:
            clauses.append(self._text)
            self._text = ""
        return clauses

    def _cut_off(self) -> list[str]:
        clauses = []
        while (end := _first_cut(self._text, first=self._first)) is not None:
            clauses.append(self._text[:end])
            self._text = self._text[end:]
            self._first = False
        return clauses


def _first_cut(text: str, *, first: bool) -> int | None:
    """Where the first clause of `text` ends; None: not known yet."""
    words = 0
    counted = 0
    # A clause after the first begins with its space, which is no boundary.
    for match in _BOUNDARY.finditer(text, len(text) - len(text.lstrip(" "))):
        words += len(text[counted : match.end()].split())
        counted = match.end()
        kind = match.lastgroup
        assert kind is not None
        if kind == "end":
            following = text[match.end() + 1 : match.end() + 2]
            if not following:
                return None
            if not _ends_sentence(text[: match.end()], match["end"], following, words):
                continue
        if words >= _ENOUGH_WORDS[kind][0 if first else 1]:
            return match.end()
    return None


def _ends_sentence(text: str, mark: str, following: str, words: int) -> bool:
    """Whether the punctuation `mark` at the end of `text` closes a sentence."""
    if following.islower():
        return False
    if mark != ".":
        return True
    token = text[:-1].rsplit(" ", 1)[-1].strip("\"'([“‘").lower()
    if token in _ABBREVIATIONS or (token == "no" and following.isdigit()):
        return False
    if token.isdigit() and words == 1:
        return False  # the number of a list item
    return token in {"i", "a.m", "p.m"} or not _INITIALS.fullmatch(token)
