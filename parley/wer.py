"""Word error rate."""

import re

import numpy as np

_NOT_LETTERS = re.compile(r"[^a-z0-9' ]+")
_SPELLINGS = {"mister": "mr", "okay": "ok"}


def plain_words(text: str) -> list[str]:
    """Lower-case words without punctuation, one spelling for each."""
    return [_SPELLINGS.get(word, word) for word in _NOT_LETTERS.sub(" ", text.lower()).split()]


def word_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Substitutions, deletions and insertions (Levenshtein), and the number of words in `reference`."""
    wanted, heard = plain_words(reference), plain_words(hypothesis)
    costs = np.arange(len(heard) + 1)
    for row, word in enumerate(wanted, 1):
        before = costs.copy()
        costs[0] = row
        for column, other in enumerate(heard, 1):
            costs[column] = min(
                before[column] + 1, costs[column - 1] + 1, before[column - 1] + (word != other)
            )
    return int(costs[-1]), len(wanted)
