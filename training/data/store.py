"""The corpus on disk as people and the pipeline share it: published clips, corrections, lexicon.

    review/clips.jsonl        written by the pipeline (`Corpus.publish`); the last line of an id counts
    review/corrections.jsonl  written by reviewers (`Review.submit`); one `Edit` a line, never changed
    review/lexicon.jsonl      written by reviewers; the last line of a word counts

The format is described in docs/training-data.md. Everything here blocks on the disk: call it from a thread.
"""

from __future__ import annotations

import io
import threading
import time
import wave
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from parley.errors import ParleyError
from training.data import jsonl
from training.data.clips import Change, Clip, Edit, LexiconEntry, Reviewed, State


class VersionConflict(ParleyError):
    """Someone else changed a clip first. `current` holds those clips as they stand now."""

    def __init__(self, current: list[Reviewed]) -> None:
        self.current = current
        super().__init__("changed by someone else: " + ", ".join(each.clip.id for each in current))


class UnknownClip(ParleyError):
    """No clip of that id was published."""


class Corpus:
    """One subject's corpus folder.

    Args:
        root: the `corpus` folder of the subject's config.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clips_path = root / "review" / "clips.jsonl"
        self.corrections_path = root / "review" / "corrections.jsonl"
        self.lexicon_path = root / "review" / "lexicon.jsonl"

    def publish(self, clips: Iterable[Clip]) -> int:
        """Appends clips to the review queue; those that stand there unchanged are not repeated.

        Returns:
            How many lines were written.
        """
        known = {row["id"]: row for row, _ in jsonl.read(self.clips_path)}
        fresh = [row for clip in clips if known.get((row := clip.model_dump())["id"]) != row]
        with jsonl.Appender(self.clips_path, wait=True) as file:
            file.append(fresh)
        return len(fresh)

    def lexicon(self) -> dict[str, LexiconEntry]:
        """Every word that reviewers taught, with its latest pronunciation."""
        entries = (LexiconEntry.model_validate(row) for row, _ in jsonl.read(self.lexicon_path))
        return {entry.word: entry for entry in entries}

    def teach(self, word: str, phones: str, by: str) -> LexiconEntry:
        """Adds or replaces a word of the lexicon."""
        entry = LexiconEntry(word=word, phones=phones, by=by, at=time.time())
        with jsonl.Appender(self.lexicon_path, wait=True) as file:
            file.append([entry.model_dump()])
        return entry

    def sound(self, clip: Clip, start_s: float, end_s: float) -> bytes:
        """A piece of the clip's recording as a WAV file, cut at the recording's ends.

        Args:
            clip: whose recording.
            start_s: on the source's clock; may lie before or after the clip, for draggable ends.
            end_s: likewise.
        """
        out = io.BytesIO()
        with wave.open(str(self.root / clip.audio)) as source, wave.open(out, "wb") as piece:
            rate = source.getframerate()
            first = min(max(0, round(start_s * rate)), source.getnframes())
            source.setpos(first)
            piece.setparams(source.getparams())
            piece.writeframes(source.readframes(max(0, round(end_s * rate) - first)))
        return out.getvalue()


class Review:
    """The review queue, corrections applied. Safe for threads; several processes may hold one each.

    Every call first reads what others appended since, so two servers on one corpus agree.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._lock = threading.RLock()
        self._clips: dict[str, Clip] = {}
        self._edits: list[Edit] = []
        self._last: dict[str, tuple[int, Change, str]] = {}
        self._clips_read = 0
        self._edits_read = 0

    def queue(
        self,
        states: Sequence[State] = ("todo", "draft"),
        limit: int | None = None,
        *,
        probes_only: bool = False,
    ) -> list[Reviewed]:
        """The clips in the given states, greatest doubt first."""
        with self._lock:
            self._refresh()
            found = [
                self._reviewed(clip)
                for clip in self._clips.values()
                if not clip.retired and (clip.probe or not probes_only) and self._state(clip.id) in states
            ]
        found.sort(key=lambda each: (-each.clip.doubt, each.clip.id))
        return found[:limit]

    def get(self, clip_id: str) -> Reviewed:
        """One clip.

        Raises:
            UnknownClip: no such clip.
        """
        with self._lock:
            self._refresh()
            return self._reviewed(self._clip(clip_id))

    def submit(
        self, changes: Sequence[Change], by: str, kind: str = "decide", active_s: float = 0.0
    ) -> list[Reviewed]:
        """Appends changes as one edit, all or none; on the disk when it returns.

        Returns:
            The changed clips as they stand now.

        Raises:
            VersionConflict: a clip has moved past the version that its change expected; nothing is written.
            UnknownClip: a change names no published clip; nothing is written.
        """
        with self._lock, jsonl.Appender(self.corpus.corrections_path, wait=True) as file:
            self._refresh()
            for change in changes:
                self._clip(change.clip)
            late = [each for each in changes if self._version(each.clip) != each.expected]
            if late:
                raise VersionConflict([self._reviewed(self._clips[each.clip]) for each in late])
            edit = Edit(
                seq=len(self._edits) + 1,
                at=time.time(),
                by=by,
                kind=kind,
                changes=list(changes),
                active_s=active_s,
            )
            self._edits_read = file.append([edit.model_dump()])
            self._apply(edit)
            return [self._reviewed(self._clips[each.clip]) for each in changes]

    def history(self, clip_id: str) -> list[Edit]:
        """Every edit of a clip, oldest first; an edit of many clips is narrowed to this one.

        Undo is a new change that repeats an older one's fields: nothing is ever taken out of the ledger.
        """
        with self._lock:
            self._refresh()
            return [
                edit.model_copy(update={"changes": own})
                for edit in self._edits
                if (own := [change for change in edit.changes if change.clip == clip_id])
            ]

    def counts(self) -> dict[State, int]:
        """How many clips stand in each state."""
        with self._lock:
            self._refresh()
            return dict(Counter(self._state(clip.id) for clip in self._clips.values() if not clip.retired))

    def edits(self) -> list[Edit]:
        """Every edit, oldest first: for progress and words per minute."""
        with self._lock:
            self._refresh()
            return list(self._edits)

    def _refresh(self) -> None:
        for row, end in jsonl.read(self.corpus.clips_path, self._clips_read):
            clip = Clip.model_validate(row)
            self._clips[clip.id] = clip
            self._clips_read = end
        for row, end in jsonl.read(self.corpus.corrections_path, self._edits_read):
            self._apply(Edit.model_validate(row))
            self._edits_read = end

    def _apply(self, edit: Edit) -> None:
        self._edits.append(edit)
        for change in edit.changes:
            self._last[change.clip] = (self._version(change.clip) + 1, change, edit.by)

    def _clip(self, clip_id: str) -> Clip:
        if clip_id not in self._clips:
            raise UnknownClip(f"no clip {clip_id!r} in {self.corpus.clips_path}")
        return self._clips[clip_id]

    def _version(self, clip_id: str) -> int:
        return self._last[clip_id][0] if clip_id in self._last else 0

    def _state(self, clip_id: str) -> State:
        return self._last[clip_id][1].state if clip_id in self._last else "todo"

    def _reviewed(self, clip: Clip) -> Reviewed:
        if clip.id not in self._last:
            text = clip.hypotheses[0].text if clip.hypotheses else ""
            return Reviewed(
                clip=clip, version=0, state="todo", text=text, start_s=clip.start_s, end_s=clip.end_s
            )
        version, change, by = self._last[clip.id]
        return Reviewed(
            clip=clip,
            version=version,
            state=change.state,
            text=change.text,
            start_s=change.start_s,
            end_s=change.end_s,
            by=by,
        )
