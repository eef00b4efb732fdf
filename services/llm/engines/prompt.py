"""What a language model is told before the talk: who it is, how it speaks, what it knows."""

from collections.abc import Sequence

from services.llm.notes.index import Match

_NOTE_CHARACTERS = 800

SPEECH_RULES = (
    "You are heard, not read. Answer in one to three short spoken sentences unless asked for more. Plain "
    "words only: no lists, headings, markup, emoji or web addresses. The person's words come from speech "
    "recognition and may contain mistakes."
)
_FACTS_INTRO = "What the person you talk with told you about themselves before, in their own words:"
_SUMMARY_INTRO = "What was said earlier in this conversation, in short:"
_NOTES_INTRO = "(What you know that may help; rely on it, and do not mention these notes:"
_WORDS_INTRO = "End of the notes. The person says:)"


def system_prompt(persona: str, *, policy: str, facts: Sequence[str], summary: str) -> str:
    """The system message. What changes most often stands last, so that a server can reuse what it has read.

    Args:
        persona: Who speaks.
        policy: What it holds to, whoever it is.
        facts: What the person wants remembered of earlier talks.
        summary: Of what was said before the messages that follow; empty: nothing was left out.
    """
    parts = [persona, SPEECH_RULES, policy]
    if facts:
        parts.append("\n".join((_FACTS_INTRO, *facts)))
    if summary:
        parts.append(f"{_SUMMARY_INTRO}\n{summary}")
    return "\n\n".join(parts)


def with_notes(words: str, matches: Sequence[Match]) -> str:
    """The person's newest words, behind the notes that fit them.

    Not in the system message: there they would change what stands before the whole talk, so that a server had
    to read it again each turn. The words are last, since they grow while they are spoken.
    """
    if not matches:
        return words
    return "\n".join((_NOTES_INTRO, *map(_known, matches), _WORDS_INTRO, words))


def _known(match: Match) -> str:
    """A note as the model is told it: all of it, or of a long one the passage that fits."""
    whole = " ".join((*match.note.answers[:1], *match.note.more))
    return whole if len(whole) <= _NOTE_CHARACTERS else f"{match.note.heading}: {match.passage}"
