"""The text of notes in passages: what of a note is about a question, however long the note is."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.llm.notes.embedder import Embedder, Vectors
from services.llm.notes.markdown import Note
from services.llm.notes.words import normal

MAX_WORDS = 70
"""The embedder reads 128 tokens; with its heading a passage of English stays below that."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def passages(text: str) -> Iterator[str]:
    """A paragraph in runs of whole sentences of at most `MAX_WORDS` words; a longer sentence is cut."""
    run: list[str] = []
    for sentence in _SENTENCE.split(text):
        words = sentence.split()
        while len(words) > MAX_WORDS:
            if run:
                yield " ".join(run)
                run = []
            yield " ".join(words[:MAX_WORDS])
            words = words[MAX_WORDS:]
        if run and len(run) + len(words) > MAX_WORDS:
            yield " ".join(run)
            run = []
        run += words
    if run:
        yield " ".join(run)


class Passages:
    """The passages of all notes, each with its note's heading. Notes of the engine have none."""

    def __init__(self, notes: Sequence[Note], embedder: Embedder) -> None:
        """Cuts the notes and computes the passages' vectors; about 5 ms each."""
        self._texts: list[str] = []
        headed: list[str] = []
        counts = []
        for note in notes:
            paragraphs = () if note.internal else (*note.answers[:1], *note.more)
            own = [part for paragraph in paragraphs for part in passages(paragraph)]
            self._texts += own
            headed += [normal(f"{note.heading} {part}") for part in own]
            counts.append(len(own))
        self._ends = np.cumsum(counts, dtype=np.intp)
        self._starts = self._ends - np.array(counts, np.intp)
        self._having = np.flatnonzero(counts)
        self._vectors: Vectors = embedder.embed_all(headed) if headed else np.zeros((0, 0), np.float32)

    def likeness(self, asked: Vectors, *, otherwise: NDArray[np.float32]) -> NDArray[np.float32]:
        """How near the nearest passage of each note is to a question.

        Args:
            asked: The question's unit vector, float32 [384].
            otherwise: What notes without passages get, float32 [notes].

        Returns:
            Cosines, float32 [notes].
        """
        near = otherwise.copy()
        if len(self._having):
            near[self._having] = np.maximum.reduceat(self._vectors @ asked, self._starts[self._having])
        return near

    def nearest(self, note: int, asked: Vectors) -> str:
        """The passage of the note of that number that is nearest to a question; empty if it has none."""
        start, end = int(self._starts[note]), int(self._ends[note])
        if start == end:
            return ""
        return self._texts[start + int(np.argmax(self._vectors[start:end] @ asked))]
