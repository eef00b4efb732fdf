"""The other ears' share of a round: pocketsphinx's language model, interpolated with what a subject says.

    parley train asr CONFIG      with `engine: sphinx` in it

The conversational model (`services.asr.lm`) is adapted again, to the corrected texts, each as often as it
weighs. Words that it lacks are added by the engine, with the pronunciations taught, when a session opens.
With `voice: true` the acoustic model is moved towards the corpus' voice, too (`mllr.py`).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.asr.config import AsrSettings
from services.asr.engines import SPHINX_MODEL, SPHINX_TRANSFORM
from services.asr.engines.sphinx import SphinxEngine
from services.asr.lm.adapt import Strength, adapt
from services.asr.lm.conversation import conversational
from services.asr.lm.trie import read, write
from training.asr import clips as material
from training.asr import promote
from training.asr.clips import Clip
from training.asr.config import Config
from training.asr.judge import Score, judge
from training.asr.mllr import estimate
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

    With `voice` the acoustic model is adapted on top, and kept if the same gate prefers it to the language
    model alone.

    Raises:
        ConfigError: The corpus is not handed over, or not whole.
        EngineUnavailable: pocketsphinx, or what `voice` needs, is not installed.
    """
    corpus, taught = material.corpus(config.corpus)
    lexicon = taught | config.lexicon.words
    general = material.listed(config.general, config.general.parent)
    base = conversational(AsrSettings().cache_dir)
    best = _best_model(config, base, corpus, lexicon)
    served = promote.current(config.models, "sphinx")
    old = config.models / "asr" / served
    ears = {"start": _ears(old / SPHINX_MODEL, _transform_in(old)) if served else _ears(base)}
    ears["after"] = _ears(best.model)
    transform: Path | None = None
    if config.voice:
        transform = estimate(corpus["train"], lexicon, config.out / "voice")
        ears["voice"] = _ears(best.model, transform)
    scores = {which: _scores(each, corpus["test"], general, lexicon) for which, each in ears.items()}
    if config.voice:
        heard = promote.verdict(scores["after"], scores["voice"])
        print(f"the voice's transform is {'kept' if heard.promoted else 'left out'}: {heard.why}.")
        transform = transform if heard.promoted else None
    new = scores["voice" if transform else "after"]
    _put(best.model, transform, config.models / "asr" / config.name)
    found = promote.verdict(scores["start"], new)
    report: Row = {
        "strength": str(best.strength),
        "clips": len(corpus["train"]),
        "transform": transform is not None,
        "scores": {
            which: {part: one.row() for part, one in parts.items()} for which, parts in scores.items()
        },
        "served_before": served,
        "promoted": found.promoted,
        "why": found.why,
    }
    promote.record(config.models, "sphinx", config.name, report, promoted=found.promoted)
    for part in new:
        for which, parts in scores.items():
            print(f"{part:>20} {which:>5}: {parts[part].told()}")
    print(f"{config.name} is {'promoted' if found.promoted else 'not promoted'}: {found.why}.")
    return found


def _put(model: Path, transform: Path | None, folder: Path) -> None:
    """Moves what was made to where it is served from."""
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(model, folder / SPHINX_MODEL)
    (folder / SPHINX_TRANSFORM).unlink(missing_ok=True)
    if transform is not None:
        os.replace(transform, folder / SPHINX_TRANSFORM)


def _best_model(
    config: Config, base: Path, corpus: Mapping[str, Sequence[Clip]], lexicon: Mapping[str, str]
) -> _Adapted:
    """The language model in the strength that hears the development clips best."""
    texts, tried = texts_of(corpus["train"]), []
    config.out.mkdir(parents=True, exist_ok=True)
    for number, strength in enumerate(STRENGTHS):
        path = config.out / f"strength-{number}.lm.bin"
        write(adapt(read(base), texts, strength), path)
        heard = judge(_ears(path), corpus["dev"], lexicon, expecting=True)
        print(f"{strength}: development {heard.told()}", flush=True)
        tried.append(_Adapted(path, strength, heard))
    return min(tried, key=lambda each: each.development.wer)


def _scores(
    ears: SphinxEngine, test: Sequence[Clip], general: Sequence[Clip], lexicon: Mapping[str, str]
) -> dict[str, Score]:
    return {
        "held_out": judge(ears, test, lexicon, expecting=True),
        "general": judge(ears, general, lexicon),
    }


def _ears(path: Path, transform: Path | None = None) -> SphinxEngine:
    return SphinxEngine(warm=0, language_model=path, transform=transform)


def _transform_in(folder: Path) -> Path | None:
    path = folder / SPHINX_TRANSFORM
    return path if path.is_file() else None
