"""What a clip is: seconds of one person's speech, what engines heard in it, what a reviewer made of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["todo", "draft", "accepted", "rejected", "wrong_speaker", "music"]
Split = Literal["train", "dev", "test"]


class Strict(BaseModel):
    """A mistyped field fails at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Word(Strict):
    """One heard word.

    Attributes:
        text: as the engine wrote it.
        start_s: seconds from the clip's start.
        end_s: seconds from the clip's start.
        confidence: 0…1, the engine's own; 1 where an engine has none.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float = 1.0


class Hypothesis(Strict):
    """What one engine heard.

    Attributes:
        engine: name of the engine or `import` for a person's own transcript.
        text: the words, spaced.
        confidence: 0…1, the mean over words.
        words: with times; empty if the engine gives none.
    """

    engine: str
    text: str
    confidence: float = 1.0
    words: list[Word] = []


class Clip(Strict):
    """One clip as the pipeline published it. Times are in seconds on the source's own clock.

    Attributes:
        id: stable: made from the source and the cut, not from what engines heard.
        source: id of the recording; the splits are made by it.
        title: the recording's name, for people.
        audio: the recording's sound, mono 16-bit WAV, path relative to the corpus.
        start_s: where the clip begins in the recording.
        end_s: where it ends.
        hypotheses: best engine first.
        disagreement: 0…1, character error rate between the first two hypotheses.
        doubt: the queue is sorted by it, greatest first.
        scores: what made up the doubt, by name, for people.
        probe: drawn at random for review whatever its doubt; keeps the error estimate honest.
        weight: how often the next fine-tune sees it; above 1 once fixed after a bad score.
        retired: the pipeline no longer makes this clip (a setting changed).
    """

    id: str
    source: str
    title: str
    audio: str
    start_s: float
    end_s: float
    hypotheses: list[Hypothesis]
    disagreement: float = Field(ge=0, le=1)
    doubt: float
    scores: dict[str, float] = {}
    probe: bool = False
    weight: float = 1.0
    retired: bool = False


class Change(Strict):
    """One clip's new review state. A change is whole: it repeats the fields that stay.

    Attributes:
        clip: the clip's id.
        expected: the version that the reviewer saw; the change is refused if the clip is past it.
        state: `draft` saves typing, the others decide.
        text: the corrected text; empty where nothing is spoken that counts.
        start_s: the clip's ends after dragging, on the source's clock.
        end_s: likewise.
    """

    clip: str
    expected: int = Field(ge=0)
    state: State
    text: str
    start_s: float
    end_s: float


class Edit(Strict):
    """One line of the corrections ledger: changes that stand or fall together.

    Attributes:
        seq: 1, 2, … over the whole corpus.
        at: seconds since 1970.
        by: who; a name that the reviewer chose.
        kind: `type`, `decide`, `undo`, `fix_all`, `import`, …: for the history shown to people.
        changes: one, or many for fix-everywhere.
        active_s: time spent on it as the page measured it, for words per minute.
    """

    seq: int
    at: float
    by: str
    kind: str
    changes: list[Change]
    active_s: float = 0.0


class Reviewed(Strict):
    """A clip and where its review stands.

    Attributes:
        clip: as published.
        version: how many changes it has had; sent back as `Change.expected`.
        state: `todo` until someone touches it.
        text: the corrected text, or the best hypothesis while untouched.
        start_s: the ends in force, on the source's clock.
        end_s: likewise.
        by: who changed it last; empty while untouched.
    """

    clip: Clip
    version: int
    state: State
    text: str
    start_s: float
    end_s: float
    by: str = ""


class LexiconEntry(Strict):
    """A word that the engines must learn.

    Attributes:
        word: as written.
        phones: ARPAbet without stress, as the recogniser has them, e.g. `P AA R L IY`.
        by: who.
        at: seconds since 1970.
    """

    word: str
    phones: str
    by: str
    at: float
