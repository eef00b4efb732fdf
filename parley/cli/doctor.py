"""`parley doctor`: what is installed, what is missing, how to get it."""

import ctypes.util
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from parley.avatars import list_avatars
from parley.cli.extras import missing
from parley.errors import ParleyError
from parley.settings import REPOSITORY, Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        what: Its name.
        ok: Whether it is there and usable.
        detail: Version, path, or what is wrong.
        fix: What to do if it is not ok.
        needed: The embedded default does not run without it.
    """

    what: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = True

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


PROGRAMS = {"redis-server": "redis-server", "festival": "festival"}
LIBRARIES = {"flite_cmu_us_rms": "libflite1", "flite_cmu_us_slt": "libflite1"}
FESTIVAL_VOICES = {
    "slt (festival)": (Path("/usr/share/festival/voices/us/cmu_us_slt_arctic_hts"), "festvox-us-slt-hts")
}
OPTIONAL_PROGRAMS = {
    "chromium": ("chromium", "end-to-end tests"),
    "espeak-ng": ("espeak-ng", "pronunciations of new words"),
    "ffmpeg": ("ffmpeg", "looking into videos by hand"),
}
PACKAGES = (
    "av",
    "c2pa",
    "fastapi",
    "grpc",
    "numpy",
    "onnxruntime",
    "pocketsphinx",
    "redis",
    "tokenizers",
    "faster_whisper",
)


def examine() -> list[Finding]:
    """Looks at everything that Parley uses on this machine."""
    return list(_examine())


def _examine() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")
    for module in PACKAGES:
        there = importlib.util.find_spec(module) is not None
        yield Finding(f"Python package {module}", there, "installed" if there else "missing", "make setup")
    for program, package in PROGRAMS.items():
        path = shutil.which(program)
        yield Finding(program, path is not None, path or "missing", f"sudo apt-get install {package}")
    for library, package in LIBRARIES.items():
        found = ctypes.util.find_library(library)
        yield Finding(
            f"voice {library}", found is not None, found or "missing", f"sudo apt-get install {package}"
        )
    for voice, (folder, package) in FESTIVAL_VOICES.items():
        yield Finding(f"voice {voice}", folder.is_dir(), str(folder), f"sudo apt-get install {package}")
    for program, (package, use) in OPTIONAL_PROGRAMS.items():
        path = shutil.which(program)
        yield Finding(
            program, path is not None, path or f"missing ({use})", f"sudo apt-get install {package}", False
        )
    package = missing("data")
    yield Finding(
        "making avatars", not package, f"{package} missing" if package else "installed",
        "scripts/setup python data", False,
    )  # fmt: skip
    page = REPOSITORY / "gateway" / "static" / "index.html"
    yield Finding("web page", page.is_file(), "built" if page.is_file() else "not built", "make web")
    yield from _avatars()


def _avatars() -> Iterator[Finding]:
    settings = Settings()
    try:
        avatars = list_avatars(settings.avatars_dir)
    except ParleyError as error:
        yield Finding("avatars", False, str(error), error.fix)
        return
    for avatar in avatars:
        bank = avatar.folder / avatar.face.bank
        yield Finding(f"avatar {avatar.name}", bank.is_file(), f"{avatar.face.engine}: {bank}", "make banks")
    if not avatars:
        yield Finding("avatars", False, f"none in {settings.avatars_dir}", "Set PARLEY_AVATARS_DIR.")


def show(findings: list[Finding], console: Console) -> None:
    """One line each; what is missing comes with its fix."""
    for f in findings:
        mark = "[green]ok     [/]" if f.ok else "[red]missing[/]" if f.needed else "[yellow]absent [/]"
        console.print(f"{mark} {f.what}: {f.detail}" + ("" if f.ok else f"  → {f.fix}"), highlight=False)
