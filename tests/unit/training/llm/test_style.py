from parley.settings import REPOSITORY
from services.llm.engines.transformer_notes import notes_of
from services.llm.notes.markdown import parse_file
from training.llm.style import Style


def sentences(avatar: str) -> list[str]:
    return [
        text for note in notes_of(REPOSITORY / "avatars", avatar) if note.offered for text in note.answers
    ]


def test_the_subject_is_nearer_than_somebody_else() -> None:
    own = sentences("mira")
    other = [
        f"{note.heading} shall be deemed null and void under clause {n}."
        for n, note in enumerate(parse_file("x", (REPOSITORY / "services/llm/notes/common.md").read_text()))
    ]
    style = Style(own[::2], other[::2])
    assert style.distance(own[1::2]) < 0.3 < 0.7 < style.distance(other[1::2])
