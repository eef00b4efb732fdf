"""The notes' format, and that the default avatars' texts keep to it."""

import pytest

from parley.avatars import Avatar, list_avatars
from parley.settings import REPOSITORY
from services.llm.engines.notes import with_common
from services.llm.notes.markdown import parse, parse_file
from services.llm.spoken import clean

AVATARS = list_avatars(REPOSITORY / "avatars")
DEFAULTS = [avatar for avatar in AVATARS if avatar.name in {"mira", "theo"}]

TEA = """# Tea
Tea comes from one plant.

## green tea
Q: what is green tea
Q: how is it made
Green tea is heated
at once.
Or: It is heated early.

It stays green.

And it tastes of grass.

## empty

## (more)
Q: tell me more
"""


def test_every_part_of_the_format() -> None:
    start, green, more = parse_file("tea_notes", TEA)
    assert (start.id, start.heading, start.answers) == (
        "tea_notes/tea",
        "Tea",
        ("Tea comes from one plant.",),
    )
    assert green.id == "tea_notes/green-tea"
    assert green.questions == ("what is green tea", "how is it made")
    assert green.answers == ("Green tea is heated at once.", "It is heated early.")
    assert green.more == ("It stays green.", "And it tastes of grass.")
    assert green.offered and not green.internal
    assert more.internal and not more.offered and more.questions == ("tell me more",)


def test_a_file_in_parentheses_is_never_offered() -> None:
    (note,) = parse_file("talk", "# (small talk)\n## joke\nHa.\n")
    assert note.topic == "small talk" and not note.offered


def test_an_avatars_note_takes_the_common_ones_place() -> None:
    notes = with_common(parse({"mine": "# Mine\n## goodbye\nOff you go.\n"}))
    assert [note.answers for note in notes if note.key == "goodbye"] == [("Off you go.",)]


@pytest.mark.parametrize("avatar", DEFAULTS, ids=lambda avatar: avatar.name)
def test_default_avatars_can_be_spoken(avatar: Avatar) -> None:
    notes = parse(avatar.notes)
    assert len(notes) >= 40
    assert len({note.id for note in notes}) == len(notes)
    assert avatar.persona and avatar.greeting
    for note in notes:
        assert note.questions, note.id
        for text in (*note.answers, *note.more):
            assert clean(text) == text, note.id
            assert text.isascii() and not any(char.isdigit() for char in text), note.id
            assert text[-1] in ".!?", note.id
        for text in note.answers:
            assert len(text.split()) <= 50, note.id


def test_there_are_two_default_avatars() -> None:
    assert {avatar.name for avatar in DEFAULTS} == {"mira", "theo"}
