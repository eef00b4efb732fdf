"""Does a transcript read as a finished turn? A small, explainable score that sets how long to wait.

Where a turn may end is announced by syntax before it is by silence (Sacks, Schegloff & Jefferson 1974,
"A simplest systematics for the organization of turn-taking"). The first of these that applies decides:

1. no words, or only fillers ("um");
2. punctuation, where the recogniser writes it ("…", "," and "-" promise more);
3. the last word's class: filler, article, conjunction, preposition, bare auxiliary, verb without object;
4. the form of a question ("how do you" still lacks its verb, "where are you from" does not);
5. length: one word may be a whole answer, three usually say something.
"""

from typing import Final

from parley.turns.words import (
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    FILLERS,
    PREPOSITIONS,
    QUESTION_VERBS,
    QUESTION_WORDS,
    SUBJECTS,
    TRANSITIVES,
    WHOLE_ANSWERS,
    words,
)

COMPLETE: Final = 0.6
"""At and above this score the short pause is enough."""
INCOMPLETE: Final = 0.3
"""At and below this score the long pause is waited for."""

_BE: Final = frozenset("am are is was were be".split())
_STRANDED: Final = PREPOSITIONS | {"like"}
_QUANTIFIERS: Final = frozenset("any no some these this those".split())
_PARTICLE_VERBS: Final = frozenset("carry come go hold shut sit stand wake what's".split())
_LOOSE: Final = frozenset("just so that very".split())
_OBJECTS: Final = frozenset("it that there this you".split())
_FREE_OBJECT: Final = frozenset("like mean need said say think want".split())


def completeness(text: str, *, language: str = "en") -> float:
    """How finished `text` reads: 0 (surely more to come) to 1 (surely finished).

    Args:
        text: Transcript of the turn so far, with or without case and punctuation.
        language: BCP-47. Word classes are English; other languages are judged by punctuation alone.
    """
    said = words(text) if language.lower().startswith("en") else text.split()
    if not said:
        return 0.0
    mark = text.rstrip()[-1]
    if mark in ",-–—…" or text.rstrip().endswith("..."):
        return 0.2
    if not language.lower().startswith("en"):
        return 0.9 if mark in ".?!。？！" else 0.5
    if all(word in FILLERS for word in said):
        return 0.05
    return _tail(_without_lead(said))


def pause_ms(score: float, *, complete_ms: float, incomplete_ms: float, max_ms: float) -> float:
    """The pause in milliseconds that ends a turn of that score; linear between the two marks."""
    share = min(max((COMPLETE - score) / (COMPLETE - INCOMPLETE), 0.0), 1.0)
    return min(complete_ms + share * (incomplete_ms - complete_ms), max_ms)


def _without_lead(said: list[str]) -> list[str]:
    """Drops what opens a turn without being part of its sentence: "um", "so", "and"."""
    start = 0
    while start < len(said) - 1 and (said[start] in FILLERS or said[start] in ("and", "but", "so")):
        start += 1
    return said[start:]


def _tail(said: list[str]) -> float:
    last, count = said[-1], len(said)
    asks = said[0] in QUESTION_WORDS or said[0] in QUESTION_VERBS
    if last in FILLERS:
        return 0.1
    if last in _QUANTIFIERS and count > 1 and not asks:
        return 0.45
    if last in DETERMINERS - _QUANTIFIERS:
        return 0.05
    if last in _STRANDED and not (count == 2 and said[0] in _PARTICLE_VERBS):
        # "where are you from" ends a question with its preposition; "tell me about" does not end anything.
        return 0.75 if said[0] in QUESTION_WORDS and count >= 4 else 0.15
    if last in CONJUNCTIONS - {"that", "so", "though"}:
        return 0.1
    if asks:
        return _question(said)
    if last in AUXILIARIES:
        # "yes i am", "tell me who you are": after its subject a verb may close; "the weather is" may not.
        return 0.65 if count >= 3 and said[-2] in SUBJECTS and "'" not in last else 0.2
    if last in TRANSITIVES:
        return 0.25
    if last in _LOOSE and count > 1:
        return 0.45
    if last in SUBJECTS - _OBJECTS and count > 1:
        return 0.15
    if count == 1:
        return 0.9 if last in WHOLE_ANSWERS else 0.5
    return 0.6 if count == 2 else 0.85


def _question(said: list[str]) -> float:
    last, count = said[-1], len(said)
    if count == 1:
        return 0.45 if last in ("what", "why", "how", "who", "when", "where") else 0.15
    if last in SUBJECTS - _OBJECTS:
        # "who is he" is whole, "where did they" is not.
        return 0.8 if said[-2] in _BE and said[0] in QUESTION_WORDS else 0.15
    if last in _OBJECTS and said[-2] in QUESTION_VERBS - _BE:
        return 0.15
    if last in _OBJECTS and said[0] in _BE and count == 2:
        return 0.15
    if last in AUXILIARIES:
        # "what can you do" and "do you know what it is" end in one; "what is" and "how do" do not.
        return 0.8 if count >= 3 and said[-2] in SUBJECTS else 0.15
    if last in TRANSITIVES:
        # "what do you want" has its object in front, "do you want" has none.
        return 0.75 if last in _FREE_OBJECT and said[0] in QUESTION_WORDS else 0.25
    if count == 2:
        return 0.7 if said[0] in ("what's", "who's", "where's") else 0.4
    return 0.95
