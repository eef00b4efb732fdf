"""The safety policy: what every avatar holds to, in one file for people to read."""

from dataclasses import dataclass
from pathlib import Path

from parley.errors import ConfigError
from services.llm.notes.markdown import Note, parse_file

DEFAULT = Path(__file__).with_name("policy.md")
STEM = "policy"
_RULES = "rules"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the file says.

    Attributes:
        rules: For a language model's system prompt.
        notes: What is answered to requests that are refused; their ids begin with "policy/".
    """

    rules: str
    notes: tuple[Note, ...]


def load_policy(path: Path) -> Policy:
    """Reads the policy.

    Raises:
        ConfigError: There is no such file, it has no rules, or a refusal without words.
    """
    try:
        notes = parse_file(STEM, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The policy {path} cannot be read: {error}.", fix="Set PARLEY_LLM_POLICY to such a file."
        ) from error
    rules = [note for note in notes if note.internal and note.key == _RULES]
    refusals = [note for note in notes if not note.internal and note.questions]
    if not rules or not any(rules[0].answers) or not all(note.answers for note in refusals):
        raise ConfigError(
            f"The policy {path} is not complete.",
            fix="Give it the heading `## (rules)` with text below it, and an answer to every refusal.",
        )
    return Policy(" ".join((*rules[0].answers, *rules[0].more)), tuple(refusals))


def is_refusal(note: Note) -> bool:
    """Whether the note is one of the policy's."""
    return note.id.startswith(f"{STEM}/")
