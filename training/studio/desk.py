"""What the page can ask for, on top of `training.data.store`: blocking, without HTTP."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Sequence
from functools import lru_cache

from parley.errors import BadRequest, MediaError
from training.data.clips import Change, Edit, Reviewed, State
from training.data.store import Corpus, Review, VersionConflict
from training.studio import sound, transcripts, words
from training.studio.views import (
    ClipView,
    Conflict,
    FixRequest,
    HistoryEntry,
    Imported,
    ImportRequest,
    Place,
    QueueEntry,
    SourceView,
    Submission,
    Submitted,
    Undone,
    history_view,
    hopeless,
    untouched,
    view,
)

EVERY_STATE: tuple[State, ...] = ("todo", "draft", "accepted", "rejected", "wrong_speaker", "music")
_SHORTEST_S = 0.1
_LONGEST_S = 60.0


class Collision(Exception):
    """Someone else was first; `conflicts` has both texts of every clip concerned."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        self.conflicts = conflicts
        super().__init__(f"{len(conflicts)} clips were changed by someone else")


class Desk:
    """The reviewers' desk over one corpus; safe for threads.

    Args:
        corpus: whose clips.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.review = Review(corpus)
        self._length_s = lru_cache(maxsize=4096)(lambda audio: sound.duration_s(corpus.root / audio))

    def queue(self, states: Sequence[State], limit: int, elsewhere: Iterable[str] = ()) -> list[QueueEntry]:
        """Clips in these states, greatest doubt first."""
        others = set(elsewhere)
        return [
            QueueEntry(
                id=each.clip.id,
                title=each.clip.title,
                state=each.state,
                start_s=each.start_s,
                end_s=each.end_s,
                text="" if untouched(each) and hopeless(each.clip) else each.text,
                by=each.by,
                elsewhere=each.clip.id in others,
            )
            for each in self.review.queue(states, limit)
        ]

    def clip(self, clip_id: str) -> ClipView:
        """One clip.

        Raises:
            UnknownClip: no such clip.
            MediaError: its recording is gone.
        """
        return self._view(self.review.get(clip_id))

    def submit(self, asked: Submission) -> Submitted:
        """Appends an edit. One that is already there (an answer that was lost on its way) is not repeated.

        Raises:
            Collision: a clip was changed since its reviewer saw it; nothing is written.
            BadRequest: ends that are no piece of the recording.
            UnknownClip: a change names no clip.
        """
        for change in asked.changes:
            self._check(change)
        return self._append(asked.changes, asked.by, asked.kind, asked.active_s)

    def undo(self, seq: int, by: str) -> Undone:
        """Puts the clips of an edit back to what they were before it, those left alone since.

        Raises:
            BadRequest: there is no such edit.
        """
        edits = self.review.edits()
        if not 1 <= seq <= len(edits):
            raise BadRequest(f"There is no edit {seq}.")
        before: dict[str, Change] = {}
        versions: dict[str, int] = {}
        latest: dict[str, int] = {}
        concerned = {change.clip for change in edits[seq - 1].changes}
        for edit in edits:
            for change in edit.changes:
                if change.clip not in concerned:
                    continue
                versions[change.clip] = versions.get(change.clip, 0) + 1
                latest[change.clip] = edit.seq
                if edit.seq < seq:
                    before[change.clip] = change
        back = [
            self._original(clip).model_copy(update={"expected": versions[clip]})
            if clip not in before
            else before[clip].model_copy(update={"expected": versions[clip]})
            for clip in sorted(concerned)
            if latest[clip] == seq
        ]
        skipped = sorted(clip for clip in concerned if latest[clip] != seq)
        if not back:
            return Undone(seq=seq, clips=[self.clip(clip) for clip in skipped], skipped=skipped)
        done = self._append(back, by, "undo", 0.0)
        return Undone(seq=done.seq, clips=done.clips, skipped=skipped)

    def history(self, clip_id: str) -> list[HistoryEntry]:
        """Every state of a clip, newest first.

        Raises:
            UnknownClip: no such clip.
        """
        return history_view(self.review.get(clip_id).clip, self.review.history(clip_id))

    def places(self, word: str, replacement: str) -> list[Place]:
        """Where a word occurs, except in clips that are out (rejected, music…) or shown empty."""
        found = []
        for each in self.review.queue(("todo", "draft", "accepted")):
            after = words.replace(each.text, word, replacement)
            if after != each.text and not (untouched(each) and hopeless(each.clip)):
                found.append(
                    Place(
                        clip=each.clip.id,
                        version=each.version,
                        title=each.clip.title,
                        state=each.state,
                        before=each.text,
                        after=after,
                    )
                )
        return found

    def fix(self, asked: FixRequest) -> Submitted:
        """Replaces a word in the chosen places, as one edit. Each clip keeps its state.

        Raises:
            Collision: a place was changed since it was shown; nothing is written.
            BadRequest: the word is in none of the places.
        """
        changes = []
        for clip_id, version in asked.places.items():
            now = self.review.get(clip_id)
            after = words.replace(now.text, asked.word, asked.replacement)
            if after != now.text or now.version != version:
                changes.append(_change(now, version, text=after))
        if not changes:
            raise BadRequest(f"{asked.word!r} is in none of these texts.")
        return self._append(changes, asked.by, "fix_all", 0.0)

    def sources(self) -> list[SourceView]:
        """The recordings, by title."""
        grouped: dict[str, list[Reviewed]] = {}
        for each in self.review.queue(EVERY_STATE):
            grouped.setdefault(each.clip.source, []).append(each)
        views = [
            SourceView(
                id=source,
                title=clips[0].clip.title,
                clips=len(clips),
                untouched=sum(each.version == 0 for each in clips),
            )
            for source, clips in grouped.items()
        ]
        return sorted(views, key=lambda each: (each.title, each.id))

    def take_transcript(self, asked: ImportRequest) -> Imported:
        """Lays a person's own transcript over a recording's clips, as drafts; touched clips stay as they are.

        Raises:
            BadRequest: the recording is unknown, or the transcript cannot be read.
        """
        clips = [each for each in self.review.queue(EVERY_STATE) if each.clip.source == asked.source]
        if not clips:
            raise BadRequest(f"There is no recording {asked.source!r}.")
        clips.sort(key=lambda each: each.clip.start_s)
        slots = [
            transcripts.Slot(
                each.clip.id,
                each.clip.start_s,
                each.clip.end_s,
                each.clip.hypotheses[0].text if each.clip.hypotheses else "",
            )
            for each in clips
        ]
        texts = transcripts.lay(asked.filename, asked.content.removeprefix("\ufeff"), slots)
        free = [each for each in clips if each.version == 0]
        changes = [
            _change(each, each.version, text=texts[each.clip.id], state="draft")
            for each in free
            if each.clip.id in texts
        ]
        done = self._append(changes, asked.by, "import", 0.0) if changes else None
        return Imported(
            seq=done.seq if done else None,
            changed=len(changes),
            kept=len(clips) - len(free),
            unmatched=len(free) - len(changes),
        )

    def wav(self, clip_id: str, start_s: float, end_s: float) -> bytes:
        """A piece of the clip's recording.

        Raises:
            UnknownClip: no such clip.
            BadRequest: the piece is empty or too long.
            MediaError: the recording is gone or no WAV file.
        """
        if not 0 < end_s - start_s <= _LONGEST_S:
            raise BadRequest(f"A piece has at most {_LONGEST_S:.0f} s, and more than none.")
        clip = self.review.get(clip_id).clip
        try:
            return self.corpus.sound(clip, start_s, end_s)
        except (OSError, EOFError, wave.Error) as error:
            raise MediaError(f"The recording of clip {clip_id} cannot be read: {error}") from error

    def _append(self, changes: Sequence[Change], by: str, kind: str, active_s: float) -> Submitted:
        try:
            now = self.review.submit(changes, by, kind, active_s)
        except VersionConflict as conflict:
            asked = {change.clip: change for change in changes}
            if all(
                each.by == by and _same(asked[each.clip.id], self.review.get(each.clip.id))
                for each in (self.review.get(change.clip) for change in changes)
            ):
                now = [self.review.get(change.clip) for change in changes]
            else:
                raise Collision(
                    [
                        Conflict(clip=each.clip.id, yours=asked[each.clip.id].text, theirs=self._view(each))
                        for each in conflict.current
                    ]
                ) from conflict
        seq = self._seq(now[0])
        return Submitted(seq=seq, clips=[self._view(each) for each in now])

    def _seq(self, reviewed: Reviewed) -> int:
        """Which edit made this version of the clip: the version counts the clip's edits."""
        edits: list[Edit] = self.review.history(reviewed.clip.id)
        return edits[reviewed.version - 1].seq

    def _original(self, clip_id: str) -> Change:
        clip = self.review.get(clip_id).clip
        text = clip.hypotheses[0].text if clip.hypotheses else ""
        return Change(
            clip=clip_id, expected=0, state="todo", text=text, start_s=clip.start_s, end_s=clip.end_s
        )

    def _check(self, change: Change) -> None:
        clip = self.review.get(change.clip).clip
        length = change.end_s - change.start_s
        # The recording's own end may lie a rounding beyond its last sample.
        if change.start_s < 0 or change.end_s > self._length_s(clip.audio) + 0.05:
            raise BadRequest("The clip's ends lie outside its recording.")
        if not _SHORTEST_S <= length <= _LONGEST_S:
            raise BadRequest(f"A clip has {_SHORTEST_S} to {_LONGEST_S:.0f} s; this would be {length:.2f}.")
        if len(change.text) > 5000:
            raise BadRequest("A clip's text has at most 5000 characters.")

    def _view(self, reviewed: Reviewed) -> ClipView:
        return view(reviewed, self._length_s(reviewed.clip.audio))


def _change(now: Reviewed, version: int, *, text: str, state: State | None = None) -> Change:
    return Change(
        clip=now.clip.id,
        expected=version,
        state=state or now.state,
        text=text,
        start_s=now.start_s,
        end_s=now.end_s,
    )


def _same(change: Change, now: Reviewed) -> bool:
    return (change.state, change.text, change.start_s, change.end_s) == (
        now.state,
        now.text,
        now.start_s,
        now.end_s,
    )
