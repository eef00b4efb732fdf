"""Progress and pace, from the ledger alone: nothing to lose when the server dies."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict

from training.data.clips import Edit
from training.data.store import Review
from training.studio import words
from training.studio.views import Pace, Progress

_LEAST_MINUTES = 0.5
_DECIDING = ("decide", "restore")


class Tally:
    """Adds up the edits of a review; each is looked at once. Safe for threads.

    A clip's words count once, for whoever accepted it last, and not at all once its acceptance is taken back.
    A word fixed everywhere is not the clip's words typed again: it leaves the count as it is.

    Args:
        review: whose edits.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self._lock = threading.Lock()
        self._seen = 0
        self._accepted: dict[str, tuple[str, int]] = {}
        self._words: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def progress(self, who: str) -> Progress:
        """How far the review is, and how fast `who` and everyone work."""
        with self._lock:
            edits = self._review.edits()
            for edit in edits[self._seen :]:
                self._add(edit)
            self._seen = len(edits)
            return Progress(
                counts=self._review.counts(),
                everyone=_pace(self._words.total(), sum(self._seconds.values())),
                mine=_pace(self._words[who], self._seconds[who]),
            )

    def _add(self, edit: Edit) -> None:
        self._seconds[edit.by] += edit.active_s
        for change in edit.changes:
            if change.state == "accepted" and edit.kind not in _DECIDING:
                continue
            by, count = self._accepted.pop(change.clip, ("", 0))
            self._words[by] -= count
            if change.state == "accepted":
                count = words.count(change.text)
                self._accepted[change.clip] = (edit.by, count)
                self._words[edit.by] += count


def _pace(count: int, seconds: float) -> Pace:
    minutes = seconds / 60
    rate = count / minutes if minutes >= _LEAST_MINUTES else 0.0
    return Pace(words=count, minutes=round(minutes, 2), words_per_minute=round(rate, 1))
