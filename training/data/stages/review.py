"""Bubble-up: scores every clip, publishes the review queue, and sends the worst accepted clips back.

A clip's doubt is its worst sign: disagreement of the engines, a recogniser that was unsure, a fine-tuned one
that hears something else, a voice whose rendering of the text is not understood. Some clips are drawn at
random whatever their doubt: their error is an honest estimate of the whole corpus's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from training.data import ears
from training.data.clips import Clip, Hypothesis
from training.data.jsonl import read
from training.data.stages.corrected import SEND_BACK, Reviewed, people_edits, reviewed
from training.data.store import Corpus, Review
from training.data.workspace import Workspace, guarded
from training.ledger import Row

NAME = "review"
VERSION = 1
AFTER = ("transcribe", "rehear", "corrected", "synthesize")
GATHER = True


class Config(BaseModel):
    """Settings.

    Attributes:
        probes: share of clips drawn at random for review.
        worst: how many accepted clips with the greatest doubt are open again at a time; each once only.
        least_doubt: none with less doubt goes back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    probes: float = Field(0.05, ge=0, le=1)
    worst: int = Field(0, ge=0)
    least_doubt: float = 0.3


def context(root: Path, config: Config) -> Row:
    """How far people had got with their corrections."""
    return {"edits": people_edits(root)}


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`. One row: the round's report."""
    stood = reviewed(work.root, item["edits"])
    reheard = {row["id"]: row for row in item["rehear"]}
    spoken = {row["id"]: row for row in item["synthesize"]}
    weights = {row["id"]: row["weight"] for row in item["corrected"]}
    clips = [
        _clip(row, reheard.get(row["id"]), spoken.get(row["id"]), weights.get(row["id"], 1.0), config)
        for row in item["transcribe"]
    ]
    made = {clip.id for clip in clips}
    corpus = Corpus(work.root)
    with guarded(work.root):
        gone = [
            clip.model_copy(update={"retired": True})
            for clip in (Clip.model_validate(row) for row, _ in read(corpus.clips_path))
            if clip.id not in made and not clip.retired
        ]
        corpus.publish([*clips, *gone])
        back = _send_back(corpus, clips, stood, config)
    texts = {
        name: change.text
        for name, change in stood.last.items()
        if change.state == "accepted" and name in made
    }
    return [{"id": "report", **report(clips, texts), "sent_back": back, "edits": item["edits"]}]


def report(clips: list[Clip], texts: dict[str, str]) -> Row:
    """Errors of each engine against the texts that people accepted.

    Args:
        clips: all.
        texts: accepted texts, by clip.

    Returns:
        `clips`, `accepted`, and per engine the character and word error rates over all accepted clips and
        over the random ones among them.
    """
    return {
        "clips": len(clips),
        "accepted": len(texts),
        "engines": {
            "accepted": _errors([clip for clip in clips if clip.id in texts], texts),
            "probes": _errors([clip for clip in clips if clip.id in texts and clip.probe], texts),
        },
    }


def is_probe(clip_id: str, share: float) -> bool:
    """Whether the clip is one of the random ones; the same ones in every round."""
    drawn = hashlib.sha256(f"probe {clip_id}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < share * 2**64


def _clip(row: Row, reheard: Row | None, spoken: Row | None, weight: float, config: Config) -> Clip:
    hypotheses = [Hypothesis.model_validate(each) for each in row["hypotheses"]]
    scores = {"disagreement": row["disagreement"], "unsure": round(1 - hypotheses[0].confidence, 4)}
    if reheard is not None:
        hypotheses.insert(0, Hypothesis.model_validate(reheard["hypothesis"]))
        scores["changed"] = reheard["disagreement"]
    if spoken is not None:
        scores["misspoken"] = spoken["cer"]
    # A recogniser is unsure of much that it hears well, so that sign alone weighs half.
    doubt = max(value / 2 if name == "unsure" else value for name, value in scores.items())
    return Clip(
        id=row["id"],
        source=row["source"],
        title=row["title"],
        audio=row["audio"],
        start_s=row["start_s"],
        end_s=row["end_s"],
        hypotheses=hypotheses,
        disagreement=row["disagreement"],
        doubt=round(doubt, 4),
        scores=scores,
        probe=is_probe(row["id"], config.probes),
        weight=weight,
    )


def _send_back(corpus: Corpus, clips: list[Clip], stood: Reviewed, config: Config) -> int:
    """Opens the worst accepted clips again, with the text that they have; never one that was before.

    No more than `worst` are open at a time. They stay in the corpus until a person's next edit.
    """
    last = stood.last
    worst = sorted(
        (
            clip
            for clip in clips
            if clip.id in last
            and last[clip.id].state == "accepted"
            and clip.id not in stood.sent_back
            and clip.doubt >= config.least_doubt
        ),
        key=lambda clip: (-clip.doubt, clip.id),
    )[: max(0, config.worst - len(stood.open))]
    review = Review(corpus)
    for clip in worst:
        seen = review.get(clip.id)
        change = last[clip.id].model_copy(update={"expected": seen.version, "state": "draft"})
        if seen.state == "accepted":
            review.submit([change], by="pipeline", kind=SEND_BACK)
    return len(worst)


def _errors(clips: list[Clip], texts: dict[str, str]) -> Row:
    totals: dict[str, list[int]] = {}
    for clip in clips:
        text = texts[clip.id].lower()
        for heard in clip.hypotheses:
            said = heard.text.lower()
            words = ears.edit_distance(text.split(), said.split())
            new = [ears.edit_distance(text, said), len(text), words, len(text.split())]
            totals[heard.engine] = [
                a + b for a, b in zip(totals.get(heard.engine, [0] * 4), new, strict=True)
            ]
    return {
        engine: {"cer": round(c / max(1, n), 4), "wer": round(w / max(1, m), 4), "words": m}
        for engine, (c, n, w, m) in totals.items()
    }
