"""Numbers in words, by num2words, in the forms that people say them."""

from functools import lru_cache

from num2words import num2words

MAX_DIGITS = 15

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def _plain(words: str) -> str:
    return words.replace("-", " ").replace(",", "")


@lru_cache(maxsize=4096)
def cardinal(number: int) -> str:
    """1204 → "one thousand two hundred and four"."""
    return _plain(num2words(number))


@lru_cache(maxsize=4096)
def ordinal(number: int) -> str:
    """21 → "twenty first"."""
    return _plain(num2words(number, to="ordinal"))


@lru_cache(maxsize=4096)
def year(number: int) -> str:
    """1984 → "nineteen eighty four", 2005 → "two thousand five", 2024 → "twenty twenty four"."""
    if 2000 <= number < 2010:
        return "two thousand" + (f" {_DIGITS[number % 10]}" if number % 10 else "")
    return _plain(num2words(number, to="year"))


def digits(text: str) -> str:
    """Each digit by itself: "407" → "four zero seven"; other characters are skipped."""
    return " ".join(_DIGITS[int(character)] for character in text if character in "0123456789")


def number(text: str) -> str:
    """A decimal number as written: "1,204.50", "007", ".5", and digit by digit what is too long to count.

    Args:
        text: ASCII digits with optional thousands commas, and at most one point.
    """
    whole, _, fraction = text.replace(",", "").partition(".")
    if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole)
    else:
        spoken = cardinal(int(whole or "0"))
    return f"{spoken} point {digits(fraction)}" if fraction else spoken


def plural(words: str) -> str:
    """The last word in the plural: "nineteen eighty" → "nineteen eighties", "six" → "sixes"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s")) else "s")


def roman(text: str) -> int | None:
    """The value of a Roman numeral in its canonical form; None when it is not one."""
    values = [_ROMAN[letter] for letter in text]
    total = sum(-v if any(v < w for w in values[i + 1 : i + 2]) else v for i, v in enumerate(values))
    return total if 0 < total < 4000 and _to_roman(total) == text else None


def _to_roman(value: int) -> str:
    parts = (
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
        (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    )  # fmt: skip
    written = ""
    for size, letters in parts:
        written += letters * (value // size)
        value %= size
    return written
