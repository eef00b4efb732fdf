"""A reviewer who knows what is said, for the demo material: shows what rounds of review do.

Takes the clips that the queue shows first and accepts each with the words of `truth.json` that fall into it,
as a person would at the page. Run the stages again after it, then look at `parley data report`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.data.clips import Change, Reviewed
from training.data.store import Corpus, Review
from training.ledger import Row

BY = "demo"


def review(corpus: Corpus, truth: Path, names: dict[str, str], most: int) -> int:
    """Decides on the `most` most doubtful open clips.

    Args:
        corpus: whose queue.
        truth: the material's `truth.json`.
        names: file name of each recording, by its id.
        most: how many clips.

    Returns:
        How many were accepted; the others hold no whole word and were rejected.
    """
    recordings: dict[str, Any] = json.loads(truth.read_text())["recordings"]
    desk, accepted = Review(corpus), 0
    for clip in desk.queue(limit=most):
        text = said(recordings[names[clip.clip.source]]["turns"], clip)
        accepted += bool(text)
        change = Change(
            clip=clip.clip.id,
            expected=clip.version,
            state="accepted" if text else "rejected",
            text=text,
            start_s=clip.start_s,
            end_s=clip.end_s,
        )
        desk.submit([change], by=BY, active_s=clip.end_s - clip.start_s)
    return accepted


def said(turns: list[Row], clip: Reviewed) -> str:
    """The words whose middle falls into the clip."""
    return " ".join(word for turn in turns for word, at_s in timed(turn) if clip.start_s <= at_s < clip.end_s)


def timed(turn: Row) -> list[tuple[str, float]]:
    """A turn's words and when each one's middle is: spread by letters over the parts that are not silent."""
    voiced: list[tuple[float, float]] = turn["voiced"]
    words = turn["text"].split()
    letters = sum(len(word) + 1 for word in words)
    spoken_s = sum(end - start for start, end in voiced)
    found, passed = [], 0
    for word in words:
        left_s = (passed + (len(word) + 1) / 2) / letters * spoken_s
        passed += len(word) + 1
        for start, end in voiced:
            if left_s <= end - start:
                found.append((word, start + left_s))
                break
            left_s -= end - start
    return found
