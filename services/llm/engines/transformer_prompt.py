"""How the small transformer is asked: the one format that it is trained on and served with.

    <|system|>Mira<|user|><|note|><|fit5|>green tea: Let the water cool …<|ask|>how do i make green tea
    <|assistant|>Let the water cool …<|end|><|user|>…

(without the line breaks). A question carries the notes that were found for it, best first, so a talk only
ever grows at its end, and what was computed for its beginning stays right. How well a note fits is told in
steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.llm.notes.markdown import Note
from services.llm.notes.words import normal

SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
NOTE, ASK, END = "<|note|>", "<|ask|>", "<|end|>"
FIT_STEPS = (0.30, 0.36, 0.42, 0.48, 0.54, 0.62, 0.72)
FITS = tuple(f"<|fit{step}|>" for step in range(len(FIT_STEPS) + 1))
SPECIAL = (END, SYSTEM, USER, ASSISTANT, NOTE, ASK, *FITS)

NOTES_GIVEN = 2
NOTE_WORDS = 120

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""The same format for servers and trainers that take a Jinja template."""


@dataclass(frozen=True, slots=True)
class Known:
    """A note as the model sees it.

    Attributes:
        text: "heading: what it says".
        fit: How well it fits the question; about 0 to 1, see `services.llm.notes.index.Match`.
    """

    text: str
    fit: float


def told(note: Note) -> str:
    """A note's text: its first answer and all that comes after it, cut at `NOTE_WORDS`."""
    words = " ".join((*note.answers[:1], *note.more)).split()
    return f"{note.heading}: {' '.join(words[:NOTE_WORDS])}"


def asked(question: str, notes: Sequence[Known] = ()) -> str:
    """What stands in the person's message: the notes, then the words in their normal form.

    The normal form has letters, digits and spaces only: nobody can speak a control token.
    """
    given = "".join(f"{NOTE}{fit_token(note.fit)}{plain(note.text)}" for note in notes)
    return f"{given}{ASK}{normal(question)}"


def fit_token(fit: float) -> str:
    """The step that a fit falls into."""
    return FITS[int(np.searchsorted(FIT_STEPS, fit, side="right"))]


def plain(text: str) -> str:
    """Text that cannot be taken for a control token."""
    return text.replace("<|", "").replace("|>", "")


def rendered(messages: Sequence[tuple[str, str]], *, answer: bool = True) -> str:
    """The whole prompt.

    Args:
        messages: Role ("system", "user", "assistant") and content, oldest first.
        answer: Ends where the reply begins.
    """
    parts = [f"<|{role}|>{content}{END if role == 'assistant' else ''}" for role, content in messages]
    return "".join(parts) + (ASSISTANT if answer else "")
