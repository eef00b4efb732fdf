"""Which trained ears are served: `models/asr/manifest.json` names them, and what each model was worth."""

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from training.asr.judge import Score
from training.ledger import Row


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model is promoted, and why."""

    promoted: bool
    why: str


def verdict(before: dict[str, Score], after: dict[str, Score]) -> Verdict:
    """Promotion wants fewer errors on held-out speech, and no more on general speech.

    Args:
        before: `held_out` and `general`, of what is served now, or else of what the fine-tune began with.
        after: The same of the new model, over the same clips.
    """
    held, general = (before[name].wer - after[name].wer for name in ("held_out", "general"))
    if held <= 0:
        return Verdict(
            False, f"held-out WER {before['held_out'].wer:.1%} → {after['held_out'].wer:.1%}: no gain"
        )
    if general < 0:
        return Verdict(
            False, f"general WER {before['general'].wer:.1%} → {after['general'].wer:.1%}: it forgets"
        )
    return Verdict(True, "held-out speech is heard better, general speech no worse")


def current(models: Path, engine: str) -> str:
    """Name of the model that is served by `engine`; empty: none was promoted."""
    return str(_read(models)["current"].get(engine, ""))


def record(models: Path, engine: str, name: str, report: Row, *, promoted: bool) -> None:
    """Writes a model's report into the manifest, and makes it current if it is promoted.

    The file is replaced whole, so that a service that starts meanwhile reads the old or the new one.
    """
    manifest = _read(models)
    manifest["models"][name] = report
    if promoted:
        manifest["current"][engine] = name
    path = models / "asr" / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".aside")
    aside.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    os.replace(aside, path)


def _read(models: Path) -> Row:
    path = models / "asr" / "manifest.json"
    found: Row = orjson.loads(path.read_bytes()) if path.is_file() else {"current": {}, "models": {}}
    return found
