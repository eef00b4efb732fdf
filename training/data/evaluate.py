"""How well speakers were told apart, against the truth of `demo_material`.

    python -m training.data.evaluate training/configs/demo.yaml data/demo-material/truth.json

Counted in frames of 10 ms. Diarisation error as NIST defines it (missed + false alarm + confusion, over
speech; collar 0.25 s around borders; frames in which people talk over each other are left out, since the
pipeline drops them on purpose). Purity and coverage are the target's: how much of what was picked is hers
alone, and how much of what she says alone was picked.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.stages.fetch import items
from training.data.subject import load_subject
from training.ledger import Row
from training.runner import Runner

_HZ = 100
_COLLAR = 25
NOBODY, SEVERAL = "", "+"

Frames = NDArray[np.object_]


def true_frames(turns: list[Row], count: int) -> Frames:
    """Who speaks in each frame: a name, NOBODY or SEVERAL."""
    frames = np.full(count, NOBODY, object)
    for turn in turns:
        for a, b in turn["voiced"]:
            part = frames[round(a * _HZ) : round(b * _HZ)]
            part[:] = np.where(part == NOBODY, turn["speaker"], SEVERAL)
    return frames


def found_frames(turns: list[Any], count: int) -> Frames:
    """The same from a row of stage `speakers`."""
    frames = np.full(count, NOBODY, object)
    for a, b, who in turns:
        frames[round(a * _HZ) : round(b * _HZ)] = who
    return frames


def scored(truth: Frames) -> NDArray[np.bool_]:
    """Frames that count: one speaker or none, further than the collar from any border."""
    borders = np.flatnonzero(truth[1:] != truth[:-1])
    counts = truth != SEVERAL
    for border in borders:
        counts[max(0, border + 1 - _COLLAR) : border + 1 + _COLLAR] = False
    return np.asarray(counts, bool)


def evaluate(rows: list[Row], truth: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Figures over all recordings.

    Args:
        rows: of stage `speakers`.
        truth: as in truth.json.
        names: file name of each recording, by id.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    picked: Counter[str] = Counter()
    spoken = 0
    for row in rows:
        count = int(row["media_s"] * _HZ) + 1
        about = truth["recordings"][names[row["id"]]]
        if not about["turns"]:
            continue
        real, found = true_frames(about["turns"], count), found_frames(row["turns"], count)
        counted = scored(real)
        pairs.update(zip(real[counted].tolist(), found[counted].tolist(), strict=True))
        picked.update(real[(found == row["target"]) & (real != NOBODY)].tolist())
        spoken += int(np.count_nonzero(real == truth["target"]))
    speech = sum(n for (real, _), n in pairs.items() if real != NOBODY)
    match = _mapping(pairs)
    missed = sum(n for (real, found), n in pairs.items() if real != NOBODY and found == NOBODY)
    false = sum(n for (real, found), n in pairs.items() if real == NOBODY and found != NOBODY)
    confused = sum(
        n for (real, found), n in pairs.items() if NOBODY not in (real, found) and match.get(found) != real
    )
    target = truth["target"]
    return {
        "speakers": len({real for real, _ in pairs} - {NOBODY}),
        "speakers_found": len({found for _, found in pairs} - {NOBODY}),
        "speech_s": speech / _HZ,
        "diarisation_error": round((missed + false + confused) / speech, 4),
        "missed": round(missed / speech, 4),
        "false_alarm": round(false / speech, 4),
        "confusion": round(confused / speech, 4),
        "target_purity": round(picked[target] / max(1, sum(picked.values())), 4),
        "target_coverage": round(picked[target] / max(1, spoken), 4),
    }


def _mapping(pairs: Counter[tuple[str, str]]) -> dict[str, str]:
    """Which found speaker is which real one: greedily, most common time first."""
    match: dict[str, str] = {}
    for (real, found), _ in pairs.most_common():
        if NOBODY not in (real, found) and found not in match and real not in match.values():
            match[found] = real
    return match


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("truth", type=Path)
    args = parser.parse_args()
    subject = load_subject(args.config)
    runner = Runner(subject.corpus, subject.runs(), lambda: items(subject.sources))
    runner.survey()
    names = {row["id"]: Path(row["file"]).name for row in runner.rows("fetch")}
    found = evaluate(list(runner.rows("speakers")), json.loads(args.truth.read_text()), names)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
