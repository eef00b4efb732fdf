"""How a clause is handed to an engine: plain words, punctuation, and pronunciations in square brackets.

`Ask [M IH1 R AH0], please.` Engines take any string; what is not in this language is dropped here, so that no
text, however hostile, reaches a synthesiser's own mark-up or command language.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from parley.errors import BadRequest
from services.tts.engines.phones import stressed

MAX_CHARS = 400
MAX_WORD_CHARS = 40

_PIECE = re.compile(
    r"\[(?P<phones>[A-Za-z0-2 ]{1,120})\]|(?P<word>[A-Za-z0-9]+(?:'[A-Za-z]+)*'?)|(?P<mark>[,.?!;:])",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a clause.

    Attributes:
        word: Letters, digits and apostrophes, at most `MAX_WORD_CHARS`; "" when `phones` says it all.
        phones: How it is said ("m", "ih1", "r", "ax0"); empty: by the synthesiser's own rules.
        mark: Punctuation that follows it, one character or "".
    """

    word: str
    phones: tuple[str, ...] = ()
    mark: str = ""


def tokens(clause: str) -> list[Token]:
    """The words of a clause.

    Raises:
        BadRequest: Longer than `MAX_CHARS`.
    """
    if len(clause) > MAX_CHARS:
        raise BadRequest(
            f"A clause of {len(clause)} characters is too long for one breath.",
            fix=f"Send at most {MAX_CHARS} characters a clause.",
        )
    found: list[Token] = []
    for piece in _PIECE.finditer(clause):
        if piece["mark"]:
            if found and not found[-1].mark:
                found[-1] = Token(found[-1].word, found[-1].phones, piece["mark"])
        elif piece["word"]:
            found += [Token(part) for part in _short(piece["word"])]
        elif phones := stressed(piece["phones"]):
            found.append(Token("", phones))
    return found


def _short(word: str) -> Iterator[str]:
    """The word in parts that a synthesiser's buffers hold."""
    for start in range(0, len(word), MAX_WORD_CHARS):
        yield word[start : start + MAX_WORD_CHARS]
