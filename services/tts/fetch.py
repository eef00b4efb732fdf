# mypy: disable-error-code="import-not-found"
"""Gets a checkpoint for the coqui engine, or asks for agreement to the licence of one that is there.

    python -m services.tts.fetch tts_models/en/vctk/vits --out data/voices/vctk
    python -m services.tts.fetch tts_models/multilingual/multi-dataset/xtts_v2 --out data/voices/xtts
    python -m services.tts.fetch data/voices/xtts

Nothing is agreed to unless somebody types "yes".
"""

import argparse
import shutil
import sys
from pathlib import Path

from parley.errors import EngineUnavailable, ParleyError
from services.tts.engines.coqui import AGREED, XTTS_LICENCE


def ask(folder: Path) -> bool:
    """Asks whether the person at the keyboard agrees to the XTTS licence, and keeps a yes in `folder`."""
    if (folder / AGREED).is_file():
        return True
    print(f"XTTS stands under the Coqui Public Model License: {XTTS_LICENCE}")
    print("It forbids commercial use of the model and of what it says.")
    answer = input('Type "yes" if you have read it and agree: ') if sys.stdin.isatty() else ""
    if answer.strip().lower() != "yes":
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / AGREED).write_text("I have read, understood and agreed to the Terms and Conditions.", "utf-8")
    return True


def fetch(name: str, out: Path) -> None:
    """Downloads a checkpoint by its hub name into `out`.

    Raises:
        EngineUnavailable: coqui-tts is not installed, there is no such name, or the hub cannot be reached.
    """
    try:
        from TTS.utils.manage import ModelManager
    except ImportError as error:
        raise EngineUnavailable(
            f"coqui-tts cannot be imported: {error}", fix='Run `pip install -e ".[coqui]"`.'
        ) from error
    try:
        path, _, _ = ModelManager(progress_bar=True).download_model(name)
    except (KeyError, ValueError, OSError) as error:
        raise EngineUnavailable(
            f"{name} could not be fetched: {error}", fix="Check the name and the network."
        ) from error
    folder = Path(path)
    shutil.copytree(folder if folder.is_dir() else folder.parent, out, dirs_exist_ok=True)


def main() -> None:
    """Fetches or asks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="hub name, or the folder of a checkpoint that is there")
    parser.add_argument("--out", type=Path, help="folder for the checkpoint")
    options = parser.parse_args()
    there = Path(options.name).is_dir()
    out = Path(options.name) if there else options.out
    if out is None:
        parser.error("--out is needed to fetch something")
    if (there or "xtts" in options.name) and not ask(out):
        sys.exit("fetch: not agreed, nothing was done.")
    try:
        if not there:
            fetch(options.name, out)
    except ParleyError as error:
        sys.exit(f"fetch: {error}")
    print(f"Set PARLEY_TTS_ENGINE=coqui PARLEY_TTS_MODEL={out}")


if __name__ == "__main__":
    main()
