"""Measures retrieval and the `notes` engine on the question sets in `eval/`; prints JSON.

    python -m services.llm.evaluate            how often it is right, wrong, or rightly silent
    python -m services.llm.evaluate --wrong    the development questions that went wrong, too
    python -m services.llm.evaluate --fit      how mistakes and silences trade on the development set

Notes and thresholds were worked out with the development set (`questions.yaml`), so only the figures of the
held-out set (`held_out.yaml`) say how well it does with new questions, and those of `details.yaml` how it
does with questions whose answer stands deep in a note. All in two spellings where there are two: `asked` as
typed, `heard` as a speech recogniser returned it. `found_in_three`: the share of answerable questions whose
note is among the three that a language model is given. `false_answers`: the share of unanswerable questions
that got an answer all the same. `wrong_answers`: the share of answerable ones that got another note than the
right one (a question back, or an honest "I don't know", is not wrong).
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from parley.settings import Settings
from proto.parley.v1 import chain_pb2 as pb
from services.llm.engines.notes import NotesEngine
from services.llm.notes import dialogue

SETS = Path(__file__).resolve().parent / "eval"
REFUSALS = SETS / "refusals.yaml"
DEVELOPMENT, HELD_OUT, DETAILS = SETS / "questions.yaml", SETS / "held_out.yaml", SETS / "details.yaml"


@dataclass(frozen=True, slots=True)
class Question:
    """One line of the set. `notes` empty: not to be answered. `typed`: the same before it was heard."""

    avatar: str
    text: str
    notes: frozenset[str]
    heard: bool
    typed: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine did with a question.

    Attributes:
        question: The question.
        answered: The note that it told; empty if it told none.
        kind: See `services.llm.notes.dialogue.Answer`.
        milliseconds: Until the answer was there; its first clause leaves at once.
        found: Its note is among the three best.
    """

    question: Question
    answered: str
    kind: str
    milliseconds: float
    found: bool

    @property
    def refused(self) -> bool:
        """The policy forbids an answer; to a question that nothing answers, that is right too."""
        return self.kind == "refusal"

    @property
    def right(self) -> bool:
        """The right note, or no note where there is none."""
        wanted = self.question.notes
        return self.answered in wanted if wanted else not self.answered or self.refused


def load_questions(path: Path) -> list[Question]:
    """Reads the set; each line gives one question as asked, and one as heard if it has that."""
    found = []
    for avatar, lines in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for line in lines:
            notes = line.get("note", [])
            wanted = frozenset([notes] if isinstance(notes, str) else notes)
            for spelling in ("ask", "heard"):
                if spelling in line:
                    found.append(Question(avatar, line[spelling], wanted, spelling == "heard", line["ask"]))
    return found


def run(engine: NotesEngine, questions: Iterable[Question]) -> list[Outcome]:
    """Asks each question in a conversation of its own."""
    outcomes = []
    for question in questions:
        turn = pb.Turn(avatar=question.avatar, history=[pb.Message(role=pb.ROLE_USER, text=question.text)])
        start = time.perf_counter()
        answer = engine.answer(turn)
        spent = (time.perf_counter() - start) * 1000
        told = answer.note if answer.kind in {"note", "skill", "refusal"} else ""
        three = {match.note.id for match in engine.matches(turn, limit=3)}
        outcomes.append(Outcome(question, told, answer.kind, spent, bool(three & question.notes)))
    return outcomes


def figures(outcomes: list[Outcome]) -> dict[str, float]:
    """Shares, rounded to three places."""
    can = [o for o in outcomes if o.question.notes]
    cannot = [o for o in outcomes if not o.question.notes]

    def share(part: list[Outcome], whole: list[Outcome]) -> float:
        return round(len(part) / len(whole), 3) if whole else 0.0

    return {
        "answerable": len(can),
        "unanswerable": len(cannot),
        "accuracy": share([o for o in outcomes if o.right], outcomes),
        "answered_rightly": share([o for o in can if o.right], can),
        "found_in_three": share([o for o in can if o.found], can),
        "asked_back": share([o for o in can if o.kind == "clarify"], can),
        "refused": share([o for o in outcomes if o.refused], outcomes),
        "wrong_answers": share([o for o in can if o.answered and not o.right], can),
        "false_answers": share([o for o in cannot if not o.right], cannot),
    }


def report(sets: dict[str, list[Outcome]]) -> dict[str, Any]:
    """All figures of the sets, by name."""
    times = sorted(o.milliseconds for outcomes in sets.values() for o in outcomes)
    shares: dict[str, dict[str, Any]] = {name: {} for name in sets}
    for name, outcomes in sets.items():
        for spelling, heard in (("asked", False), ("heard", True)):
            if part := [o for o in outcomes if o.question.heard is heard]:
                shares[name][spelling] = figures(part)
    latency = {"median": round(statistics.median(times), 2), "p95": round(times[int(len(times) * 0.95)], 2)}
    return {**shares, "latency_ms": latency}


def fit(engine: NotesEngine, questions: list[Question]) -> dict[str, Any]:
    """Mistakes and silences by threshold; a false or wrong answer costs twice as much as a silence."""
    kept = dialogue.ANSWER, dialogue.CLARIFY
    costs = {}
    try:
        for hundredths in range(46, 66, 2):
            dialogue.ANSWER = hundredths / 100
            dialogue.CLARIFY = dialogue.ANSWER - 0.09
            outcomes = run(engine, questions)
            bad = sum(bool(o.answered) and not o.right for o in outcomes)
            silent = sum(not o.answered and not o.right and o.kind != "clarify" for o in outcomes)
            costs[f"{dialogue.ANSWER:.2f}"] = {
                "false_or_wrong": bad,
                "silent": silent,
                "cost": 2 * bad + silent,
            }
    finally:
        dialogue.ANSWER, dialogue.CLARIFY = kept
    return costs


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Measures the notes engine.")
    parser.add_argument("--wrong", action="store_true", help="list what went wrong in the development set")
    parser.add_argument("--fit", action="store_true", help="try thresholds on the development set")
    options = parser.parse_args()
    engine = NotesEngine(Settings().avatars_dir)
    if options.fit:
        print(json.dumps(fit(engine, load_questions(DEVELOPMENT)), indent=2))
        return
    development = run(engine, load_questions(DEVELOPMENT))
    others = {
        name: run(engine, load_questions(path))
        for name, path in (("held_out", HELD_OUT), ("details", DETAILS), ("refusals", REFUSALS))
    }
    result = report({"development": development, **others})
    if options.wrong:
        result["wrong"] = [
            f"{o.question.avatar}: {o.question.text!r} -> {o.answered or o.kind}"
            for o in development
            if not o.right
        ]
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
