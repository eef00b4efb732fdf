"""The format of notes: plain Markdown that anyone can write.

    # Tea                          what the file is about; used in offers ("shall I tell you about tea?");
                                   in parentheses: never offered

    ## green tea                   one note; its id is "{file stem}/green-tea". Written as it stands inside
                                   "shall I tell you about green tea?"
    Q: what is green tea           questions that people might ask, any number, also none
    Q: how is green tea made
    The spoken answer, short.      the first paragraph is the first answer
    Or: The same in other words.   another wording of it, taken in turn

    More about it.                 each further paragraph is one "tell me more"

    ## (more)                      a heading in parentheses belongs to the engine: see `common.md`

Text before the first `##` heading becomes a note named after the file's title. A note with the same heading
as one in `common.md` takes its place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to say.

    Attributes:
        id: "{file}/{heading}", lower case with dashes; what citations name.
        heading: As written, without parentheses.
        topic: Title of its file.
        offered: May be suggested by the avatar itself.
        internal: Its heading was in parentheses: a move in the conversation rather than a topic.
        questions: What people might ask.
        answers: Wordings of the first answer, at least one unless `internal`.
        more: What to say when asked for more, in order.
    """

    id: str
    heading: str
    topic: str
    offered: bool
    internal: bool
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    more: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The heading's part of the id."""
        return self.id.rsplit("/", 1)[-1]


@dataclass(slots=True)
class _Draft:
    heading: str
    questions: list[str] = field(default_factory=list)
    wordings: list[str] = field(default_factory=list)
    paragraphs: list[list[str]] = field(default_factory=list)
    open: bool = False


def slug(text: str) -> str:
    """Lower case, with dashes for everything that is no letter or digit."""
    return _SLUG.sub("-", text.lower()).strip("-")


def parse_file(stem: str, text: str) -> list[Note]:
    """Reads one file of notes; headings without any text below them are left out."""
    title = stem.replace("_", " ")
    drafts: list[_Draft] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("# "):
            title = line[2:].strip()
        elif line.startswith("## "):
            drafts.append(_Draft(line[3:].strip()))
        else:
            if not drafts:
                if not line:
                    continue
                drafts.append(_Draft(title.strip("()")))
            _add_line(drafts[-1], line)
    return [note for draft in drafts if (note := _finish(stem, title, draft)) is not None]


def parse(files: Mapping[str, str]) -> list[Note]:
    """Reads all files of an avatar, by stem."""
    return [note for stem, text in files.items() for note in parse_file(stem, text)]


def _add_line(draft: _Draft, line: str) -> None:
    if not line:
        draft.open = False
    elif line.startswith("Q:"):
        draft.questions.append(line[2:].strip())
    elif line.startswith("Or:"):
        draft.wordings.append(line[3:].strip())
        draft.open = False
    elif draft.open:
        draft.paragraphs[-1].append(line)
    else:
        draft.paragraphs.append([line])
        draft.open = True


def _finish(stem: str, title: str, draft: _Draft) -> Note | None:
    paragraphs = [" ".join(lines) for lines in draft.paragraphs]
    internal = draft.heading.startswith("(")
    if not paragraphs and not draft.wordings and not internal:
        return None
    heading = draft.heading.strip("()")
    return Note(
        id=f"{stem}/{slug(heading)}",
        heading=heading,
        topic=title.strip("()"),
        offered=not internal and not title.startswith("("),
        internal=internal,
        questions=tuple(draft.questions),
        answers=(*paragraphs[:1], *draft.wordings),
        more=tuple(paragraphs[1:]),
    )
