"""Adapts a trigram model to a text, by interpolation.

After a history that the text has n times, with t different words after it, P(w) = (1 - λ)·P₀(w) + λ·n(w)/n,
where P₀ is the general model and λ = s·n / (n + a + b·t): the text counts for more the more it has to say
(Witten and Bell, 1991), but never for more than a share s, since not all that people say is like the text. A
history that the text does not have keeps the general model's probabilities.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.asr.lm.trie import Floats, Keys, TrigramModel

START: Final = "<s>"
END: Final = "</s>"
_LEAST: Final = 1e-4


@dataclass(frozen=True)
class Strength:
    """How far to go: `share` is s, `base` a and `per_type` b above; `words` is λ for single words.

    A text made of templates says what words follow each other, but little of how frequent they are.
    """

    words: float = 0.02
    share: float = 0.2
    base: float = 5.0
    per_type: float = 20.0


def adapt(model: TrigramModel, sentences: Iterable[str], strength: Strength | None = None) -> TrigramModel:
    """The model adapted to `sentences`, each a line of words; a word that it does not know ends an n-gram.

    Args:
        model: The general model; left as it is.
        sentences: The text.
        strength: How far to go.
    """
    strength = strength or Strength()
    size = len(model.words)
    (keys1, counts1), (keys2, counts2), (keys3, counts3) = _count(model, sentences)
    prob1 = np.exp(model.prob1) * (1 - strength.words)
    prob1[keys1] += strength.words * counts1 / counts1.sum()

    all2 = np.union1d(model.keys2, keys2)
    bow1 = np.exp(model.bow1)
    prior2 = bow1[all2 % size] * prob1[all2 // size]
    prior2[np.searchsorted(all2, model.keys2)] = np.exp(model.prob2)
    bow2 = np.ones(len(all2))
    bow2[np.searchsorted(all2, model.keys2)] = np.exp(model.bow2)
    prob2 = _interpolated(prior2, np.searchsorted(all2, keys2), counts2, all2 % size, size, strength)
    _reweigh(bow1, np.unique(keys2 % size), all2 % size, prob2, prob1[all2 // size])

    all3 = np.union1d(model.keys3, keys3)
    lower = np.searchsorted(all2, all3 // size)
    history = np.minimum(np.searchsorted(all2, all3 % size**2), len(all2) - 1)
    prior3 = bow2[history] * prob2[lower]
    prior3[np.searchsorted(all3, model.keys3)] = np.exp(model.prob3)
    at = np.searchsorted(all3, keys3)
    prob3 = _interpolated(prior3, at, counts3, history, len(all2), strength)
    _reweigh(bow2, np.unique(history[at]), history, prob3, prob2[lower])
    return TrigramModel(
        model.words, np.log(prob1), np.log(bow1), all2, np.log(prob2), np.log(bow2), all3, np.log(prob3)
    )


def _interpolated(
    prior: Floats, at: Keys, counts: Floats, history: Keys, histories: int, strength: Strength
) -> Floats:
    """P(w|h) for every n-gram of `prior`, of which those `at` were counted."""
    total = np.bincount(history[at], counts, histories)
    kinds = np.bincount(history[at], minlength=histories)
    share = strength.share * total / (total + strength.base + strength.per_type * kinds)
    result: Floats = (1 - share)[history] * prior
    result[at] += (share / np.maximum(total, 1))[history[at]] * counts
    return result


def _reweigh(bow: Floats, changed: Keys, history: Keys, prob: Floats, lower: Floats) -> None:
    """Sets the back-off weights of the `changed` histories so that their probabilities add up to 1."""
    left = np.maximum(1 - np.bincount(history, prob, len(bow))[changed], _LEAST)
    lower_left = np.maximum(1 - np.bincount(history, lower, len(bow))[changed], _LEAST)
    bow[changed] = left / lower_left


def _count(model: TrigramModel, sentences: Iterable[str]) -> list[tuple[Keys, Floats]]:
    """Keys, ascending, and counts of the text's unigrams, bigrams and trigrams."""
    number = {word: index for index, word in enumerate(model.words)}
    size = len(model.words)
    found: list[Counter[int]] = [Counter(), Counter(), Counter()]
    for sentence in sentences:
        line = [number.get(word) for word in (START, *sentence.split(), END)]
        for i, word in enumerate(line):
            if i == 0 or word is None:
                continue
            found[0][word] += 1
            before = line[i - 1]
            if before is None:
                continue
            found[1][word * size + before] += 1
            first = line[i - 2] if i > 1 else None
            if first is not None:
                found[2][(word * size + before) * size + first] += 1
    counted = []
    for counter in found:
        keys = np.array(sorted(counter), np.int64)
        counted.append((keys, np.array([counter[int(key)] for key in keys], np.float64)))
    return counted
