"""How much shown words change: for transcripts that grow while somebody speaks.

After Shangguan et al. 2020, "Analyzing the quality and stability of a streaming end-to-end on-device speech
recognizer": a shown word is unstable if a later hypothesis has another in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from parley.wer import plain_words


@dataclass(frozen=True, slots=True)
class Shown:
    """A hypothesis as it was shown: its text, and how many characters were promised not to change."""

    text: str
    stable_chars: int


@dataclass(frozen=True, slots=True)
class Stability:
    """Of one turn.

    Attributes:
        words: In the final transcript.
        changed: Words that were shown and later were others, or gone: each time counts.
        updates: Hypotheses that were shown.
        flickers: Of these, those that changed a word that was already shown.
        broken: Promised characters that changed nevertheless: must be none.
    """

    words: int
    changed: int
    updates: int
    flickers: int
    broken: int


def stability(shown: Sequence[Shown], final: str) -> Stability:
    """Judges a turn.

    Args:
        shown: Its partial hypotheses, in order.
        final: Its transcript.
    """
    changed = flickers = broken = 0
    after = [*(each.text for each in shown[1:]), final][: len(shown)]
    for earlier, later in zip(shown, after, strict=True):
        old, new = plain_words(earlier.text), plain_words(later)
        lost = sum(n >= len(new) or new[n] != word for n, word in enumerate(old))
        changed += lost
        flickers += lost > 0
        promised = earlier.text[: earlier.stable_chars]
        broken += sum(a != b for a, b in zip_longest(promised, later[: len(promised)]))
    return Stability(len(plain_words(final)), changed, len(shown), flickers, broken)


def summed(turns: Sequence[Stability]) -> dict[str, float | int]:
    """Over all turns: changes a word that is final (UPWR), share of updates that changed any (flicker)."""
    words, updates = (sum(getattr(turn, name) for turn in turns) for name in ("words", "updates"))
    return {
        "updates": updates,
        "changed_words_per_final_word": round(sum(turn.changed for turn in turns) / max(words, 1), 3),
        "updates_that_change_a_shown_word": round(sum(turn.flickers for turn in turns) / max(updates, 1), 3),
        "turns_without_any_change": round(sum(not turn.changed for turn in turns) / max(len(turns), 1), 3),
        "promised_characters_that_changed": sum(turn.broken for turn in turns),
    }
