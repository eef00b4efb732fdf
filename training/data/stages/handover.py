"""Stage 6, handover: the corpora that the trainers read, split by recording, frozen by hash.

    handover/{asr,tts,sda}.{train,dev,test}.jsonl     one line a clip; paths relative to the corpus
    handover/manifest.json                            their checksums and sizes

Which split a recording is in follows from its checksum alone, so it never moves as the corpus grows; only
the first three recordings of a corpus are dealt out one to each.
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
VERSION = 1
AFTER = ("corrected", "synthesize", "align")
GATHER = True

SPLITS: tuple[Split, ...] = get_args(Split)
_DEALT: tuple[Split, ...] = ("test", "dev")


class Config(BaseModel):
    """Shares of the recordings, by chance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dev: float = Field(0.05, ge=0, le=0.4)
    test: float = Field(0.05, ge=0, le=0.4)


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`. One row: the manifest."""
    splits = split({clip["source"] for clip in item["corrected"]}, config)
    clips = {clip["id"]: clip for clip in item["corrected"]}
    spoken = {row["id"]: row for row in item["synthesize"]}
    faces = {row["id"]: row for row in item["align"]}
    corpora: dict[str, list[Row]] = {
        "asr": [_line(clip) for clip in clips.values()],
        "tts": [_line(clip) for clip in clips.values()],
        "sda": [
            _line(clip)
            | {name: spoken[key][name] for name in ("speech", "voice", "phones", "alignment")}
            | {name: faces[key][name] for name in ("crop", "landmarks", "frames")}
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
    manifest: Row = {"id": "manifest", "files": files, "splits": dict(sorted(splits.items()))}
    text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    _write(work.root, work.root / "handover" / "manifest.json", text)
    return [manifest]


def split(sources: set[str], config: Config) -> dict[str, Split]:
    """Each recording's split."""
    ranked = sorted(sources, key=_chance)
    chosen: dict[str, Split] = {}
    for source in ranked:
        chance = _chance(source)
        chosen[source] = (
            "test" if chance < config.test else "dev" if chance < config.test + config.dev else "train"
        )
    if len(ranked) >= len(SPLITS):
        for name, source in zip(_DEALT, ranked, strict=False):
            if name not in chosen.values():
                chosen[source] = name
    return chosen


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
