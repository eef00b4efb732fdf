"""English numbers, spoken: from words and to words."""

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: i for i, word in enumerate(_ONES)} | {word: i * 10 for i, word in enumerate(_TENS) if i > 1}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"} | {
    "nine": "ninth",
    "twelve": "twelfth",
}
NUMBER = (
    rf"(?:\d[\d,]*|(?:(?:{'|'.join([*_VALUES, *_SCALES, 'a hundred', 'a thousand'])})(?:[ -]and)?\b[ -]?)+)"
)


def say(value: int) -> str:
    """The number in words ("minus forty two"); up to a billion."""
    if value < 0:
        return f"minus {say(-value)}"
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    for scale, size in (("million", 1_000_000), ("thousand", 1000), ("hundred", 100)):
        if value >= size:
            head, rest = divmod(value, size)
            joint = " and " if scale == "hundred" or rest < 100 else " "
            return f"{say(head)} {scale}" + (f"{joint}{say(rest)}" if rest else "")
    raise AssertionError(value)


def say_ordinal(value: int) -> str:
    """The place in words ("twenty first"); 1 to 99."""
    *front, last = say(value).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join((*front, last))


def read(text: str) -> int | None:
    """The value of a number in digits or words; None if it is no number."""
    text = text.strip().replace(",", "")
    if text.isdigit():
        return int(text)
    total = current = 0
    words = [word for word in re.split(r"[ -]+", text) if word not in {"and", "a", ""}]
    if not words:
        return None
    for word in words:
        if word in _VALUES:
            current += _VALUES[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total += max(current, 1) * _SCALES[word]
            current = 0
        else:
            return None
    return total + current
