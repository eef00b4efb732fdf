"""What happens when the disk is full, or may not be written: a clear stop, and nothing lost.

    python -m training.data.prove_disk training/configs/demo.yaml --until cut

Runs a subject on a file system of 8 MB until that is full, again with room, and again read-only. It mounts
that file system in a namespace of its own (`unshare`, which needs no rights on most systems).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from training.data.prove import copy, lines, repeated, start

_SMALL, _LARGE = "size=8m", "size=2g"
_INSIDE = "PARLEY_PROVE_DISK"


def prove(config: Path, disk: Path, until: str) -> dict[str, Any]:
    """Runs three times.

    Args:
        config: the subject.
        disk: an empty folder to mount at.
        until: last stage.
    """
    subprocess.run(["mount", "-t", "tmpfs", "-o", _SMALL, "none", str(disk)], check=True)
    subject = copy(config, disk.parent, f"{disk.name}/corpus")
    settings = yaml.safe_load(subject.read_text()) | {"reserve_mb": 0}
    subject.write_text(yaml.safe_dump(settings))
    found: dict[str, Any] = {}
    for name, option in (("full", ""), ("with room again", _LARGE), ("read-only", "ro")):
        if option:
            subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)
        process = start(subject, "--until", until, stderr=subprocess.PIPE)
        told = process.communicate()[1].decode()
        found[name] = {
            "exit": process.returncode,
            "told": next((line for line in told.splitlines() if line.startswith("parley:")), ""),
            "lines": lines(disk / "corpus"),
            "half files": len(list((disk / "corpus" / "blobs" / "aside").glob("*"))),
            "done twice": repeated(disk / "corpus"),
        }
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--until", default="cut")
    args = parser.parse_args()
    if _INSIDE not in os.environ:
        command = ["unshare", "-rm", sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1", "COLUMNS": "1000"})
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        print(json.dumps(prove(args.config, disk, args.until), indent=2))
        subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    main()
