"""Stable prefixes of growing transcripts.

LocalAgreement-2 (Liu et al. 2020, "Low-latency sequence-to-sequence speech recognition"; Macháček et al.
2023, "Turning Whisper into real-time transcription system"): words that two consecutive hypotheses have in
common at their front are committed, and never taken back.
"""

import re
from collections.abc import Sequence

from parley.engines import HeardWord

# A committed word may be found a little later or earlier in the next decode.
_SLACK_SAMPLES = 4_800
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
        if not self.committed:
            return list(hypothesis)
        end = self.committed[-1].end
        fresh = [word for word in hypothesis if word.end > end - _SLACK_SAMPLES]
        # Around the seam the same words may come again: the longest repeat is dropped.
        for repeat in range(min(len(fresh), len(self.committed), 5), 0, -1):
            if all(map(_same, self.committed[-repeat:], fresh[:repeat])):
                return fresh[repeat:]
        return [word for word in fresh if (word.start + word.end) / 2 > end]
