"""Hybrid retrieval: BM25, passages, and the order that they give notes."""

import numpy as np
import pytest

from services.llm.notes.bm25 import Bm25
from services.llm.notes.index import NoteIndex
from services.llm.notes.markdown import parse_file
from services.llm.notes.passages import MAX_WORDS, passages
from tests.unit.services.llm.model_server import embedder

NOTES = """# Birds

## owls
Q: why are owls silent
Soft feathers keep an owl's flight silent.

Their ears sit at different heights, which tells them where a sound comes from.

## robins
Q: do robins sing in winter
A robin sings all winter long.

## (more)
Q: tell me more
"""


def test_bm25_by_the_book() -> None:
    scores = Bm25([["owl", "owl", "night"], ["robin"], ["robin", "night"]]).scores(["owl", "day"])
    rarity, stretch = np.log(1 + 2.5 / 1.5), 1.2 * (0.25 + 0.75 * 3 / 2)
    assert scores == pytest.approx([rarity * 2 * 2.2 / (2 + stretch), 0, 0])


def test_bm25_prefers_the_rare_word_and_the_short_text() -> None:
    scores = Bm25([["owl", "night"], ["robin", "night"], ["owl", "night", "a", "b", "c"]]).scores(["owl"])
    assert scores[0] > scores[2] > scores[1] == 0
    assert Bm25([]).scores(["owl"]).shape == (0,)


def test_passages_are_whole_sentences_and_lose_nothing() -> None:
    text = " ".join(f"This is sentence number {n} of a long note." for n in range(40))
    parts = list(passages(text))
    assert " ".join(parts) == text
    assert len(parts) > 1
    assert all(part.endswith(".") and len(part.split()) <= MAX_WORDS for part in parts)


def test_a_sentence_without_end_is_cut() -> None:
    parts = list(passages("First. " + "word " * 200))
    assert [len(part.split()) for part in parts] == [1, 70, 70, 60]


def test_a_detail_is_found_in_the_text_and_told_as_a_passage() -> None:
    index = NoteIndex(parse_file("birds", NOTES), embedder())
    best = index.search("which animal has ears at different heights")[0]
    assert best.note.id == "birds/owls"
    assert best.passage.startswith("Their ears sit")


def test_moves_have_no_passage_and_are_still_found() -> None:
    best = NoteIndex(parse_file("birds", NOTES), embedder()).search("tell me more")[0]
    assert best.note.internal and best.passage == ""
    assert best.score > 0.95


def test_only_what_has_questions_or_text_is_found() -> None:
    index = NoteIndex(parse_file("x", "# X\n## (unknown)\n## tea\nTea is nice.\n"), embedder())
    assert [match.note.heading for match in index.search("tea", limit=9)] == ["tea"]
