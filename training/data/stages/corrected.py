"""Stage 5, corrected: the clips whose text counts, as reviewers left them in the corrections ledger.

Runs again whenever a correction was added; only clips that changed are new work for the stages after it.
Clips that nobody touched count with the fine-tuned recogniser's text once there is one. Words that reviewers
taught go along with the texts that they are in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from training.data import ears
from training.data.clips import Change, Edit
from training.data.jsonl import read
from training.data.store import Corpus
from training.data.workspace import Workspace
from training.ledger import Row

NAME = "corrected"
VERSION = 3
AFTER = ("transcribe", "rehear")
GATHER = True

SEND_BACK = "send_back"


class Config(BaseModel):
    """Settings.

    Attributes:
        trust_below: untouched clips count, with their best hypothesis, if another one disagrees with it by
            no more than this; negative: only what people accepted counts.
        trust_confidence: and if the engine of the best one is at least this sure.
        fixed_weight: weight of clips that were sent back for their scores and accepted again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trust_below: float = -1.0
    trust_confidence: float = 0.0
    fixed_weight: float = Field(2.0, ge=1)


def context(root: Path, config: Config) -> Row:
    """How far people had got: their last edit (not the pipeline's own), and the words that they taught."""
    taught = {entry.word: entry.phones for entry in Corpus(root).lexicon().values()}
    return {"edits": people_edits(root), "lexicon": taught}


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    review = reviewed(work.root, item["edits"])
    reheard = {row["id"]: row["hypothesis"] for row in item["rehear"]}
    rows = []
    for clip in item["transcribe"]:
        change = review.last.get(clip["id"])
        best, *others = ([reheard[clip["id"]]] if clip["id"] in reheard else []) + clip["hypotheses"]
        row = {name: clip[name] for name in ("id", "source", "title", "audio", "video", "scenes")}
        if change is not None and change.state == "accepted" and change.text.strip():
            row |= {
                "text": change.text.strip(),
                "start_s": change.start_s,
                "end_s": change.end_s,
                "by": "people",
            }
            row["weight"] = config.fixed_weight if clip["id"] in review.sent_back else 1.0
        elif (
            change is None
            and best["text"]
            and agreed(best, others) <= config.trust_below
            and best["confidence"] >= config.trust_confidence
        ):
            row |= {"text": best["text"], "start_s": clip["start_s"], "end_s": clip["end_s"], "by": "engines"}
            row["weight"] = 1.0
        else:
            continue
        taught = {word: phones for word, phones in item["lexicon"].items() if _holds(row["text"], word)}
        rows.append(row | {"taught": taught, "media_s": round(row["end_s"] - row["start_s"], 3)})
    return rows


def _holds(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w']){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def agreed(best: Row, others: list[Row]) -> float:
    """How far the best hypothesis is from the nearest other one, 0…1; 1 if there is none to confirm it."""
    return min((ears.disagreement(best["text"], each["text"]) for each in others), default=1.0)


@dataclass
class Reviewed:
    """Where review stood after so many edits.

    Attributes:
        last: each clip's last change.
        sent_back: clips that the pipeline ever opened again.
        open: those of them that nobody has touched since.
    """

    last: dict[str, Change] = field(default_factory=dict)
    sent_back: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)


def people_edits(root: Path) -> int:
    """The number of the last edit by a person; 0: there is none."""
    return max(
        (row["seq"] for row, _ in read(Corpus(root).corrections_path) if row["kind"] != SEND_BACK), default=0
    )


def reviewed(root: Path, edits: int) -> Reviewed:
    """Replays the first `edits` edits."""
    found = Reviewed()
    for row, _ in read(Corpus(root).corrections_path):
        edit = Edit.model_validate(row)
        if edit.seq > edits:
            break
        for change in edit.changes:
            found.last[change.clip] = change
            found.open.discard(change.clip)
            if edit.kind == SEND_BACK:
                found.sent_back.add(change.clip)
                found.open.add(change.clip)
    return found
