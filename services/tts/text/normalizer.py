"""The passes over a clause, in order, until nothing changes any more."""

import re
import unicodedata
from collections.abc import Set as AbstractSet

from anyascii import anyascii

from services.tts.text.amounts import spell_out
from services.tts.text.tables import SYMBOLS
from services.tts.text.words import abbreviations, addresses, alternatives, plain, romans

MAX_WORD = 40
_PASSES = 6

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʼ＇", "'"),
        **dict.fromkeys("“”„‟″«»‹›＂", '"'),
        **dict.fromkeys("‐‑‒﹣－", "-"),
        **dict.fromkeys("—―⸺", ", "),
        "–": " – ",
        "−": "-",
        "…": "... ",
        **dict.fromkeys("。．｡", ". "),
        **dict.fromkeys("、，﹐،", ", "),
        **dict.fromkeys("！﹗", "! "),
        **dict.fromkeys("？﹖؟", "? "),
        "Ω": " ohms ",
        "μ": "µ",
        "\u00ad": "",
    }
)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_HEADING = re.compile(r"^\s*(?:#{1,6}|[-*•>]|\d+[.)])\s+", re.MULTILINE)
_LINES = re.compile(r"(?<![.,:;!?\s])\s*\n+\s*")
_HASHTAG = re.compile(r"#(?=[A-Za-z])")
_OPEN_RANGE = re.compile(r"(?<=[0-9]) – (?=[0-9])")
_SYMBOL = re.compile("[" + re.escape("".join(SYMBOLS)) + "]")
_ASIDE = re.compile(r"[()\[\]{};:|]|\s[-–]+\s|--+|\.\.\.+(?=\s+[a-z])")
_RUN = re.compile(r"([A-Za-z])\1{3,}")
_LONG = re.compile(rf"[A-Za-z]{{{MAX_WORD + 1},}}")
_OTHER = re.compile(r"[^A-Za-z',.?!]+")
_LONE_APOSTROPHE = re.compile(r"(?<![A-Za-z])'+|'+(?![A-Za-z])")
_MARKS = re.compile(r"\s*[,.?!](?:[\s,.?!]*[,.?!])?")
_SPACES = re.compile(r"\s+")


def normalize(text: str, *, known: AbstractSet[str] = frozenset()) -> str:
    """English text in words that can be spoken.

    Numbers, dates, times, money, units, abbreviations, acronyms, addresses, symbols and mark-up are written
    out or dropped; letters of other scripts are transliterated. Applying it twice changes nothing.

    Args:
        text: A clause or more, in any characters.
        known: Lower-case words that have a pronunciation of their own, left as they are.

    Returns:
        ASCII letters, spaces, apostrophes inside words, and single marks of ",.?!"; "" when there is
        nothing to say.
    """
    words = frozenset(known)
    for _ in range(_PASSES):
        spoken = _pass(text, words)
        if spoken == text:
            break
        text = spoken
    return text


def _pass(text: str, known: frozenset[str]) -> str:
    text = _folded(text)
    text = _LINES.sub(", ", _HEADING.sub("", _TAG.sub(" ", _LINK.sub(r"\1", text))))
    text = _HASHTAG.sub(" hashtag ", _OPEN_RANGE.sub("–", text.replace("*", " ").replace("_", " ")))
    text = romans(abbreviations(addresses(text)))
    text = alternatives(spell_out(text))
    text = _SYMBOL.sub(lambda m: SYMBOLS[m[0]], _ASIDE.sub(", ", text))
    text = plain(text, known)
    text = _LONG.sub(_halved, _RUN.sub(r"\1\1", text))
    text = _LONE_APOSTROPHE.sub(" ", _OTHER.sub(" ", text))
    text = _MARKS.sub(_strongest, text)
    return _SPACES.sub(" ", text).strip(" ,.?!'") + _final_mark(text)


def _folded(text: str) -> str:
    """Typography to ASCII, other scripts to Latin letters, controls, marks and pictures away."""
    text = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHY)
    return text if text.isascii() and text.isprintable() else "".join(map(_ascii, text))


def _ascii(character: str) -> str:
    if character in SYMBOLS or character in "–\n":
        return character
    if character.isascii():
        return character if character.isprintable() else " "
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category.startswith(("L", "N")):
        return anyascii(character)
    return "" if category in ("Mn", "Me", "Cf") else " "


def _halved(match: re.Match[str]) -> str:
    word = match[0]
    return " ".join(word[i : i + MAX_WORD // 2] for i in range(0, len(word), MAX_WORD // 2))


def _strongest(match: re.Match[str]) -> str:
    return next(mark for mark in "?!.," if mark in match[0]) + " "


def _final_mark(text: str) -> str:
    """The mark that the text ends with, if there is a word in front of it."""
    text = text.rstrip()
    return text[-1] if text[-1:] in tuple(",.?!") and any(map(str.isalpha, text)) else ""
