"""Small things that need no notes: the time, the date, sums, and names."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.llm.notes.numbers import NUMBER, read, say, say_ordinal
from services.llm.notes.words import STOP_WORDS, normal

_TIME = re.compile(r"\b(?:what time is it|what is the time|tell me the time|what time it is|have the time)\b")
_DATE = re.compile(r"\b(?:what is the date|what day is it|what date is it|what day is today|what is today)\b")
_YEAR = re.compile(r"\b(?:what year is it|which year is it|what year are we in)\b")
_SUM = re.compile(
    rf"\b({NUMBER})\s*(plus|and|minus|less|times|multiplied by|divided by|over)\s*({NUMBER})(?:\s|$)"
)
_ASKS_SUM = re.compile(r"\b(?:what|how much|calculate|compute|add|work out)\b")
_MY_NAME = re.compile(r"\b(?:my name is|i am called|call me|people call me) ([a-z]+)\b")
_ASKS_MY_NAME = re.compile(r"\b(?:what is my name|do you (?:know|remember) my name|who am i)\b")
_ASKS_MEMORY = re.compile(
    r"\bwhat (?:do|can|did) you (?:still )?(?:know|remember) (?:about|of) me\b"
    r"|\bdo you (?:still )?remember me\b"
)
_YOURS = {
    "i am": "you are",
    "i": "you",
    "my": "your",
    "me": "you",
    "mine": "yours",
    "we": "you",
    "our": "your",
}
_MINE = re.compile(r"\b(?:i am|i'm|i|my|me|mine|we|our)\b", re.IGNORECASE)
_TOLD_BACK = 4
_LARGEST = 999_999_999


def clock(text: str, now: datetime) -> str | None:
    """The answer to a question about time or date, given normalised text; None if it is no such question."""
    if _TIME.search(text):
        return f"It's {say_time(now)}."
    if _DATE.search(text):
        return f"It's {now:%A}, {now:%B} {say_ordinal(now.day)}."
    if _YEAR.search(text):
        return f"It's {say(now.year // 100)} {_year_end(now.year % 100)}."
    return None


def say_time(now: datetime) -> str:
    """The time of day as people say it: "ten past four in the afternoon"."""
    hour, minute = now.hour, now.minute
    part = (
        "at night" if hour < 5 or hour >= 22 else
        "in the morning" if hour < 12 else
        "in the afternoon" if hour < 18 else
        "in the evening"
    )  # fmt: skip
    spoken = say((hour - 1) % 12 + 1)
    if minute == 0:
        return {0: "midnight", 12: "noon"}.get(hour, f"{spoken} o'clock {part}")
    filler = "oh " if minute < 10 else ""
    return f"{spoken} {filler}{say(minute)} {part}"


def arithmetic(text: str) -> str | None:
    """The answer to a sum of two numbers, given normalised text; None if there is none in it."""
    match = _SUM.search(text)
    if not match or (not _ASKS_SUM.search(text) and match.end() - match.start() < len(text)):
        return None
    left, right = read(match[1]), read(match[3])
    if left is None or right is None:
        return None
    match match[2]:
        case "plus" | "and":
            result, word = left + right, "plus"
        case "minus" | "less":
            result, word = left - right, "minus"
        case "times" | "multiplied by":
            result, word = left * right, "times"
        case _:
            return _divided(left, right)
    if abs(result) > _LARGEST or max(left, right) > _LARGEST:
        return "That number is too big for me to say."
    return f"{say(left).capitalize()} {word} {say(right)} is {say(result)}."


def _divided(left: int, right: int) -> str:
    if right == 0:
        return "Nobody can divide by zero, and I'm no exception."
    if max(left, right) > _LARGEST:
        return "That number is too big for me to say."
    whole, rest = divmod(left, right)
    remainder = f", with {say(rest)} left over" if rest else ""
    return f"{say(left).capitalize()} divided by {say(right)} is {say(whole)}{remainder}."


def own_name(text: str) -> str | None:
    """The name that the person gives in normalised text, with a capital; None if there is none."""
    match = _MY_NAME.search(text)
    return match[1].capitalize() if match and match[1] not in STOP_WORDS else None


def asks_own_name(text: str) -> bool:
    """Whether the person asks for their own name."""
    return bool(_ASKS_MY_NAME.search(text))


def asks_what_is_remembered(text: str) -> bool:
    """Whether the person asks what the avatar remembers of them."""
    return bool(_ASKS_MEMORY.search(text))


def told_back(facts: Sequence[str]) -> str:
    """The newest facts in the second person: "You told me that you live in Oslo, and that you like tea."."""
    parts = [
        _MINE.sub(lambda m: _YOURS[m[0].lower().replace("i'm", "i am")], fact) for fact in facts[-_TOLD_BACK:]
    ]
    clauses = [f"that {part[0].lower()}{part[1:].rstrip('.')}" for part in parts]
    return f"You told me {', and '.join(clauses)}."


def last_name_given(texts: Iterable[str]) -> str | None:
    """The name that the person gave last, in what they said so far."""
    names = [name for text in texts if (name := own_name(normal(text)))]
    return names[-1] if names else None


def _year_end(value: int) -> str:
    if value == 0:
        return "hundred"
    return say(value) if value >= 10 else f"oh {say(value)}"
