"""What travels between the review page and its server."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.data.clips import Change, Clip, Edit, LexiconEntry, Reviewed, State

HOPELESS_DISAGREEMENT = 0.6
HOPELESS_CONFIDENCE = 0.25

Who = Annotated[str, Field(min_length=1, max_length=60, pattern=r"\S")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class Strict(BaseModel):
    """A mistyped field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Heard(Strict):
    """What one engine heard, for the page: no times, no per-word confidences (nothing is coloured)."""

    engine: str
    text: str


class ClipView(Strict):
    """One clip as the page shows it.

    Attributes:
        version: send it back as `Change.expected`.
        text: what stands in the box; empty where the engines' text would mislead more than help.
        hidden: the box was left empty for that reason; `heard` has the texts nevertheless.
        recording_s: length of the whole recording, the limit for dragging.
        published: the ends that the pipeline cut, seconds on the recording's clock.
    """

    id: str
    source: str
    title: str
    state: State
    version: int
    by: str
    text: str
    hidden: bool
    start_s: float
    end_s: float
    published: tuple[float, float]
    recording_s: float
    heard: list[Heard]
    probe: bool


class QueueEntry(Strict):
    """One line of the queue.

    Attributes:
        elsewhere: another tab or reviewer has it open now; the page passes over it.
    """

    id: str
    title: str
    state: State
    start_s: float
    end_s: float
    text: str
    by: str
    elsewhere: bool


class Pace(Strict):
    """Work done.

    Attributes:
        words: in accepted texts.
        minutes: of attention, as the pages measured it.
        words_per_minute: 0 before the first half minute, in which the figure would mean nothing.
    """

    words: int
    minutes: float
    words_per_minute: float


class Progress(Strict):
    """How far the review is.

    Attributes:
        counts: clips by state.
        everyone: the pace of all reviewers together.
        mine: that of the reviewer who asks.
    """

    counts: dict[State, int]
    everyone: Pace
    mine: Pace


class QueueView(Strict):
    """The queue, greatest doubt first, and the progress."""

    subject: str
    clips: list[QueueEntry]
    progress: Progress


class Submission(Strict):
    """Changes that stand or fall together; see `training.data.clips.Edit`."""

    changes: list[Change] = Field(min_length=1, max_length=5000)
    by: Who
    kind: Literal["type", "decide", "restore"]
    active_s: float = Field(default=0.0, ge=0, le=3600)


class Submitted(Strict):
    """The edit's number, to undo it, and the clips as they stand now."""

    seq: int
    clips: list[ClipView]


class Conflict(Strict):
    """A clip that someone else changed first: both texts, for a person to choose."""

    clip: str
    yours: str
    theirs: ClipView


class UndoRequest(Strict):
    """Who takes an edit back."""

    by: Who


class Undone(Strict):
    """What an undo did.

    Attributes:
        clips: as they stand now.
        skipped: ids of clips that were changed again since, and so were left alone.
    """

    seq: int
    clips: list[ClipView]
    skipped: list[str]


class HistoryEntry(Strict):
    """One edit of a clip. `version` is what the clip had after it; 0 is the pipeline's own text."""

    version: int
    at: float
    by: str
    kind: str
    state: State
    text: str
    start_s: float
    end_s: float


class Place(Strict):
    """A text in which a word occurs, before and after; `version` is sent back as `expected`."""

    clip: str
    version: int
    title: str
    state: State
    before: str
    after: str


class FixRequest(Strict):
    """Replaces a word in the named clips, as `Place`s were shown."""

    word: Name
    replacement: Annotated[str, Field(max_length=200)]
    places: dict[str, int] = Field(min_length=1, description="Clip id to the version that was shown.")
    by: Who


class TeachRequest(Strict):
    """A word for the lexicon."""

    word: Name
    phones: Name
    by: Who


class LexiconView(Strict):
    """Every word that was taught."""

    entries: list[LexiconEntry]


class SourceView(Strict):
    """A recording, with how many of its clips nobody has touched."""

    id: str
    title: str
    clips: int
    untouched: int


class VoiceView(Strict):
    """A voice of the recordings, for the ear.

    Attributes:
        label: what the pipeline calls it: A speaks most.
        seconds: how long it speaks.
        recordings: in how many.
        titles: of the recordings that its sound is from.
        target: the corpus is made of this one now.
        waiting: this one was picked, and is the target from the next run on.
    """

    label: str
    seconds: float
    recordings: int
    titles: list[str]
    target: bool
    waiting: bool


class PickRequest(Strict):
    """The voice that is wanted."""

    label: Name
    by: Who


class ImportRequest(Strict):
    """A person's own transcript of one recording.

    Attributes:
        filename: its ending tells the format: .txt, .srt or .vtt.
    """

    source: str
    filename: Name
    content: str = Field(min_length=1, max_length=8 << 20)
    by: Who


class Imported(Strict):
    """What an import did.

    Attributes:
        changed: clips that have the transcript's words now, as drafts.
        kept: clips that someone had already touched.
        unmatched: clips for which the transcript has nothing that fits.
    """

    seq: int | None
    changed: int
    kept: int
    unmatched: int


def hopeless(clip: Clip) -> bool:
    """Whether correcting the best hypothesis would take longer than typing the words anew."""
    if not clip.hypotheses or not clip.hypotheses[0].text.strip():
        return True
    return clip.disagreement >= HOPELESS_DISAGREEMENT or clip.hypotheses[0].confidence < HOPELESS_CONFIDENCE


def untouched(reviewed: Reviewed) -> bool:
    """Whether the text is still the pipeline's."""
    heard = reviewed.clip.hypotheses
    return reviewed.state == "todo" and reviewed.text == (heard[0].text if heard else "")


def view(reviewed: Reviewed, recording_s: float) -> ClipView:
    """A clip for the page."""
    clip = reviewed.clip
    hidden = untouched(reviewed) and hopeless(clip)
    return ClipView(
        id=clip.id,
        source=clip.source,
        title=clip.title,
        state=reviewed.state,
        version=reviewed.version,
        by=reviewed.by,
        text="" if hidden else reviewed.text,
        hidden=hidden and bool(reviewed.text),
        start_s=reviewed.start_s,
        end_s=reviewed.end_s,
        published=(clip.start_s, clip.end_s),
        recording_s=recording_s,
        heard=[Heard(engine=each.engine, text=each.text) for each in clip.hypotheses],
        probe=clip.probe,
    )


def history_view(clip: Clip, edits: list[Edit]) -> list[HistoryEntry]:
    """Every state a clip has had, newest first; the pipeline's own is the last."""
    found = [
        HistoryEntry(
            version=0,
            at=0.0,
            by="",
            kind="heard",
            state="todo",
            text=clip.hypotheses[0].text if clip.hypotheses else "",
            start_s=clip.start_s,
            end_s=clip.end_s,
        )
    ]
    for edit in edits:
        for change in edit.changes:
            found.append(
                HistoryEntry(
                    version=len(found),
                    at=edit.at,
                    by=edit.by,
                    kind=edit.kind,
                    state=change.state,
                    text=change.text,
                    start_s=change.start_s,
                    end_s=change.end_s,
                )
            )
    return found[::-1]
