"""Long text in pieces that can be spoken one after the other, so that the first is heard early."""

import re

_END = re.compile(r"(?<=[.!?…;:])[\"')\]]*\s+|\n+")
MAX_CHARS = 300


def split(text: str) -> list[str]:
    """Sentences of `text` with their spacing; one that is very long is cut between words.

    The concatenation of the result is `text`.
    """
    pieces: list[str] = []
    at = 0
    for match in _END.finditer(text):
        pieces.append(text[at : match.end()])
        at = match.end()
    pieces.append(text[at:])
    return [part for piece in pieces if piece for part in _cut(piece)]


def _cut(piece: str) -> list[str]:
    parts = []
    while len(piece) > MAX_CHARS:
        at = piece.rfind(" ", 0, MAX_CHARS) + 1 or MAX_CHARS
        parts.append(piece[:at])
        piece = piece[at:]
    return [*parts, piece]
