"""How far a text is from a subject's style: a classifier on letter n-grams, in numpy."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRAMS = (2, 3, 4)
BUCKETS = 2**14
_STEPS, _RATE, _DECAY = 300, 0.5, 1e-3


class Style:
    """Logistic regression: does the subject speak, or somebody else?

    Letter n-grams tell authors apart well, and do not need many words (Stamatatos, 2009).
    """

    def __init__(self, own: Sequence[str], others: Sequence[str]) -> None:
        """Learns.

        Args:
            own: Sentences of the subject.
            others: Sentences of others, of about the same length.
        """
        counted = np.stack([self._count(text) for text in (*own, *others)])
        rarity = np.log((1 + len(counted)) / (1 + (counted > 0).sum(0)))
        self._rarity = rarity.astype(np.float32)
        features = self._scaled(counted)
        truth = np.r_[np.ones(len(own)), np.zeros(len(others))].astype(np.float32)
        weight = np.where(truth > 0, 0.5 / max(len(own), 1), 0.5 / max(len(others), 1)).astype(np.float32)
        self._weights, self._bias = np.zeros(BUCKETS, np.float32), 0.0
        for _ in range(_STEPS):
            error = weight * (_squashed(features @ self._weights * BUCKETS**0.5 + self._bias) - truth)
            self._weights -= _RATE * (error @ features * BUCKETS**0.5 / 16 + _DECAY * self._weights)
            self._bias -= _RATE * float(error.sum())

    def distance(self, texts: Sequence[str]) -> float:
        """Mean chance, 0 to 1, that somebody else speaks."""
        features = self._scaled(np.stack([self._count(text) for text in texts]))
        return float(1 - _squashed(features @ self._weights * BUCKETS**0.5 + self._bias).mean())

    def _count(self, text: str) -> NDArray[np.float32]:
        found = np.zeros(BUCKETS, np.float32)
        padded = f" {' '.join(text.lower().split())} "
        for size in GRAMS:
            for at in range(len(padded) - size + 1):
                found[zlib.crc32(padded[at : at + size].encode()) % BUCKETS] += 1
        return found

    def _scaled(self, counted: NDArray[np.float32]) -> NDArray[np.float32]:
        features = np.log1p(counted) * self._rarity
        length = np.linalg.norm(features, axis=1, keepdims=True)
        return np.asarray(features / np.maximum(length, 1e-6), np.float32)


def _squashed(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-np.clip(x, -30, 30)))).astype(np.float32)
