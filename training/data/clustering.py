"""Average-linkage clustering of unit vectors, for speakers whose number nobody knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.intp]


def agglomerate(sums: Array, counts: NDArray[np.float64], threshold: float) -> Labels:
    """Merges the two most similar clusters until none are more similar than the threshold.

    The similarity of two clusters is the mean cosine over all pairs of their vectors, which for unit vectors
    is the product of their sums over the product of their counts: so clusters of clusters are exact, too.

    Args:
        sums: [n, d], each the sum of a cluster's unit vectors (or one vector).
        counts: [n], how many vectors are in it.
        threshold: cosine.

    Returns:
        [n] labels 0, 1, …, the cluster with most vectors first. Takes n² memory and about n² time.
    """
    total = len(sums)
    if not total:
        return np.zeros(0, np.intp)
    vectors, sizes = sums.astype(np.float64).copy(), counts.astype(np.float64).copy()
    member = np.arange(total)
    similarity = (vectors @ vectors.T) / np.outer(sizes, sizes)
    np.fill_diagonal(similarity, -np.inf)
    best = similarity.argmax(1)
    value = similarity[np.arange(total), best]
    for _ in range(total - 1):
        a = int(value.argmax())
        if value[a] < threshold:
            break
        b = int(best[a])
        vectors[a] += vectors[b]
        sizes[a] += sizes[b]
        member[member == b] = a
        sizes_or_one = np.where(sizes > 0, sizes, 1)
        row = vectors @ vectors[a] / (sizes_or_one * sizes[a])
        row[(sizes == 0) | (np.arange(total) == b)] = -np.inf
        row[a] = -np.inf
        sizes[b] = 0
        similarity[b, :] = similarity[:, b] = -np.inf
        similarity[a, :] = similarity[:, a] = row
        value[b] = -np.inf
        stale = (best == a) | (best == b) | (np.arange(total) == a)
        stale[b] = False
        better = row > value
        best[better], value[better] = a, row[better]
        for each in np.flatnonzero(stale & np.isfinite(value)):
            best[each] = similarity[each].argmax()
            value[each] = similarity[each, best[each]]
    order = sorted(set(member.tolist()), key=lambda m: (-sizes[m], m))
    return np.array([order.index(m) for m in member.tolist()], np.intp)


def smooth(similarity: Array, penalty: float) -> Labels:
    """The likeliest sequence of labels when each change costs `penalty` (Viterbi).

    Args:
        similarity: [steps, labels].
        penalty: in units of similarity.
    """
    steps, labels = similarity.shape
    score = similarity[0].astype(np.float64)
    came = np.zeros((steps, labels), np.intp)
    for t in range(1, steps):
        leader = int(score.argmax())
        switch = score[leader] - penalty
        came[t] = np.where(score >= switch, np.arange(labels), leader)
        score = np.maximum(score, switch) + similarity[t]
    path = np.empty(steps, np.intp)
    path[-1] = int(score.argmax())
    for t in range(steps - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path
