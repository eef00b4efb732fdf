"""Rules for what is written with digits: dates, times, money, units, ranges, versions, telephones, numbers.

Each rule is a pattern and what is said instead. They run over the whole text, the more special first.
"""

import re
from collections.abc import Callable

from services.tts.text.numerals import cardinal, digits, number, ordinal, plural, year
from services.tts.text.tables import CURRENCIES, FRACTIONS, MAGNITUDES, MONTH_NAMES, MONTHS, UNITS

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_MONTH = "|".join(
    sorted({*MONTHS, *(short.capitalize() + r"\.?" for short in MONTH_NAMES)}, key=len, reverse=True)
)
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_MONEY = "".join(re.escape(symbol) for symbol in CURRENCIES)
_MAGNITUDE = "|".join(sorted(MAGNITUDES, key=len, reverse=True))
_HALF_DAY = r"(?:\s?([ap])\.?\s?m\b\.?)"


def _rule(pattern: str, say: Callable[[re.Match[str]], str], flags: int = 0) -> Rule:
    # Spaces on both sides: digits may touch letters, and what is said must not.
    return re.compile(pattern, flags), lambda match: f" {say(match)} "


def _month(text: str) -> str:
    return MONTH_NAMES.get(text.rstrip(".")[:4].lower(), MONTH_NAMES[text[:3].lower()])


def _date(day: int, month: int, of_year: str) -> str | None:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    said_year = ""
    if of_year:
        said_year = f", {year(int(of_year))}" if len(of_year) == 4 else f", {cardinal(int(of_year))}"
    return f"{MONTHS[month - 1]} {ordinal(day)}{said_year}"


def _iso_date(match: re.Match[str]) -> str:
    return _date(int(match[3]), int(match[2]), match[1]) or digits(match[0])


def _us_date(match: re.Match[str]) -> str:
    first, second = int(match[1]), int(match[2])
    spoken = _date(second, first, match[3]) or _date(first, second, match[3])
    return spoken or " slash ".join(number(part) for part in match.group(1, 2, 3))


def _month_day(match: re.Match[str]) -> str:
    tail = f", {year(int(match[3]))}" if match[3] else ""
    return f"{_month(match[1])} {ordinal(int(match[2]))}{tail}"


def _day_month(match: re.Match[str]) -> str:
    tail = f", {year(int(match[3]))}" if match[3] else ""
    return f"{ordinal(int(match[1]))} of {_month(match[2])}{tail}"


def _time(match: re.Match[str]) -> str:
    hour, minute, second, half = int(match[1]), match[2], match[3], match[4]
    if hour > 24 or int(minute) > 59:
        return f"{number(match[1])} to {number(minute)}"
    said = cardinal(hour)
    if minute == "00":
        said += "" if half else (" o'clock" if 1 <= hour <= 12 else " hundred")
    else:
        said += f" oh {cardinal(int(minute))}" if minute.startswith("0") else f" {cardinal(int(minute))}"
    if second:
        said += f" and {cardinal(int(second))} seconds"
    return said + _half_day(half)


def _half_day(letter: str | None) -> str:
    return f" {'Ay' if letter.lower() == 'a' else 'P'} M" if letter else ""


def _money(match: re.Match[str]) -> str:
    one, many, hundredth, hundredths = CURRENCIES[match[1]]
    amount, magnitude = match[2], (match[3] or "").lower()
    if magnitude:
        return f"{number(amount)} {MAGNITUDES[magnitude]} {many}"
    whole, _, cents = amount.partition(".")
    if len(cents) != 2:
        return f"{number(amount)} {one if amount == '1' else many}"
    units, parts = number(whole), int(cents)
    said_parts = f"{cardinal(parts)} {hundredth if parts == 1 else hundredths}"
    if int(whole.replace(",", "")) == 0:
        return said_parts
    said = f"{units} {one if units == 'one' else many}"
    return f"{said} and {said_parts}" if parts else said


def _amount(match: re.Match[str]) -> str:
    minus = "minus " if match[1] else ""
    one, many = UNITS[match[3]]
    return f"{minus}{number(match[2])} {one if match[2] == '1' else many}"


def _range(match: re.Match[str]) -> str:
    first, second = match[1], match[2]
    if len(first) == 4 and len(second) == 4:
        return f"{_maybe_year(first)} to {_maybe_year(second)}"
    return f"{number(first)} to {number(second)}"


def _maybe_year(text: str) -> str:
    """Four digits that stand alone are read as a year where that is how people count."""
    value = int(text)
    return year(value) if 1100 <= value < 2100 else number(text)


def _fraction(match: re.Match[str]) -> str:
    whole, over, under = match[1], int(match[2]), int(match[3])
    if over and (known := FRACTIONS.get((over, under))):
        said = known
    elif 1 <= over < under <= 20 and under > 2:
        said = f"{cardinal(over)} {ordinal(under)}{'s' if over > 1 else ''}"
    else:
        said = f"{number(match[2])} over {number(match[3])}"
    return f"{number(whole.strip())} and {said}" if whole else said


def _version(match: re.Match[str]) -> str:
    return " point ".join(number(part) for part in match[0].split("."))


def _telephone(match: re.Match[str]) -> str:
    groups = [digits(group) for group in re.findall("[0-9]+", match[0])]
    return ("plus " if match[0].startswith("+") else "") + ", ".join(groups)


def _ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match[1].replace(",", ""))) if len(match[1]) < 16 else digits(match[1])


def _decade(match: re.Match[str]) -> str:
    return plural(cardinal(int(match[1])) if len(match[1]) == 2 else year(int(match[1])))


def _number(match: re.Match[str]) -> str:
    minus, text = ("minus " if match[1] else ""), match[2]
    if re.fullmatch("[0-9]{4}", text) and not minus:
        return _maybe_year(text)
    return minus + number(text)


RULES: tuple[Rule, ...] = (
    _rule(r"\b([0-9]{4})-([01]?[0-9])-([0-3]?[0-9])\b", _iso_date),
    _rule(r"\b([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})\b", _us_date),
    _rule(
        rf"\b({_MONTH})\s([0-3]?[0-9])(?:st|nd|rd|th)?(?:,?\s([12][0-9]{{3}}))?\b(?![.:][0-9])", _month_day
    ),
    _rule(
        rf"\b([0-3]?[0-9])(?:st|nd|rd|th)?\s(?:of\s)?({_MONTH})(?:,?\s([12][0-9]{{3}}))?(?![A-Za-z])",
        _day_month,
    ),
    _rule(rf"\b([0-2]?[0-9]):([0-5][0-9])(?::([0-5][0-9]))?{_HALF_DAY}?(?![0-9:])", _time, re.IGNORECASE),
    _rule(
        rf"\b([01]?[0-9]){_HALF_DAY}(?![A-Za-z])",
        lambda m: cardinal(int(m[1])) + _half_day(m[2]),
        re.IGNORECASE,
    ),
    _rule(rf"([{_MONEY}])\s?({_NUMBER})(?:\s?({_MAGNITUDE})\b)?", _money, re.IGNORECASE),
    _rule(
        rf"({_NUMBER})\s?([{_MONEY}])",
        lambda m: f"{number(m[1])} {CURRENCIES[m[2]][0 if m[1] == '1' else 1]}",
    ),
    _rule(
        r"\+[0-9]{1,3}(?:[ -][0-9]{2,8}){1,5}\b|\b(?:1-)?[0-9]{3}-[0-9]{3}-[0-9]{4}\b|\b[0-9]{3}-[0-9]{4}\b",
        _telephone,
    ),
    _rule(r"\b([0-9]+(?:\.[0-9]+)?)\s?[-–]\s?([0-9]+(?:\.[0-9]+)?)(?![-–0-9])", _range),
    _rule(r"'?\b([0-9]{4}|[0-9]0)s\b", _decade),
    _rule(
        r"\b([0-9])'\s?([0-9]{1,2})\"",
        lambda m: f"{number(m[1])} {'foot' if m[1] == '1' else 'feet'} {number(m[2])}",
    ),
    _rule(rf"(?<![\w.])([-−]?)({_NUMBER})\s?({_UNIT})(?![A-Za-z0-9²³/])", _amount),
    _rule(r"\b[0-9]+(?:\.[0-9]+){2,}\b", _version),
    _rule(r"\b([0-9]{1,3}\s)?([0-9]{1,3})/([0-9]{1,3})\b", _fraction),
    _rule(r"\b([0-9][0-9,]*)(?:st|nd|rd|th)\b", _ordinal),
    _rule(rf"(?<![\w.])([-−]?)({_NUMBER})(?![\w])", _number),
)


def spell_out(text: str) -> str:
    """Writes out everything that these rules know; digits inside words are left."""
    for pattern, say in RULES:
        text = pattern.sub(say, text)
    return text
