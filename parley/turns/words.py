"""Word classes that turn-taking needs: fillers, backchannels, and words that cannot end a sentence."""

import re
from typing import Final

_WORD = re.compile(r"[a-z0-9]+(?:['’][a-z]+)*")

FILLERS: Final = frozenset("ah eh em er erm hm hmm huh mm mmm oh uh um umm well".split())
"""Sounds of someone who is still thinking, or only breathing."""

BACKCHANNELS: Final = frozenset(
    "ah aha alright cool fine good great hm hmm huh mhm mm mmhm mmm nice oh ok okay really right sure true "
    "uh uhhuh um wow yeah yep yes yup".split()
)
"""Said while listening, without wanting the floor (Yngve 1970: "On getting a word in edgewise")."""

COMMANDS: Final = frozenset("enough hey hold listen no pause quiet shut silence sorry stop wait".split())
"""Words that interrupt even if they were barely understood."""

_PAIRS: Final = frozenset({("i", "see"), ("uh", "huh"), ("mm", "hm"), ("got", "it"), ("of", "course")})

CONJUNCTIONS: Final = frozenset("and as because but cause if nor or so than that though unless while".split())
PREPOSITIONS: Final = frozenset(
    "about across after against along among around at before behind below beside between by during for from "
    "in into like near of off on onto out over since through to toward towards under until up upon via with "
    "without".split()
)
DETERMINERS: Final = frozenset(
    "a an the my your his its our their this these those some any every each another no which whose".split()
)
AUXILIARIES: Final = frozenset(
    "am are be been being can could did do does had has have is may might must shall should was were will "
    "would i'm you're we're they're he's she's i'll you'll we'll i'd you'd i've you've gonna wanna".split()
)
TRANSITIVES: Final = frozenset(
    "asked describe explain find get give gave give got keep like make mean need put said say says take "
    "tell think told try use want wanted went".split()
)
QUESTION_WORDS: Final = frozenset("how what what's when where where's which who who's whom whose why".split())
QUESTION_VERBS: Final = AUXILIARIES & frozenset(
    "am are can could did do does had has have is may might must shall should was were will would".split()
)
SUBJECTS: Final = frozenset("he i it she that there they this we you".split())
WHOLE_ANSWERS: Final = frozenset(
    "absolutely alright bye cool exactly good goodbye great hello help hey hi never no nope nothing ok okay "
    "please right stop sure thanks true wait yeah yep yes yup".split()
)
_NO_INTERRUPTION: Final = (FILLERS | BACKCHANNELS | CONJUNCTIONS | PREPOSITIONS | DETERMINERS) - {"no"}


def words(text: str) -> list[str]:
    """Lower-case words of `text`, punctuation removed; "uh-huh" is two."""
    return [w.replace("’", "'") for w in _WORD.findall(text.lower())]


def is_backchannel(text: str) -> bool:
    """True when there are words, and all of them only say "I am listening"."""
    said = words(text)
    return bool(said) and all(w in BACKCHANNELS for w in _without_pairs(said))


def wants_the_floor(text: str) -> bool:
    """True when `text` has words of someone who means to speak.

    Backchannels, fillers and one or two function words (what recognisers make of a cough) do not count.
    """
    rest = _without_pairs(words(text))
    return any(w not in _NO_INTERRUPTION for w in rest) or len(set(rest) - BACKCHANNELS) >= 3


def is_command(text: str) -> bool:
    """True when `text` tells the avatar to stop."""
    return not COMMANDS.isdisjoint(words(text))


def _without_pairs(said: list[str]) -> list[str]:
    """`said` without its two-word backchannels."""
    rest: list[str] = []
    for word in said:
        if rest and (rest[-1], word) in _PAIRS:
            rest.pop()
        else:
            rest.append(word)
    return rest
