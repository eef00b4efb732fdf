"""A whole round of the ears: fine-tune, export, judge through the serving engine, promote if it is better.

    parley train asr CONFIG [--name NAME] [--minutes M]

Before and after are measured on the same clips by the same engine: the test recordings of the corpus, the
lexicon's words in them, and general speech, where forgetting shows.
"""

import math
from dataclasses import asdict
from pathlib import Path

import orjson

from services.asr.config import AsrSettings
from services.asr.engines.whisper import load_whisper
from training.asr import clips as material
from training.asr import promote
from training.asr.clips import Clip
from training.asr.config import Config, load
from training.asr.export import describe, export
from training.asr.judge import Score, judge
from training.ledger import Row


def train(path: Path, minutes: float = math.inf, name: str = "") -> None:
    """Runs what the YAML at `path` says; a run that was stopped goes on.

    Args:
        path: The YAML.
        minutes: Processor minutes; run again to go on.
        name: Another name than the file says; its checkpoints get a folder of their own.

    Raises:
        ConfigError: The file, or the corpus that it names.
        EngineUnavailable: Weights or packages are missing.
    """
    config = load(path)
    if name:
        config = config.model_copy(
            update={"name": name, "out": config.out.with_name(f"{config.out.name}-{name}")}
        )
    if config.engine == "sphinx":
        from training.asr.sphinx import adapt_to

        adapt_to(config)
        return
    from training.asr.finetune import FineTuner

    tuner = FineTuner(config)
    if not tuner.run(minutes):
        print(f"\nstep {tuner.step} of {config.steps}; run it again to go on")
        return

    settled = tuner.write(config.out / "model")
    about: Row = {
        "settled": asdict(settled) if tuner.anchor else None,
        "windows": config.windows,
        "start": config.start,
        "steps": tuner.step,
        "clips": len(tuner.corpus["train"]),
        "hours": round(material.seconds(tuner.corpus["train"]) / 3600, 4),
        "lexicon": sorted(tuner.lexicon),
        "held_out_repeated": material.repeated(tuner.corpus["test"], [*tuner.corpus["train"], *tuner.words]),
    }
    began = config.out / "start-ct2"
    if not began.is_dir():
        export(config.start, began, {"windows": config.windows})
    new = config.models / "asr" / config.name
    export(config.out / "model", new, about)
    conclude(config, tuner.corpus["test"], tuner.lexicon, began, new, about)


def conclude(
    config: Config, test: list[Clip], lexicon: dict[str, str], began: Path, new: Path, about: Row
) -> promote.Verdict:
    """Judges the new model beside what it began with and what is served, and promotes it or not.

    Args:
        config: Of the run.
        test: Held-out clips.
        lexicon: Words that are counted on their own.
        began: CTranslate2 folder of the model that the fine-tune began with.
        new: And of the one that came out.
        about: What is written beside the scores, and, with what the judgement adds, beside the weights.
    """
    general = material.listed(config.general, config.general.parent)
    served = promote.current(config.models, "whisper")
    judged = {"start": began, "after": new}
    if served and served != config.name:
        judged["served"] = config.models / "asr" / served
    scores = {
        which: _scores(AsrSettings(model=str(folder)), test, general, lexicon)
        for which, folder in judged.items()
    }
    found = promote.verdict(scores.get("served", scores["start"]), scores["after"])
    # A model that words to expect mislead is not told any when it is served.
    about = about | {"expects": scores["after"]["held_out_expecting"].wer <= scores["after"]["held_out"].wer}
    describe(new, about)
    report: Row = {
        **about,
        "scores": {
            which: {part: one.row() for part, one in parts.items()} for which, parts in scores.items()
        },
        "served_before": served,
        "promoted": found.promoted,
        "why": found.why,
    }
    (config.out / "report.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    promote.record(config.models, "whisper", config.name, report, promoted=found.promoted)
    if repeats := about.get("held_out_repeated"):
        print(f"{repeats} of {len(test)} held-out clips say what a clip that is learnt from says.")
    for part in scores["after"]:
        for which, parts in scores.items():
            print(f"{part:>20} {which:>7}: {parts[part].told()}")
    print(f"{config.name} is {'promoted' if found.promoted else 'not promoted'}: {found.why}.")
    return found


def _scores(
    settings: AsrSettings, test: list[Clip], general: list[Clip], lexicon: dict[str, str]
) -> dict[str, Score]:
    engine = load_whisper(settings.model, device=settings.device, compute=settings.compute)
    return {
        "held_out": judge(engine, test, lexicon),
        "held_out_expecting": judge(engine, test, lexicon, expecting=True),
        "general": judge(engine, general, lexicon),
    }
