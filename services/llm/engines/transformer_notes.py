"""What the small transformer is given of an avatar's notes."""

from collections.abc import Sequence
from pathlib import Path

from parley.avatars import load_avatar
from services.llm.engines.notes import with_common
from services.llm.engines.transformer_prompt import FIT_STEPS, NOTES_GIVEN, Known, told
from services.llm.notes.index import Match, NoteIndex
from services.llm.notes.markdown import Note, parse
from services.llm.policy import is_refusal


def notes_of(avatars_dir: Path, avatar: str) -> list[Note]:
    """An avatar's notes with the common ones: what it can talk about.

    Raises:
        UnknownAvatar: There is no such avatar.
    """
    return with_common(parse(load_avatar(avatars_dir, avatar).notes))


def given(index: NoteIndex, question: str) -> list[Match]:
    """The best notes for a question, best first; none that hardly fits, no move, no rule of the policy."""
    found = index.search(question, limit=NOTES_GIVEN + 2)
    fitting = [
        match
        for match in found
        if not match.note.internal and not is_refusal(match.note) and match.score >= FIT_STEPS[0]
    ]
    return fitting[:NOTES_GIVEN]


def known(matches: Sequence[Match], title: str) -> list[Known]:
    """The notes as the prompt shows them."""
    return [Known(told(match.note).replace("{name}", title), match.score) for match in matches]
