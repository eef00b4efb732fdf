"""Stage 6, handover: the corpora that the trainers read, split by recording, frozen by hash.

    handover/{asr,tts,sda}.{train,dev,test}.jsonl     one line a clip; paths relative to the corpus
    handover/manifest.json                            their checksums and sizes, the splits, words taught
    handover/splits.json                              which split each recording was ever given

Which split a new recording goes to follows from its checksum; what it was given once it keeps, whatever the
corpus and the settings become. As long as test or dev has none, the next new recording is dealt to it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field

from training.data.clips import Split
from training.data.workspace import Workspace, guarded
from training.ledger import Row

NAME = "handover"
VERSION = 3
AFTER = ("corrected", "synthesize", "align")
GATHER = True

SPLITS: tuple[Split, ...] = get_args(Split)
_DEALT: tuple[Split, ...] = ("test", "dev")


class Config(BaseModel):
    """Shares of the recordings, by chance; of those that have no split yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dev: float = Field(0.05, ge=0, le=0.4)
    test: float = Field(0.05, ge=0, le=0.4)


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`. One row: the manifest."""
    frozen = _frozen(work.root)
    splits = split({clip["source"] for clip in item["corrected"]}, config, frozen)
    _write(work.root, work.root / "handover" / "splits.json", _pretty(frozen | splits))
    clips = {clip["id"]: clip for clip in item["corrected"]}
    spoken = {row["id"]: row for row in item["synthesize"]}
    faces = {row["id"]: row for row in item["align"]}
    corpora: dict[str, list[Row]] = {
        "asr": [_line(clip) for clip in clips.values()],
        "tts": [_line(clip) for clip in clips.values()],
        "sda": [
            _line(clip)
            | {name: spoken[key][name] for name in ("speech", "voice", "phones", "alignment")}
            | {name: faces[key][name] for name in ("crop", "landmarks", "frames", "stretches")}
            for key, clip in clips.items()
            if key in spoken and key in faces
        ],
    }
    files = {}
    for corpus, lines in corpora.items():
        for name in SPLITS:
            own = sorted(
                (line for line in lines if splits[line["source"]] == name), key=lambda line: line["id"]
            )
            data = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in own)
            _write(work.root, work.root / "handover" / f"{corpus}.{name}.jsonl", data)
            files[f"{corpus}.{name}.jsonl"] = {
                "sha256": hashlib.sha256(data).hexdigest(),
                "clips": len(own),
                "hours": round(sum(line["end_s"] - line["start_s"] for line in own) / 3600, 4),
            }
    lexicon = {word: phones for clip in item["corrected"] for word, phones in clip["taught"].items()}
    manifest: Row = {
        "id": "manifest",
        "files": files,
        "splits": dict(sorted(splits.items())),
        "lexicon": dict(sorted(lexicon.items())),
    }
    _write(work.root, work.root / "handover" / "manifest.json", _pretty(manifest))
    return [manifest]


def split(sources: set[str], config: Config, frozen: dict[str, Split] | None = None) -> dict[str, Split]:
    """Each recording's split.

    Args:
        sources: the recordings.
        config: shares of dev and test.
        frozen: splits that recordings were given before; they keep them.
    """
    given = frozen or {}
    chosen: dict[str, Split] = {source: given[source] for source in sources if source in given}
    new = sorted(sources - set(chosen), key=_chance)
    for source in new:
        chance = _chance(source)
        chosen[source] = (
            "test" if chance < config.test else "dev" if chance < config.test + config.dev else "train"
        )
    if len(sources) >= len(SPLITS):
        missing = [name for name in _DEALT if name not in chosen.values()]
        free = [source for source in new if chosen[source] == "train"]
        spare = list(chosen.values()).count("train") - 1  # one recording at least is learnt from
        for name, source in list(zip(missing, free, strict=False))[:spare]:
            chosen[source] = name
    return chosen


def _frozen(root: Path) -> dict[str, Split]:
    path = root / "handover" / "splits.json"
    found: dict[str, Split] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return found


def _pretty(value: Row) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


def _chance(source: str) -> float:
    """0…1, the same for ever."""
    return int.from_bytes(hashlib.sha256(f"split {source}".encode()).digest()[:8], "big") / 2**64


def _line(clip: Row) -> Row:
    return {
        name: clip[name] for name in ("id", "source", "audio", "start_s", "end_s", "text", "weight", "by")
    }


def _write(root: Path, path: Path, data: bytes) -> None:
    with guarded(root):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".aside")
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
