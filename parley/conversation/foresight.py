"""When the words that a person has said so far are worth telling the mind, before the turn is over."""

APART_S = 0.2


class Foresight:
    """Looks at partial transcripts: what a mind reads early it need not read when it must answer.

    Words that may still be revised are told as well: most are right, the notes that fit a question hang
    on its last words more often than on its first, and a wrong one costs only what follows it.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._told = 0
        self._told_at = float("-inf")

    def partial(self, turn: int, text: str, now: float) -> str:
        """The words to tell; empty: none are new, or it is too soon.

        Args:
            turn: The person's turn.
            text: All of it so far.
            now: Seconds.
        """
        if turn != self._turn:
            self._turn, self._told = turn, 0
        count = len(text.split())
        if count <= self._told or now < self._told_at + APART_S:
            return ""
        self._told, self._told_at = count, now
        return text.strip()
