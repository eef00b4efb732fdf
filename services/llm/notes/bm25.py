"""BM25: how well words fit a text, rare words counting more (Robertson and Zaragoza, 2009, eq. 3.15)."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

K1, B = 1.2, 0.75


class Bm25:
    """An index over texts that were cut into terms. Each term keeps its texts and its ready-made weights."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        """Counts.

        Args:
            texts: The terms of each text.
        """
        self._texts = len(texts)
        lengths = np.array([len(terms) for terms in texts], np.float32)
        stretch = K1 * (1 - B + B * lengths / max(float(lengths.mean()) if len(texts) else 0.0, 1.0))
        found: dict[str, list[tuple[int, int]]] = {}
        for at, terms in enumerate(texts):
            for term, count in Counter(terms).items():
                found.setdefault(term, []).append((at, count))
        self._weights: dict[str, tuple[NDArray[np.intp], NDArray[np.float32]]] = {}
        for term, places in found.items():
            rarity = math.log(1 + (self._texts - len(places) + 0.5) / (len(places) + 0.5))
            where = np.array([at for at, _ in places])
            often = np.array([n for _, n in places], np.float32)
            self._weights[term] = where, rarity * often * (K1 + 1) / (often + stretch[where])

    def scores(self, query: Iterable[str]) -> NDArray[np.float32]:
        """The score of each text, float32 [texts]; 0 where no term is shared."""
        scores = np.zeros(self._texts, np.float32)
        for term in set(query):
            if term in self._weights:
                where, weights = self._weights[term]
                scores[where] += weights
        return scores
