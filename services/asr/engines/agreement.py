"""Stable prefixes of growing transcripts.

LocalAgreement-2 (Liu et al. 2020, "Low-latency sequence-to-sequence speech recognition"; Macháček et al.
2023, "Turning Whisper into real-time transcription system"): words that two consecutive hypotheses have in
common at their front are committed, and never taken back.
"""

import re
from collections.abc import Iterator, Sequence

from parley.engines import HeardWord

_RATE_HZ = 16_000
_SLACK_SAMPLES = 4_800  # a committed word may be found a little later or earlier in the next decode
_A_SECOND = 2.0  # so many differing words weigh as much as a seam that is a second off
_NOT_LETTERS = re.compile(r"[^\w']+")


def _same(first: HeardWord, second: HeardWord) -> bool:
    return _NOT_LETTERS.sub("", first.text).lower() == _NOT_LETTERS.sub("", second.text).lower()


class StablePrefix:
    """Commits words hypothesis by hypothesis.

    Attributes:
        committed: Words that will not change any more.
        tentative: The words after them in the last hypothesis.
    """

    def __init__(self) -> None:
        self.committed: list[HeardWord] = []
        self.tentative: list[HeardWord] = []

    def update(self, hypothesis: Sequence[HeardWord], *, until: int | None = None) -> None:
        """Takes a new hypothesis of the whole window that is still decoded.

        Args:
            hypothesis: Words in order, times on one clock throughout the turn. It may begin with words that
                were committed already, or after them.
            until: Only words that end by then are committed: what was said last a model may guess, and guess
                the same twice. None: all.
        """
        fresh = self._after_committed(hypothesis)
        agreed = 0
        for old, new in zip(self.tentative, fresh, strict=False):
            if not _same(old, new) or (until is not None and new.end > until):
                break
            agreed += 1
        self.committed += fresh[:agreed]
        self.tentative = fresh[agreed:]

    def settle(self, hypothesis: Sequence[HeardWord]) -> list[HeardWord]:
        """All words of the turn if `hypothesis` is its last: the committed ones, then what follows them."""
        self.tentative = self._after_committed(hypothesis)
        return [*self.committed, *self.tentative]

    def _after_committed(self, hypothesis: Sequence[HeardWord]) -> list[HeardWord]:
        """The words of `hypothesis` that follow the committed ones, by what they say and when they are said.

        A small model's word times are a guess, and what it has committed may be wrong: neither alone finds
        the seam. Every word that differs costs 1, every second that the seam is moved costs `_A_SECOND`.
        """
        if not self.committed:
            return list(hypothesis)
        end = self.committed[-1].end
        costs = []
        for at, differing in enumerate(_differing(self.committed, hypothesis)):
            early = hypothesis[at - 1].end - end if at else 0
            late = end - hypothesis[at].start if at < len(hypothesis) else 0
            moved = max(early - _SLACK_SAMPLES, late - _SLACK_SAMPLES, 0)
            costs.append((differing + _A_SECOND * moved / _RATE_HZ, abs(at - len(self.committed))))
        return list(hypothesis[costs.index(min(costs)) :])


def _differing(committed: Sequence[HeardWord], hypothesis: Sequence[HeardWord]) -> Iterator[int]:
    """Edits (Levenshtein) between the committed words and the first 0, 1, 2, … words of a hypothesis."""
    row = list(range(len(committed) + 1))
    yield row[-1]
    for word in hypothesis:
        above, row[0] = row[0], row[0] + 1
        for at, known in enumerate(committed, 1):
            above, row[at] = row[at], min(above + (not _same(known, word)), row[at] + 1, row[at - 1] + 1)
        yield row[-1]
