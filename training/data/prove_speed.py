"""How fast the stages are on this machine, and whether ten times the recordings cost ten times as much.

    python -m training.data.prove_speed run training/configs/demo.yaml
    python -m training.data.prove_speed growth --scale 10 --until transcribe

`run` does a subject's stages one after the other into a corpus of its own, on two cores. A stage's `wall_x`
is seconds of media a second of the clock; `cpu_x` is what two cores reach that do nothing else: twice the
media over the processor time. Both hold the start of the processes. `growth` makes the demo material's sound
once and `--scale` times over and runs both.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from training.data.demo_material import build
from training.data.prove import copy
from training.data.stages.fetch import items
from training.data.subject import Subject, load_subject
from training.ledger import Row, entries
from training.runner import Runner

CORES = 2


def speeds(subject: Subject, until: str) -> Row:
    """Runs the stages; what each took.

    Args:
        subject: whose corpus is empty.
        until: the last stage; empty: all.
    """
    runner = Runner(subject.corpus, subject.runs(), lambda: items(subject.sources), workers=CORES)
    found: Row = {}
    for stage in runner.stages:
        wall, cpu = time.monotonic(), _cpu_s()
        runner.run(only=stage.name)
        wall, cpu = time.monotonic() - wall, _cpu_s() - cpu
        media = sum(float(entry["media_s"]) for entry in entries(subject.corpus, stage.name))
        found[stage.name] = {"media_s": round(media, 1), "wall_s": round(wall, 1), "cpu_s": round(cpu, 1)}
        if media:
            found[stage.name] |= {"wall_x": round(media / wall, 1), "cpu_x": round(CORES * media / cpu, 1)}
        if stage.name == until:
            break
    peaks = [
        resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return {"stages": found, "peak_mb": {"runner": peaks[0], "worker": peaks[1]}}


def growth(scale: int, until: str) -> Row:
    """Once and `scale` times the recordings: both tables, and how many times the second cost the first."""
    with tempfile.TemporaryDirectory() as folder:
        tables = [_measured(Path(folder) / f"x{times}", times, until) for times in (1, scale)]
    one, many = (table["stages"] for table in tables)
    ratios = {
        name: {
            "media": round(many[name]["media_s"] / one[name]["media_s"], 2),
            "cpu": round(many[name]["cpu_s"] / one[name]["cpu_s"], 2),
        }
        for name in one
        if one[name]["media_s"] and one[name]["cpu_s"]
    }
    total = [sum(stage["cpu_s"] for stage in stages.values()) for stages in (one, many)]
    return {"once": tables[0], "many": tables[1], "ratios": ratios, "cpu": round(total[1] / total[0], 2)}


def _measured(folder: Path, times: int, until: str) -> Any:
    """The table of so much material, measured by a process of its own: peaks of memory are per process."""
    build(folder / "material", scale=times, pictures=False, bad=False)
    config = folder / "subject.yaml"
    source = {"path": str(folder / "material"), "exclude": ["reference/*"], "licence": "l", "consent": "c"}
    reference = str(folder / "material" / "reference" / "target.wav")
    subject = {"name": "growth", "corpus": "corpus", "sources": [source]}
    config.write_text(json.dumps(subject | {"stages": {"speakers": {"reference": reference}}}))
    command = [sys.executable, "-m", __spec__.name, "run", str(config), "--until", until]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "growth"])
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("--until", default="")
    parser.add_argument("--scale", type=int, default=10)
    args = parser.parse_args()
    if args.what == "growth":
        found = growth(args.scale, args.until)
    elif args.config is None:
        parser.error("run needs a config")
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = speeds(load_subject(copy(args.config, Path(folder), "corpus")), args.until)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
