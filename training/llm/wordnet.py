"""WordNet 3.0 (Miller, 1995) as short notes: what a thing is, what kind, what else it is called, and so on.

Debian's package `wordnet-base` has its files; its licence allows any use, with its notice kept.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parley.errors import ConfigError

FOLDER = Path("/usr/share/wordnet")
LICENCE = "WordNet 3.0, copyright 2006 by Princeton University, WordNet licence (any use, notice kept)"

_COUNTED = frozenset(
    {5, 6, 8, 11, 15, 17, 18, 20}
)  # animal, artifact, body, event, place, object, person, plant
_WORD = re.compile(r"[a-z][a-z -]*[a-z]")
_QUOTED = re.compile(r'"([^"\n]{12,90})"')
_PLAIN = re.compile(r"[A-Za-z][A-Za-z',;.!? -]*")
_POINTERS = {"@": "kind", "~": "example", "%p": "part", "#p": "whole"}
_SHORTEST, _LONGEST = 4, 26  # words of a definition


@dataclass(frozen=True, slots=True)
class Entry:
    """One meaning of a noun.

    Attributes:
        word: Its first word.
        others: Words for the same.
        meaning: The definition, without examples.
        said: An example of its use; empty: none.
        counted: "a heron", not "heron".
        links: Of "kind", "example", "part" and "whole": keys of other entries.
    """

    word: str
    others: tuple[str, ...]
    meaning: str
    said: str
    counted: bool
    links: Mapping[str, tuple[str, ...]]

    @property
    def named(self) -> str:
        """With its article, if it takes one."""
        return with_article(self.word) if self.counted else self.word


def with_article(word: str) -> str:
    """ "a heron", "an owl"."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def entries(folder: Path = FOLDER) -> dict[str, Entry]:
    """Nouns in plain words, by key, in the file's order.

    Raises:
        ConfigError: WordNet is not installed.
    """
    found = {}
    for line in _read(folder, "noun").splitlines():
        if not line.startswith(" ") and (entry := _entry(line)):
            found[line[:8]] = entry
    return found


def examples(folder: Path = FOLDER) -> list[str]:
    """How words of every kind are used: phrases and sentences of 12 to 90 letters, in the files' order.

    Raises:
        ConfigError: WordNet is not installed.
    """
    quoted = (
        text for kind in ("noun", "verb", "adj", "adv") for text in _QUOTED.findall(_read(folder, kind))
    )
    return [text for text in dict.fromkeys(quoted) if _PLAIN.fullmatch(text)]


def _read(folder: Path, kind: str) -> str:
    try:
        return (folder / f"data.{kind}").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"WordNet cannot be read: {error}.", fix="apt install wordnet-base") from error


def _entry(line: str) -> Entry | None:
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    count = int(fields[3], 16)
    words = [word.replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]]
    meaning = re.split(r';\s*"|--', gloss)[0].strip(" ;")
    meaning = re.sub(r"\s*\([^)]*\)", "", meaning).split("; ")[0].strip()
    quoted = _QUOTED.search(gloss)
    size = len(meaning.split())
    if not _WORD.fullmatch(words[0]) or not _SHORTEST <= size <= _LONGEST or re.search(r"[\d<>|]", meaning):
        return None
    return Entry(
        words[0],
        tuple(word for word in words[1:] if _WORD.fullmatch(word)),
        meaning,
        quoted[1] if quoted else "",
        int(fields[1]) in _COUNTED,
        _links(fields[5 + 2 * count :]),
    )


def _links(fields: list[str]) -> dict[str, tuple[str, ...]]:
    links: dict[str, list[str]] = {}
    for at in range(0, len(fields) - 3, 4):
        symbol, key, kind = fields[at : at + 3]
        if kind == "n" and symbol in _POINTERS:
            links.setdefault(_POINTERS[symbol], []).append(key)
    return {name: tuple(keys[:3]) for name, keys in links.items()}


def facts(entry: Entry, known: Mapping[str, Entry]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What can be said about it: a sentence, and questions that it answers."""
    word, named = entry.word, entry.named
    start = "a " if entry.counted and not re.match(r"(a|an|the|any|one|some) ", entry.meaning) else ""
    if start and entry.meaning[0] in "aeiou":
        start = "an "
    yield (
        f"{named[0].upper()}{named[1:]} is {start}{entry.meaning}.",
        (
            f"what is {named}", f"what does {word} mean", f"tell me about {word}", f"explain {word} to me",
            f"do you know what {named} is", f"can you tell me what {named} is",
            f"what do you know about {word}",
            f"what is that thing they call {word}", f"i would like to know what {named} is", f"{word}",
            f"what about {' '.join(entry.meaning.split()[-3:])}",
        ),
    )  # fmt: skip
    for key in entry.links.get("kind", ())[:1]:
        if kind := known.get(key):
            yield (
                f"It is a kind of {kind.word}.",
                (f"what kind of thing is {named}", f"what sort of thing is {word}", f"which kind is {named}",
                 f"is {named} a kind of {kind.word}"),
            )  # fmt: skip
    if entry.others:
        yield (
            f"Another word for it is {entry.others[0]}.",
            (f"what else is {word} called", f"is there another word for {word}", f"how else can i say {word}",
             f"does {word} have another name"),
        )  # fmt: skip
    for key in entry.links.get("part", ())[:1]:
        if part := known.get(key):
            yield (
                f"One of its parts is the {part.word}.",
                (
                    f"what are the parts of {named}",
                    f"which part does {named} have",
                    f"does {word} have parts",
                ),
            )
    for key in entry.links.get("whole", ())[:1]:
        if whole := known.get(key):
            yield (
                f"It belongs to a {whole.word}.",
                (f"what does {named} belong to", f"what is {word} a part of", f"where does {word} belong"),
            )
    for key in entry.links.get("example", ())[:1]:
        if example := known.get(key):
            yield (
                f"One of them is the {example.word}.",
                (f"which kinds of {word} are there", f"can you name one {word}", f"which {word} do you know"),
            )
    if entry.said:
        yield (
            f"People say, {entry.said[0].lower()}{entry.said[1:].rstrip('.')}.",
            (f"how is {word} used", f"use {word} in a sentence", f"when do people say {word}"),
        )
