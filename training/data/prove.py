"""Proofs about the runner that take minutes, so they are commands and not tests.

    python -m training.data.prove kill training/configs/demo.yaml --kills 3 --seed 1
    python -m training.data.prove ledger --rows 1000000
    python -m training.data.prove growth

`kill` runs a subject twice into corpora of its own: once undisturbed, once killed with SIGKILL at random
moments, one in each part of the work, and started again; rows and blobs must be the same, and no item may
have two lines. `ledger` times
how long a run takes to find out that nothing is left to do. `growth` runs ten times the items and compares
time and memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pydantic import BaseModel

from training.data import prove_stage
from training.data.stages import STAGES
from training.ledger import LedgerWriter, Row, Shard, entries
from training.pool import StageRun
from training.runner import Runner


def result(root: Path, stages: tuple[ModuleType, ...] = STAGES) -> tuple[str, dict[str, int]]:
    """A corpus' result, whatever the order of work: a checksum over rows and blobs, and lines per stage."""
    digest, counts = hashlib.sha256(), {}
    for stage in stages:
        found = _ends(root, stage.NAME)
        counts[str(stage.NAME)] = len(found)
        digest.update(json.dumps(found).encode())
    for path in sorted((root / "blobs").rglob("*")) + sorted((root / "handover").glob("*")):
        if path.is_file():
            digest.update(
                f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return digest.hexdigest(), counts


def differing(one: Path, two: Path, stages: tuple[ModuleType, ...] = STAGES) -> list[str]:
    """Names of stages whose lines are not the same in two corpora; for finding out why."""
    return [str(stage.NAME) for stage in stages if _ends(one, stage.NAME) != _ends(two, stage.NAME)]


def lines(root: Path) -> int:
    """How many lines the ledgers of all stages have."""
    return sum(1 for stage in STAGES for _ in entries(root, stage.NAME))


def _last(root: Path) -> str:
    """The latest stage that has begun."""
    return max((n, str(stage.NAME)) for n, stage in enumerate(STAGES) if any(entries(root, stage.NAME)))[1]


def _ends(root: Path, stage: str) -> list[tuple[str, ...]]:
    return sorted((e["key"], e["status"], e["reason"], json.dumps(e["rows"])) for e in entries(root, stage))


def repeated(root: Path, stages: tuple[ModuleType, ...] = STAGES) -> int:
    """How many items have more than one line."""
    return sum(
        count > 1
        for stage in stages
        for count in Counter(e["key"] for e in entries(root, stage.NAME)).values()
    )


def kill(config: Path, kills: int, seed: int) -> dict[str, Any]:
    """See the module."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        whole, broken = (copy(config, Path(folder), name) for name in ("whole", "broken"))
        began = time.monotonic()
        if start(whole).wait():
            raise SystemExit("the undisturbed run failed")
        took = time.monotonic() - began
        total = sum(result(Path(folder) / "whole")[1].values())
        dice = random.Random(seed)
        done = []
        # By lines, not by time: so kills also fall into the slow stages, wherever these are.
        for part in range(kills):
            moment = dice.randrange(max(1, part * total // kills), (part + 1) * total // kills)
            process = start(broken)
            while process.poll() is None and lines(Path(folder) / "broken") < moment:
                time.sleep(0.05)
            time.sleep(dice.uniform(0.0, 0.3))
            process.send_signal(signal.SIGKILL)
            if process.wait() != -signal.SIGKILL:
                raise SystemExit("a run was over before it could be killed: take another seed")
            done.append({"lines": lines(Path(folder) / "broken"), "in": _last(Path(folder) / "broken")})
        if start(broken).wait():
            raise SystemExit("the last run failed")
        (one, wanted), (two, again) = result(Path(folder) / "whole"), result(Path(folder) / "broken")
        return {
            "undisturbed_s": round(took, 1),
            "kills": done,
            "lines": wanted,
            "lines_after_kills": again,
            "items_done_twice": repeated(Path(folder) / "broken"),
            "same_result": one == two,
            "differing_stages": differing(Path(folder) / "whole", Path(folder) / "broken"),
        }


def ledger(rows: int) -> dict[str, Any]:
    """See the module."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        root = Path(folder)
        runner = _toy(root, rows)
        stage = runner.stages[0]
        with LedgerWriter(root, stage.name, Shard()) as writer:
            for item in _items(rows - 1):
                made = prove_stage.run(item, prove_stage.Config(), None)
                writer.add(stage.key(item), "done", "", made, media_s=6.0, took_s=1.0)
        began = time.monotonic()
        runner.run()
        return {
            "rows": rows,
            "bytes": sum(path.stat().st_size for path in root.rglob("*.jsonl")),
            "resume_s": round(time.monotonic() - began, 2),
            "done_now": sum(1 for _ in entries(root, stage.name)) - (rows - 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }


def growth() -> list[dict[str, Any]]:
    """See the module."""
    found = []
    for rows in (10_000, 100_000):
        command = [sys.executable, "-m", "training.data.prove", "toy", "--rows", str(rows)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    return found


def toy(rows: int) -> dict[str, Any]:
    """Time and memory of so many items that cost nothing."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        began = time.monotonic()
        _toy(Path(folder), rows).run()
        return {
            "items": rows,
            "seconds": round(time.monotonic() - began, 2),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }


def _toy(root: Path, rows: int) -> Runner:
    config: BaseModel = prove_stage.Config()
    return Runner(root, [StageRun(prove_stage, config)], lambda: _items(rows))


def _items(rows: int) -> Iterator[Row]:
    for index in range(rows):
        yield {
            "id": f"{index:016x}",
            "source": f"{index // 500:016x}",
            "start_s": index * 6.0,
            "media_s": 6.0,
        }


def copy(config: Path, folder: Path, name: str) -> Path:
    """The subject with another corpus, `folder`/`name`: its file."""
    subject = yaml.safe_load(config.read_text())
    subject["corpus"] = str(folder / name)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(subject))
    return path


def start(config: Path, *options: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Begins `parley data run`."""
    command = [sys.executable, "-m", "parley.cli.main", "data", "run", str(config), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kill", "ledger", "growth", "toy"])
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    found: Any
    match args.what:
        case "kill":
            if args.config is None:
                parser.error("kill needs a config")
            found = kill(args.config, args.kills, args.seed)
        case "ledger":
            found = ledger(args.rows)
        case "growth":
            found = growth()
        case _:
            found = toy(args.rows)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
