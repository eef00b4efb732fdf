"""Rounds of correction and fine-tuning on the made-up subject, of which the truth is known.

    python -m training.asr.subject data/asr/subject-material
    parley data run training/configs/asr-subject.yaml
    python -m training.asr.rounds                     # two rounds; goes on where it was stopped

A round: a reviewer corrects the clips that the queue shows first, and teaches the words in them that are
new; the corpus is frozen; the ears are fine-tuned and, if they hear better, promoted; they hear every clip
again, and what they contest is sent back for the next round (`training/data/stages/review.py`).
"""

import argparse
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from rich.console import Console
from rich.table import Table

from parley.cli.data import runner_of
from parley.settings import REPOSITORY
from training.asr import promote
from training.asr.config import load
from training.asr.judge import words_in
from training.asr.subject import LEXICON
from training.asr.train import train
from training.data.demo_review import BY, review
from training.data.store import Corpus, Review
from training.data.subject import Subject, load_subject

SUBJECT: Final = REPOSITORY / "training" / "configs" / "asr-subject.yaml"
TUNE: Final = REPOSITORY / "training" / "configs" / "asr-tune.yaml"
TRUTH: Final = REPOSITORY / "data" / "asr" / "subject-material" / "truth.json"


def run(number: int, clips: int) -> None:
    """One round; nothing is done twice.

    Args:
        number: From 1 on.
        clips: How many the reviewer corrects.
    """
    config = load(TUNE)
    name = f"subject-{number}"
    done = config.models / "asr" / name / "round.json"
    if done.is_file():
        return
    subject = _subject(number - 1)
    runner = runner_of(subject, workers=0)
    runner.run()
    names = {row["id"]: Path(row["file"]).name for row in runner.rows("fetch")}
    corpus = Corpus(subject.corpus)
    marker = subject.corpus / f"reviewed-{number}"
    if not marker.is_file():
        accepted = review(corpus, TRUTH, names, clips)
        _teach(corpus)
        marker.write_text(f"{accepted}\n")
    runner_of(subject, workers=0).run()
    train(TUNE, name=name)
    runner_of(_subject(number), workers=0).run()
    if done.parent.is_dir():
        done.write_text("{}")


def _teach(corpus: Corpus) -> None:
    """What a reviewer does with words that the avatar's voice does not know."""
    texts = [
        change.text
        for edit in Review(corpus).edits()
        for change in edit.changes
        if change.state == "accepted"
    ]
    for word in sorted(words_in(texts, LEXICON)):
        corpus.teach(word, LEXICON[word], BY)


def _subject(number: int) -> Subject:
    """The subject's file, with the ears of round `number` hearing every clip again; 0: none do."""
    if not number:
        return load_subject(SUBJECT)
    config: dict[str, Any] = yaml.safe_load(SUBJECT.read_text())
    model = load(TUNE).models / "asr" / f"subject-{number}"
    config["stages"]["rehear"] = {"engine": "whisper", "model": str(model)}
    path = REPOSITORY / "data" / "asr" / f"round-{number}.yaml"
    path.write_text(yaml.safe_dump(config))
    return load_subject(path)


def table(rounds: int) -> Table:
    """Every round's errors before and after."""
    config = load(TUNE)
    shown = Table(title="rounds of correction and fine-tuning")
    for column in (
        "round",
        "clips",
        "over",
        "WER before",
        "after",
        "CER",
        "after",
        "lexicon",
        "after",
        "served",
    ):
        shown.add_column(column, no_wrap=True)
    manifest = orjson.loads((config.models / "asr" / "manifest.json").read_bytes())
    for number in range(1, rounds + 1):
        report = manifest["models"][f"subject-{number}"]
        before = report["scores"].get("served", report["scores"]["start"])
        for part, after in report["scores"]["after"].items():
            cells = [
                _percent(each[key]) for key in ("wer", "cer", "lexicon") for each in (before[part], after)
            ]
            first = [str(number), str(report["clips"]), part.replace("_", " ")]
            shown.add_row(*first, *cells, "yes" if report["promoted"] else "no")
    return shown


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Rounds of correction and fine-tuning.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clips", type=int, default=80, help="corrected in each round")
    options = parser.parse_args()
    for number in range(1, options.rounds + 1):
        run(number, options.clips)
    Console().print(table(options.rounds))
    print(f"served: {promote.current(load(TUNE).models, 'whisper')}")


if __name__ == "__main__":
    main()
