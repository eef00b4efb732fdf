"""Where replies are cut, and that cutting loses nothing."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.llm.clauses import ClauseChunker
from services.llm.spoken import SpokenText, clean

# Text rich in what the cleaner and the chunker look at.
WORDS = "well|tea|<think>|</think>|<b>|a<b|```py|1.|2)|---|--|and|but|Dr.|Smith|e.g.|3.14|10,000|U.S.|I|no.|yes!|why?|https://a.b/c,d?e|**bold**|_so_|a_b|`x`"
MARKS = """[tea](http://x.y/z)|[|](|😀|—|–|\n|\n\n|# |- |* |, |; |: |. |...|"|'|!|![i](u)|°C|\u200d"""
TOKENS = st.sampled_from([*WORDS.split("|"), *MARKS.split("|")])
TEXTS = st.lists(st.tuples(TOKENS, st.sampled_from(["", " ", " ", "  "])), max_size=60).map(
    lambda parts: "".join(token + gap for token, gap in parts)
) | st.text(max_size=200)


def cut(text: str, *, after: str = "") -> list[str]:
    chunker = ClauseChunker(after=after)
    return chunker.feed(text) + chunker.finish()


@given(TEXTS, st.lists(st.integers(0, 400), max_size=30))
def test_any_arrival_gives_the_same_clauses_and_loses_nothing(text: str, cuts: list[int]) -> None:
    whole = cut(text)
    assert "".join(whole) == clean(text)
    assert all(whole)
    edges = [0, *sorted({c for c in cuts if c < len(text)}), len(text)]
    chunker = ClauseChunker()
    arrived = [clause for a, b in pairwise(edges) for clause in chunker.feed(text[a:b])] + chunker.finish()
    assert arrived == whole


@given(TEXTS)
@example("well - * * ")
def test_a_take_over_cuts_the_rest_as_the_first_worker_would_have(text: str) -> None:
    clauses = cut(clean(text))
    for n in range(1, len(clauses)):
        spoken = "".join(clauses[:n])
        assert cut("".join(clauses[n:]), after=spoken) == clauses[n:]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Oh yes, that is the north star.", ["Oh yes,", " that is the north star."]),
        ("Yes, that is it.", ["Yes, that is it."]),
        ("Hello! I am Mira, nice to meet you.", ["Hello!", " I am Mira, nice to meet you."]),
        ("It costs 10,000 or 3.14 in all", ["It costs 10,000 or 3.14 in all"]),
        ("Ask Dr. Smith, e.g. Tuesday.", ["Ask Dr. Smith,", " e.g. Tuesday."]),
        ("It was J. R. Smith. He left.", ["It was J. R. Smith.", " He left."]),
        ("He came at 5 p.m. Then he left us.", ["He came at 5 p.m.", " Then he left us."]),
        ("So did I. Then we went home.", ["So did I.", " Then we went home."]),
        ("See https://a.b/c,d.e for it.", ["See https://a.b/c,d.e for it."]),
        ("Look at it — really look.", ["Look at it —", " really look."]),
        ("Venus is bright tonight and Mars is red.", ["Venus is bright tonight", " and Mars is red."]),
        ("Really? she asked. Yes.", ["Really? she asked.", " Yes."]),
    ],
)
def test_boundaries(text: str, clauses: list[str]) -> None:
    assert cut(text) == clauses


def test_the_first_clause_leaves_before_the_sentence_is_complete() -> None:
    chunker = ClauseChunker()
    assert chunker.feed("The north star, ") == []
    assert chunker.feed("which ") == ["The north star,"]


def test_later_clauses_are_sentences_of_some_length() -> None:
    text = "First of all, hello. Yes. I do like tea, milk and toast. Indeed, it is so."
    assert cut(text) == ["First of all,", " hello. Yes. I do like tea, milk and toast.", " Indeed, it is so."]


def test_a_text_without_any_punctuation_is_cut_in_the_end() -> None:
    clauses = cut("tea " * 100)
    assert max(len(clause.split()) for clause in clauses) <= 40


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("**Hello**, *you*!", "Hello, you!"),
        ("# Tea\nTea is nice.", "Tea. Tea is nice."),
        ("Choose:\n- green\n- black", "Choose: green. black"),
        ("See [the page](https://a.b/c).", "See the page."),
        ("Nice 😀👍🏽 day", "Nice day"),
        ("3 * 4 is 12", "3 * 4 is 12"),
        ("snake_case and _this_", "snake_case and this"),
        ("It is 20 °C", "It is 20 °C"),
        ("one\n\ntwo", "one. two"),
        ("  spaced \t out \n", "spaced out"),
        ("[1] is open", "[1] is open"),
    ],
)
def test_markup_is_not_spoken(raw: str, said: str) -> None:
    assert clean(raw) == said


def test_the_cleaner_holds_back_only_what_is_undecided() -> None:
    cleaner = SpokenText()
    assert cleaner.feed("Hello *") == "Hello"
    assert cleaner.feed("you") == " you"
    assert cleaner.finish() == ""
