"""Holds a small model to what stands in front of it: it chooses which sentences to say, and makes up none.

Constrained decoding over a prefix tree, as De Cao et al. (arXiv 2010.00904) do with names of entities: of the
next tokens only those are left that go on with a sentence of a note in the prompt, or of the avatar's own
ways of saying that it does not know. After a sentence comes the one that follows it there, or the end.
"""

import re
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

_SENTENCE = re.compile(r"(?<=[.!?])\s+")

Encode = Callable[[str], list[int]]


class Grounding:
    """One reply's choice of sentences."""

    def __init__(self, told: Iterable[str], stock: Iterable[str], encode: Encode, end: int) -> None:
        """Begins a reply.

        Args:
            told: Texts that may be said, from any sentence on.
            stock: Phrases that may be said from their beginning.
            encode: Text to tokens; a word's tokens must not depend on the words before it.
            end: The token that ends a reply.
        """
        self._end = end
        self._ways: list[tuple[list[int], frozenset[int]]] = []
        for text in told:
            sentences = _SENTENCE.split(text.strip())
            self._ways += [_way(sentences[at:], encode) for at in range(len(sentences))]
        self._told = len(self._ways)
        self._ways += [_way(_SENTENCE.split(text.strip()), encode) for text in stock]
        self._open = [(way, 0) for way, (tokens, _) in enumerate(self._ways) if tokens]

    def held(self, logits: NDArray[np.float32], stock_bias: float) -> NDArray[np.float32]:
        """The logits, float32 [vocabulary], with all that may not follow at minus infinity.

        Args:
            logits: Of the next token.
            stock_bias: Added to what only stock phrases go on with.
        """
        told, stock = set[int](), set[int]()
        for way, at in self._open:
            tokens, stops = self._ways[way]
            may = told if way < self._told else stock
            may.update(tokens[at : at + 1], [self._end] if at in stops else [])
        found = np.full_like(logits, -np.inf)
        for token in told | stock:
            found[token] = logits[token] + (0.0 if token in told else stock_bias)
        return found

    def take(self, token: int) -> None:
        """Goes on with the ways that have `token` here."""
        self._open = [
            (way, at + 1)
            for way, at in self._open
            if at < len(self._ways[way][0]) and self._ways[way][0][at] == token
        ]


def _way(sentences: list[str], encode: Encode) -> tuple[list[int], frozenset[int]]:
    """Tokens of sentences in a row, and where each ends."""
    tokens: list[int] = []
    stops = []
    for number, sentence in enumerate(sentences):
        tokens += encode(f" {sentence}" if number else sentence)
        stops.append(len(tokens))
    return tokens, frozenset(stops)
