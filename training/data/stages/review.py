"""Bubble-up: scores every clip, publishes the review queue, and sends the worst accepted clips back.

A clip's doubt is its worst sign: disagreement of the engines, a recogniser that was unsure, a fine-tuned one
that hears something else, a text that does not fit the sound, a voice whose rendering of the text is not
understood, a face model whose lips move otherwise. Once a person has accepted a text, that the engines had
disagreed or were unsure says no more; that the fine-tuned one hears something else than the text does. Some
clips are drawn at random whatever their doubt: their error is an honest estimate of the whole corpus's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from services.tts.text.normalizer import normalize
from training.data import ears
from training.data.clips import Clip, Hypothesis
from training.data.jsonl import read
from training.data.stages.corrected import SEND_BACK, Reviewed, people_edits, reviewed
from training.data.store import Corpus, Review
from training.data.workspace import Workspace, guarded
from training.ledger import Row

NAME = "review"
VERSION = 3
AFTER = ("transcribe", "rehear", "corrected", "synthesize", "face", "handover")
GATHER = True


_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# Mean acoustic score a frame of a text that is right, and of one that is wrong; see `synthesize.min_score`.
_FITS, _WRONG = -14.0, -19.0
# `face.lip_error` of the right words (noise of the landmarks), and of other words or two frames late.
_LIPS_RIGHT, _LIPS_WRONG = 0.01, 0.03


class Config(BaseModel):
    """Settings.

    Attributes:
        probes: share of clips drawn at random for review.
        worst: how many accepted clips with the greatest doubt are open again at a time; each once only.
        least_doubt: none with less doubt goes back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    probes: float = Field(0.05, ge=0, le=1)
    worst: int = Field(20, ge=0)
    least_doubt: float = 0.3


def context(root: Path, config: Config) -> Row:
    """How far people had got with their corrections."""
    return {"edits": people_edits(root)}


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`. One row: the round's report."""
    stood = reviewed(work.root, item["edits"])
    texts = {name: change.text for name, change in stood.last.items() if change.state == "accepted"}
    by_stage = {name: {row["id"]: row for row in item[name]} for name in AFTER[1:5]}
    clips = [
        _clip(
            row, {name: rows.get(row["id"]) for name, rows in by_stage.items()}, texts.get(row["id"]), config
        )
        for row in item["transcribe"]
    ]
    made = {clip.id for clip in clips}
    splits = {source: name for row in item["handover"] for source, name in row["splits"].items()}
    held_out = {source for source, name in splits.items() if name != "train"}
    corpus = Corpus(work.root)
    with guarded(work.root):
        gone = [
            clip.model_copy(update={"retired": True})
            for clip in (Clip.model_validate(row) for row, _ in read(corpus.clips_path))
            if clip.id not in made and not clip.retired
        ]
        corpus.publish([*clips, *gone])
        back = _send_back(corpus, clips, stood, config)
    found = report(clips, {name: text for name, text in texts.items() if name in made}, held_out)
    return [{"id": "report", **found, "sent_back": back, "edits": item["edits"]}]


def report(clips: list[Clip], texts: dict[str, str], held_out: Collection[str] = ()) -> Row:
    """Errors of each engine against the texts that people accepted.

    Args:
        clips: all.
        texts: accepted texts, by clip.
        held_out: recordings that no trainer learns from.

    Returns:
        `clips`, `accepted`, and per engine the character and word error rates over all accepted clips, over
        the random ones among them, and over those of held-out recordings.
    """
    accepted = [clip for clip in clips if clip.id in texts]
    return {
        "clips": len(clips),
        "accepted": len(accepted),
        "engines": {
            "accepted": _errors(accepted, texts),
            "probes": _errors([clip for clip in accepted if clip.probe], texts),
            "held out": _errors([clip for clip in accepted if clip.source in held_out], texts),
        },
    }


def scores_of(row: Row, made: Mapping[str, Row | None], accepted: str | None) -> dict[str, float]:
    """Every sign of a clip that something is wrong with it, by name: 0 none, 1 as bad as can be.

    Args:
        row: of `transcribe`.
        made: what `rehear`, `corrected`, `synthesize` and `face` have for it, if anything.
        accepted: the text that a person accepted, if one did.
    """
    reheard, spoken, face = (made.get(name) for name in ("rehear", "synthesize", "face"))
    scores: dict[str, float] = {}
    if accepted is None:
        # A recogniser is unsure of much that it hears well, so that sign alone weighs half.
        scores = {"disagreement": row["disagreement"], "unsure": (1 - row["hypotheses"][0]["confidence"]) / 2}
    if reheard is not None and accepted is None:
        scores["changed"] = reheard["disagreement"]
    elif reheard is not None and accepted is not None:
        heard = reheard["hypothesis"]["text"]
        scores["contested"] = ears.disagreement(" ".join(plain(accepted)), " ".join(plain(heard)))
    if spoken is not None:
        scores["misspoken"] = spoken["cer"]
        scores["misaligned"] = _share(spoken["alignment"], _FITS, _WRONG)
    elif made.get("corrected") is not None:
        scores["misaligned"] = 1.0  # the voice could not be laid over the sound: see synthesize's reasons
    if face is not None:
        scores["lips"] = _share(face["lip_error"], _LIPS_RIGHT, _LIPS_WRONG)
    return {name: round(value, 4) for name, value in scores.items()}


def is_probe(clip_id: str, share: float) -> bool:
    """Whether the clip is one of the random ones; the same ones in every round."""
    drawn = hashlib.sha256(f"probe {clip_id}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < share * 2**64


def _share(value: float, good: float, bad: float) -> float:
    """Where a value lies between good, 0, and bad, 1."""
    return min(1.0, max(0.0, (value - good) / (bad - good)))


def plain(text: str) -> list[str]:
    """The words as they are said: recognisers write no commas, and people write numbers in figures."""
    return _WORD.findall(normalize(text).lower())


def _clip(row: Row, made: Mapping[str, Row | None], accepted: str | None, config: Config) -> Clip:
    hypotheses = [Hypothesis.model_validate(each) for each in row["hypotheses"]]
    reheard, text = made.get("rehear"), made.get("corrected")
    if reheard is not None:
        hypotheses.insert(0, Hypothesis.model_validate(reheard["hypothesis"]))
    scores = scores_of(row, made, accepted)
    return Clip(
        id=row["id"],
        source=row["source"],
        title=row["title"],
        audio=row["audio"],
        start_s=row["start_s"],
        end_s=row["end_s"],
        hypotheses=hypotheses,
        disagreement=row["disagreement"],
        doubt=max(scores.values(), default=0.0),
        scores=scores,
        probe=is_probe(row["id"], config.probes),
        weight=text["weight"] if text else 1.0,
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
        words = plain(texts[clip.id])
        text = " ".join(words)
        for heard in clip.hypotheses:
            said = plain(heard.text)
            letters_off = ears.edit_distance(text, " ".join(said))
            new = [letters_off, len(text), ears.edit_distance(words, said), len(words)]
            totals[heard.engine] = [
                a + b for a, b in zip(totals.get(heard.engine, [0] * 4), new, strict=True)
            ]
    return {
        engine: {"cer": round(c / max(1, n), 4), "wer": round(w / max(1, m), 4), "words": m}
        for engine, (c, n, w, m) in totals.items()
    }
