"""Rules for words: abbreviations, acronyms, Roman numerals, addresses of the net, names written together."""

import re

from services.tts.text.numerals import cardinal, digits, ordinal, roman, year
from services.tts.text.tables import (
    ABBREVIATIONS,
    COUNTED,
    LETTER_NAMES,
    MAY_END_SENTENCE,
    RULERS,
    SHORT_FORMS,
    SPELLED_CAPITALS,
    SPOKEN_CAPITALS,
    TITLES,
    TOP_LEVELS,
)

_URL = re.compile(
    rf"\b(?:https?://|www\.)[^\s<>\"]+|\b[\w-]+(?:\.[\w-]+)*\.(?:{TOP_LEVELS})\b(?:/[^\s<>\"]*)?", re.ASCII
)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", re.ASCII)
_URL_WORDS = {
    ".": "dot",
    "/": "slash",
    "-": "dash",
    "_": "underscore",
    "@": "at",
    "+": "plus",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    ":": "colon",
    "%": "percent",
    "~": "tilde",
}
_DOTTED = re.compile(r"\b((?:[A-Za-z]\.){2,})(\s+[A-Z]|\s*$)?")
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?<![0-9]\s)("
    + "|".join(re.escape(a[:-1]) for a in sorted(ABBREVIATIONS | TITLES, key=len, reverse=True))
    + r")\.(\s+[A-Z]|\s*$)?",
    re.IGNORECASE,
)
_SAINT = re.compile(r"\bSt\.?(?=\s+[A-Z])")
_STREET = re.compile(r"\bSt\.")
_NUMERO = re.compile(r"\b(?:No|Nr)\.\s?(?=[0-9])|№\s?")
_SHORT = re.compile(r"(?<![\w/])(w/o|w/|Mr|Mrs|Ms|Dr|vs)(?![\w/'])")
_COUNTED_ROMAN = re.compile(rf"\b({COUNTED})\s([IVXLC]+)\b", re.IGNORECASE)
_RULER_ROMAN = re.compile(rf"\b((?:{RULERS})(?:\s[A-Z][a-z]+)?)\s([IVX]{{2,}}|[VX])\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z]+)?")
_PARTS = re.compile(r"[0-9]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]+")
_PLURAL_ACRONYM = re.compile(r"([A-Z]{2,5})(s)")
_FILE = re.compile(r"(?<=[A-Za-z_]{2})\.(?=[a-z]{1,5}\b)")
_EITHER = re.compile(r"(?<=[A-Za-z])/(?=[A-Za-z])")


def addresses(text: str) -> str:
    """ "see example.com/a" → "see example dot com slash a"; e-mail addresses and file names likewise."""
    text = _EMAIL.sub(lambda m: f" {_spoken_address(m[0])} ", text)
    return _FILE.sub(" dot ", _URL.sub(_spoken_url, text))


def alternatives(text: str) -> str:
    """ "his/her" → "his or her"; "and/or" and "TCP/IP" just side by side."""

    def said(match: re.Match[str]) -> str:
        lower = text[match.start() - 1].islower() and text[match.end()].islower()
        return " or " if lower and not text[: match.start()].endswith("and") else " "

    return _EITHER.sub(said, text)


def _spoken_url(match: re.Match[str]) -> str:
    url = re.sub(r"^https?://", "", match[0])
    url = re.sub(r"^www\.", "", url)
    body = url.rstrip(".,;:!?)/'")
    return f" {_spoken_address(body)} {url[len(body) :].replace('/', '')}"


def _spoken_address(address: str) -> str:
    parts = re.findall(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]", address)
    return " ".join(_URL_WORDS.get(p, digits(p) if p.isdigit() else p) for p in parts)


def abbreviations(text: str) -> str:
    """ "Dr. Lee, e.g." → "Doctor Lee, for example"; a point that also ends the sentence stays."""
    text = _NUMERO.sub("number ", text)
    text = _STREET.sub("Street", _SAINT.sub("Saint", text))
    text = _DOTTED.sub(_dotted, text)
    text = _ABBREVIATION.sub(_written_out, text)
    return _SHORT.sub(lambda m: SHORT_FORMS[m[1]] + " ", text)


def _dotted(match: re.Match[str]) -> str:
    known = ABBREVIATIONS.get(match[1].lower())
    said = known or _spelled(match[1].replace(".", "").upper())
    ends = match[2] is not None and (not match[2].strip() or len(match[1]) > 4)
    return said + ("." if ends and not known else "") + (match[2] or "")


def _written_out(match: re.Match[str]) -> str:
    key = match[1].lower() + "."
    if key in TITLES and not match[1][0].isupper():  # "80 ms." is no lady
        return match[0]
    follows = match[2]
    ends = follows is not None and (not follows.strip() or key in MAY_END_SENTENCE)
    return (TITLES.get(key) or ABBREVIATIONS[key]) + ("." if ends else "") + (follows or "")


def romans(text: str) -> str:
    """ "Chapter IV" → "Chapter four", "Henry VIII" → "Henry the eighth"; elsewhere letters stay letters."""

    def counted(match: re.Match[str]) -> str:
        value = roman(match[2].upper()) if match[2].isupper() else None
        return match[0] if value is None else f"{match[1]} {cardinal(value)}"

    def ranked(match: re.Match[str]) -> str:
        value = roman(match[2].upper()) if match[2].isupper() else None
        return match[0] if value is None or value > 40 else f"{match[1]} the {ordinal(value)}"

    return _RULER_ROMAN.sub(ranked, _COUNTED_ROMAN.sub(counted, text))


def plain(text: str, known: frozenset[str]) -> str:
    """Every word such that it can be read: acronyms spelled or lowered, compounds taken apart.

    Args:
        text: ASCII.
        known: Lower-case words to leave alone.
    """
    words = [w for w in _WORD.findall(text) if len(w) > 1 and w.isalpha()]
    shouting = len(words) > 2 and sum(w.isupper() for w in words) * 2 > len(words)
    return _WORD.sub(lambda m: m[0] if m[0].lower() in known else _read(m[0], known, shouting), text)


def _read(word: str, known: frozenset[str], shouting: bool) -> str:
    stem, apostrophe, ending = word.partition("'")
    if stem.lower() in known:
        return word
    if match := _PLURAL_ACRONYM.fullmatch(stem):
        stem, apostrophe, ending = match[1], "'", match[2]
    parts: list[str] = _PARTS.findall(stem)
    said = " ".join(_read_part(part, shouting=shouting, alone=len(parts) == 1) for part in parts)
    return said + (apostrophe + ending.lower() if ending else "")


def _read_part(part: str, *, shouting: bool, alone: bool) -> str:
    if part.isdigit():
        return _code(part)
    if not part.isupper():
        return part
    if len(part) == 1:
        return part if alone else LETTER_NAMES.get(part, part)
    if part in SPOKEN_CAPITALS:
        return part.lower()
    readable = any(letter in "AEIOUY" for letter in part)
    if part in SPELLED_CAPITALS or (not shouting and len(part) <= 3) or (not readable and len(part) <= 6):
        return _spelled(part)
    return part.lower()


def _spelled(letters: str) -> str:
    return " ".join(LETTER_NAMES.get(letter, letter) for letter in letters)


def _code(text: str) -> str:
    """Digits in a name, as in H264: "two sixty four"."""
    value = int(text[:5])
    if text.startswith("0") or len(text) > 4:
        return digits(text)
    if len(text) == 4:
        return year(value) if value >= 1000 else digits(text)
    if len(text) == 3 and value % 100 >= 10:
        return f"{cardinal(value // 100)} {cardinal(value % 100)}"
    return cardinal(value)
