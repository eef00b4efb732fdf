"""Finds the note that a question is about, even when it was misheard.

The score says whether a note answers a question. Two views of how well they agree, added with weights that
were fitted by logistic regression on `eval/questions.yaml`:

- meaning: cosine of sentence embeddings (Reimers and Gurevych, Sentence-BERT, 2019), best over the note's
  questions;
- covered: the share of the question's rare words that the note knows, by stem, or by sound, since a
  recogniser writes a wrong word that sounds like the right one. It also keeps "how far away is London" from
  being answered with the moon.

The order of the notes is hybrid: it looks at their text too, in which many answers stand that none of their
questions points to.

- passages: cosine of the question and the best of the note's passages (`passages.py`);
- words: BM25 of all that the note says, as a share of the best note's.

Their weights were chosen on `eval/questions.yaml`. Letter grams, sound grams across word edges, and rewriting
the question with words that sound alike were measured too: none helped on questions it was not fitted to.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.llm.notes.bm25 import Bm25
from services.llm.notes.embedder import Embedder, Vectors
from services.llm.notes.markdown import Note
from services.llm.notes.passages import Passages
from services.llm.notes.words import STOP_WORDS, normal, sound, stem

MEANING, COVERED = 0.86, 0.14
PASSAGES, WORDS = 0.2, 0.1
_CANDIDATES = 8
_SOUND_MATCH = 0.7
_NEVER = np.float32(-2)  # below any cosine


@dataclass(frozen=True, slots=True)
class Match:
    """A note and how well it fits.

    Attributes:
        note: The note.
        score: About 0 to 1; 1 is one of its own questions, word for word.
        meaning: The part of the embeddings, -1 to 1.
        covered: The part of the words, 0 to 1.
        passage: The part of the note's text that is nearest to the question; empty if it has none.
    """

    note: Note
    score: float
    meaning: float
    covered: float
    passage: str


class NoteIndex:
    """All notes of one avatar, ready to be searched."""

    def __init__(self, notes: Sequence[Note], embedder: Embedder) -> None:
        """Computes the vectors of the notes; about 2 ms a question, 5 ms a paragraph.

        Args:
            notes: Persona's notes and the common ones.
            embedder: Shared by all avatars.
        """
        self.notes = list(notes)
        self._embedder = embedder
        entries = [(at, normal(text)) for at, note in enumerate(self.notes) for text in _entry_texts(note)]
        entries = [(at, text) for at, text in entries if text]
        texts = [text for _, text in entries]
        self._owners = np.array([at for at, _ in entries])
        self._firsts = np.flatnonzero(np.diff(self._owners, prepend=-1))
        self._owning = self._owners[self._firsts]
        self._vectors: Vectors = embedder.embed_all(texts)
        self._words = [_known_words(note) for note in self.notes]
        self._passages = Passages(self.notes, embedder)
        self._bm25 = Bm25([[] if note.internal else _terms(_all_text(note)) for note in self.notes])
        in_notes = Counter(word for words, _ in self._words for word in words)
        self._rarity = {word: math.log(1 + len(self.notes) / n) for word, n in in_notes.items()}
        self._unknown_rarity = math.log(1 + len(self.notes))

    def search(self, question: str, *, limit: int = 3) -> list[Match]:
        """The best notes, best first. Notes of the engine without questions never match."""
        text = normal(question)
        if not text:
            return []
        asked = self._embedder.embed(text)
        meaning = self._best(self._vectors @ asked)
        passage = self._passages.likeness(asked, otherwise=meaning)
        words = self._bm25.scores(_terms(text))
        words /= max(float(words.max(initial=0)), 1e-6)
        order = MEANING * ((1 - PASSAGES) * meaning + PASSAGES * passage) + WORDS * words
        ranked = []
        for at in np.argsort(-order)[:_CANDIDATES]:
            if meaning[at] == _NEVER:
                continue
            covered = self._covered(text, int(at))
            score = MEANING * float(meaning[at]) + COVERED * covered
            told = self._passages.nearest(int(at), asked)
            match = Match(self.notes[at], score, float(meaning[at]), covered, told)
            ranked.append((float(order[at]) + COVERED * covered, match))
        return [match for _, match in sorted(ranked, key=lambda pair: -pair[0])[:limit]]

    def _best(self, similarities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Best entry of each note, float32 [notes]; `_NEVER` where it has none."""
        best = np.full(len(self.notes), _NEVER, np.float32)
        best[self._owning] = np.maximum.reduceat(similarities, self._firsts)
        return best

    def _covered(self, text: str, at: int) -> float:
        """Share of the question's rare words that the note knows; 1 when it has none."""
        known, sounding = self._words[at]
        total = found = 0.0
        for word in text.split():
            if word in STOP_WORDS:
                continue
            root = stem(word)
            rarity = self._rarity.get(root, self._unknown_rarity)
            total += rarity
            if root in known:
                found += rarity
            elif sound(root) in sounding:
                found += rarity * _SOUND_MATCH
        return found / total if total else 1.0


def _entry_texts(note: Note) -> Iterable[str]:
    """What a question is compared with. A note without questions stands for itself with its sentences."""
    if note.internal:
        return note.questions
    if note.questions:
        return (note.heading, *note.questions)
    sentences = [s for part in (*note.answers[:1], *note.more) for s in part.replace("? ", ". ").split(". ")]
    return (note.heading, f"what is {note.heading}", f"tell me about {note.heading}", *sentences)


def _known_words(note: Note) -> tuple[frozenset[str], frozenset[str]]:
    """Stems and sounds of all that the note says or is asked."""
    stems = frozenset(stem(word) for word in normal(_all_text(note)).split())
    return stems, frozenset(sound(word) for word in stems if len(word) > 2)


def _all_text(note: Note) -> str:
    return " ".join((note.heading, note.topic, *note.questions, *note.answers, *note.more))


def _terms(text: str) -> list[str]:
    """Stems of the words that tell something."""
    return [stem(word) for word in normal(text).split() if word not in STOP_WORDS]
