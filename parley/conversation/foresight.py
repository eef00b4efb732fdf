"""When the words that a person has said so far are worth telling the mind, before the turn is over."""

import re

NEW_WORDS = 2
APART_S = 0.3
_WORD = re.compile(r"\S+\s")


class Foresight:
    """Looks at partial transcripts: what a mind reads early it need not read when it must answer."""

    def __init__(self) -> None:
        self._turn = 0
        self._told = 0
        self._told_at = float("-inf")

    def partial(self, turn: int, text: str, stable_chars: int, now: float) -> str:
        """The words to tell; empty: none are new, or it is too soon.

        Args:
            turn: The person's turn.
            text: All of it so far.
            stable_chars: So much of it will not change. The last word of that may still grow.
            now: Seconds.
        """
        if turn != self._turn:
            self._turn, self._told = turn, 0
        words = _WORD.findall(text[:stable_chars])
        if len(words) < self._told + NEW_WORDS or now < self._told_at + APART_S:
            return ""
        self._told, self._told_at = len(words), now
        return "".join(words).rstrip()
