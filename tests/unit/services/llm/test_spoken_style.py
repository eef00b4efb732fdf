"""What language models like to write, and what of it is said: from raw text through clauses to the voice."""

import re

import pytest

from services.llm.clauses import ClauseChunker
from services.llm.spoken import clean
from services.tts.text import normalize

SPEAKABLE = re.compile(r"(?:[A-Za-z][A-Za-z']*(?:[,.?!]? |[,.?!]?$))*")

RECIPE = """## Bread

Here is how:

1. **Mix** 500 g of flour with 350 ml of water.
2. Knead for 10-15 minutes.
3) Bake at 230 °C!

---

| flour | water |
|-------|-------|
| 500 g | 350 ml |

Enjoy 😋
"""


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("<think>They want tea.\n\nKeep it short.</think>\n\nGreen tea.", "Green tea."),
        ("<think>never closed", ""),
        ("Tea is <b>nice</b>.<br>Yes.", "Tea is nice. Yes."),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
        ("I <3 tea", "I <3 tea"),
        ("Steps:\n1. Mix.\n2) Bake.", "Steps: Mix. Bake."),
        ("5. That is how many.", "5. That is how many."),
        ("It was in\n1984. Yes.", "It was in 1984. Yes."),
        ("Look:\n```python\nprint(1)\n```\nDone.", "Look: print(1). Done."),
        ("one\n---\ntwo", "one two"),
        ("a well-known, half-baked idea", "a well-known, half-baked idea"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
    ],
)
def test_what_is_not_speech_is_left_out(raw: str, said: str) -> None:
    assert clean(raw) == said


@pytest.mark.parametrize(
    "raw",
    [
        RECIPE,
        "<think>Hm.</think>It costs $3.50, or about 2.5 % of 140 €, i.e. 3 to 4 times as much!",
        "* The moon is 384,400 km away.\n* Light takes 1.28 s.\n* It was reached on 1969-07-20 at 20:17.",
        "Water is H2O; at 100 °C (212 °F) it boils. See [this](https://example.com/a_b) or ask a.b@site.org.",
        "E = mc^2, so 1 kg ≈ 9 × 10^16 J, which is A LOT of energy, and that is known since 1905 by all",
        "Sure thing! " + "and then we go on and on without any mark of punctuation at all " * 8,
    ],
)
def test_every_clause_is_short_plain_and_sayable(raw: str) -> None:
    chunker = ClauseChunker()
    clauses = [clause for char in raw for clause in chunker.feed(char)] + chunker.finish()
    assert clauses
    for clause in clauses:
        assert len(clause.split()) <= 40
        assert not re.search(r"[*_`#|<>\[\]\n]|https?:", clause) or "example.com" in raw
        assert SPEAKABLE.fullmatch(normalize(clause)), clause
    assert "Hm" not in "".join(clauses)
