"""Weights from the Hugging Face hub, fetched once and checked.

    python -m parley.hub models asr/small.en=Systran/faster-whisper-small.en

Each model gets a folder with `manifest.json`: where it came from, at which commit, and the SHA-256 of every
file. They are compared with what the hub tells before anything counts as there. Run again, it asks nobody:
what the manifest names is checked, and only a missing or damaged file is fetched again, at the same commit.
"""

import argparse
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.errors import BadRequest, EngineUnavailable, ParleyError

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model: its folder below the models', its repository, and the commit or branch.

    `licence`: the variable that must say "agreed" before a model with terms to accept is fetched; or none.
    """

    name: str
    repository: str
    revision: str = "main"
    licence: str = ""

    @classmethod
    def parse(cls, told: str) -> "Wanted":
        """Of NAME=OWNER/REPOSITORY[@REVISION][?VARIABLE].

        Raises:
            BadRequest: It is not of that form.
        """
        name, equals, rest = told.partition("=")
        rest, _, licence = rest.partition("?")
        repository, _, revision = rest.partition("@")
        if not equals or repository.count("/") != 1 or not name.strip("/") or ".." in Path(name).parts:
            raise BadRequest(f"{told!r} names no model.", fix="NAME=OWNER/REPOSITORY[@REVISION][?VARIABLE]")
        return cls(name.strip("/"), repository, revision or "main", licence)


def fetch(wanted: Wanted, root: Path) -> bool:
    """Makes a model be there, whole; returns whether anything had to be fetched.

    Raises:
        BadRequest: The folder holds something else.
        EngineUnavailable: Its licence was not agreed to, the hub cannot be reached or does not have it, or
            what came is not what the hub promised; the message says which.
    """
    folder = root / wanted.name
    ours = (folder / MANIFEST).is_file() or (folder / ".cache" / "huggingface").is_dir()
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise BadRequest(
            f"{folder} holds something that did not come from here.",
            fix="Move it, or name another folder.",
        )
    known = _read(folder / MANIFEST)
    if known.get("repository") == wanted.repository and wanted.revision in ("main", known["revision"]):
        damaged = [name for name, sha in known["sha256"].items() if _sha256(folder / name) != sha]
        if not damaged:
            return False
        for name in damaged:
            (folder / name).unlink(missing_ok=True)
        wanted = Wanted(wanted.name, wanted.repository, known["revision"], wanted.licence)
    if wanted.licence and os.environ.get(wanted.licence) != "agreed":
        raise EngineUnavailable(
            f"{wanted.repository} has terms that somebody must accept.",
            fix=f"Read its licence at the hub; who agrees sets {wanted.licence}=agreed.",
        )
    _download(wanted, folder)
    return True


def _download(wanted: Wanted, folder: Path) -> None:
    try:
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise EngineUnavailable("The hub's client is missing.", fix="pip install huggingface_hub") from error
    (folder / MANIFEST).unlink(missing_ok=True)
    try:
        about = HfApi().model_info(wanted.repository, revision=wanted.revision, files_metadata=True)
        for file in about.siblings or ():
            hf_hub_download(wanted.repository, file.rfilename, revision=about.sha, local_dir=folder)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        told = str(error).strip().splitlines()[0]
        raise EngineUnavailable(
            f"{wanted.repository} could not be fetched: {told}",
            fix="Check the name and the network, or bring the folder from another machine.",
        ) from error
    sums: dict[str, str] = {}
    for file in about.siblings or ():
        sums[file.rfilename] = _sha256(folder / file.rfilename)
        promised = file.lfs.sha256 if file.lfs else file.blob_id
        found = sums[file.rfilename] if file.lfs else _git_sha1(folder / file.rfilename)
        if promised != found:
            raise EngineUnavailable(
                f"{folder / file.rfilename} is not the file that the hub promised.", fix="Run this again."
            )
    manifest = {"repository": wanted.repository, "revision": about.sha, "sha256": sums}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):  # none, or one that was being written: fetched again
        return {}
    return found


def _sha256(path: Path) -> str:
    """Of a file; empty if there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_sha1(path: Path) -> str:
    """What git calls a file's content."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def main() -> None:
    """Fetches and checks models."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of models")
    parser.add_argument("model", nargs="+", help="NAME=OWNER/REPOSITORY[@REVISION][?VARIABLE]")
    options = parser.parse_args()
    try:
        for wanted in [Wanted.parse(told) for told in options.model]:
            done = "fetched" if fetch(wanted, options.root) else "there, and whole"
            print(f"{wanted.name}: {done}", flush=True)
    except ParleyError as error:
        sys.exit(f"models: {error}")


if __name__ == "__main__":
    main()
