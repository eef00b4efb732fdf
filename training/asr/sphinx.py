"""The other ears' share of a round: pocketsphinx's language model, interpolated with what a subject says.

    parley train asr CONFIG      with `engine: sphinx` in it

The conversational model (`services.asr.lm`) is adapted again, to the corrected texts, each as often as it
weighs. Words that it lacks are added by the engine, with the pronunciations taught, when a session opens.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.asr.config import AsrSettings
from services.asr.engines import SPHINX_MODEL
from services.asr.engines.sphinx import SphinxEngine
from services.asr.lm.adapt import Strength, adapt
from services.asr.lm.conversation import conversational
from services.asr.lm.trie import read, write
from training.asr import clips as material
from training.asr import promote
from training.asr.clips import Clip
from training.asr.config import Config
from training.asr.judge import Score, judge
from training.ledger import Row

# A subject's own words say more of what is said next than templates do; chosen on development clips.
STRENGTHS: Final = (
    Strength(words=0.02, share=0.2, base=5, per_type=20),
    Strength(words=0.1, share=0.5, base=2, per_type=4),
    Strength(words=0.2, share=0.8, base=1, per_type=1),
)


@dataclass(frozen=True, slots=True)
class _Adapted:
    model: Path
    strength: Strength
    development: Score


def texts_of(clips: Sequence[Clip]) -> list[str]:
    """Their texts, each as often as it weighs, once at least."""
    return [clip.text for clip in clips for _ in range(max(round(clip.weight), 1))]


def adapt_to(config: Config) -> promote.Verdict:
    """Adapts, chooses the strength on the development clips, judges, promotes if it is better.

    Raises:
        ConfigError: The corpus is not handed over, or not whole.
        EngineUnavailable: pocketsphinx is not installed.
    """
    corpus, taught = material.corpus(config.corpus)
    lexicon = taught | config.lexicon.words
    general = material.listed(config.general, config.general.parent)
    base = conversational(AsrSettings().cache_dir)
    texts = texts_of(corpus["train"])
    config.out.mkdir(parents=True, exist_ok=True)
    tried = []
    for number, strength in enumerate(STRENGTHS):
        path = config.out / f"strength-{number}.lm.bin"
        write(adapt(read(base), texts, strength), path)
        heard = judge(_ears(path), corpus["dev"], lexicon, expecting=True)
        print(f"{strength}: development {heard.told()}", flush=True)
        tried.append(_Adapted(path, strength, heard))
    best = min(tried, key=lambda each: each.development.wer)
    served = promote.current(config.models, "sphinx")
    before_path = config.models / "asr" / served / SPHINX_MODEL if served else base
    before, after = (_scores(path, corpus["test"], general, lexicon) for path in (before_path, best.model))
    target = config.models / "asr" / config.name
    target.mkdir(parents=True, exist_ok=True)
    os.replace(best.model, target / SPHINX_MODEL)
    found = promote.verdict(before, after)
    report: Row = {
        "strength": str(best.strength),
        "clips": len(corpus["train"]),
        "scores": {
            "start": {part: one.row() for part, one in before.items()},
            "after": {part: one.row() for part, one in after.items()},
        },
        "served_before": served,
        "promoted": found.promoted,
        "why": found.why,
    }
    promote.record(config.models, "sphinx", config.name, report, promoted=found.promoted)
    for part, one in after.items():
        print(f"{part:>20}: {before[part].told()} → {one.told()}")
    print(f"{config.name} is {'promoted' if found.promoted else 'not promoted'}: {found.why}.")
    return found


def _scores(
    path: Path, test: Sequence[Clip], general: Sequence[Clip], lexicon: dict[str, str]
) -> dict[str, Score]:
    return {
        "held_out": judge(_ears(path), test, lexicon, expecting=True),
        "general": judge(_ears(path), general, lexicon),
    }


def _ears(path: Path) -> SphinxEngine:
    return SphinxEngine(warm=0, language_model=path)
