"""Avatars: a folder each, with `avatar.yaml`, a persona, notes and what the engines need."""

import logging
import re
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley import consent
from parley.errors import ConfigError, UnknownAvatar

log = logging.getLogger(__name__)

DEFAULT_AVATAR: Final = "mira"  # whom one talks to who names nobody
_GONE: Final = ".gone-"  # folders of avatars that are being deleted
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Voice(_Strict):
    """Which voice speaks: `engine` as in PARLEY_TTS_ENGINE, `voice` as that engine names it."""

    engine: str
    voice: str
    speed: float = Field(1.0, ge=0.5, le=2.0)


class Sliders(_Strict):
    """How a drawn face looks whatever it says: each -1 … 1, 0 as it was drawn."""

    smile: float = Field(default=0.0, ge=-1, le=1)
    brow: float = Field(default=0.0, ge=-1, le=1)
    eyes: float = Field(default=0.0, ge=-1, le=1)


class Face(_Strict):
    """Which face is drawn: `engine` as in PARLEY_SDA_ENGINE; files lie in the avatar's folder.

    `bank` is read by the `visemes` engine, `still` by `gan` and `animated`, `sliders` by `animated` alone.
    """

    engine: Literal["visemes", "gan", "animated"] = "visemes"
    bank: str = "face/bank.npz"
    still: str = "face/still.npz"
    sliders: Sliders = Sliders()


class Mind(_Strict):
    """How words are found. `adapter`: a LoRA adapter, as the `vllm` engine's server names it."""

    adapter: str = ""
    apology: str = "I'm sorry, I can't think straight at the moment. Please ask me again in a little while."


class Avatar(_Strict):
    """What `avatar.yaml` says.

    Attributes:
        name: The folder's name; what clients send as `model`.
        title: The name that people see, and that the avatar calls itself.
        description: One line for the picker.
        language: BCP-47.
        likeness: "none": face and voice are nobody's; "person": they are someone's, whose consent record
            (`parley.consent`) must lie in the folder; "unsaid": the manifest leaves it open.
        greeting: Said when a conversation opens; empty: the avatar waits.
        voice: See `Voice`.
        face: See `Face`.
        mind: See `Mind`; its apology is said when the mind cannot be reached.
        lexicon: Words that ears and voice must know, with ARPAbet pronunciations ("" = by rule).
        version: Another number whenever the manifest has changed.
        folder: Where the avatar lives. `persona.md` (system prompt) and `notes/*.md` are in it.
    """

    name: str
    title: str
    description: str
    language: str = "en-US"
    likeness: Literal["none", "person", "unsaid"] = "unsaid"
    greeting: str = ""
    voice: Voice
    face: Face = Face()
    mind: Mind = Mind()
    lexicon: dict[str, str] = Field(default_factory=dict)
    version: int = 0
    folder: Path = Path()

    @property
    def own(self) -> bool:
        """It is of a person, and so can be deleted by whoever can make one."""
        return self.likeness == "person"

    @property
    def persona(self) -> str:
        """The persona's system prompt."""
        return (self.folder / "persona.md").read_text(encoding="utf-8").strip()

    @property
    def notes(self) -> dict[str, str]:
        """Notes by file stem, in name order."""
        return {p.stem: p.read_text(encoding="utf-8") for p in sorted((self.folder / "notes").glob("*.md"))}


def list_avatars(avatars_dir: Path) -> list[Avatar]:
    """All avatars in the folder, the default one first and the others in name order.

    Those whose person's consent is missing or over are left out.
    """
    found = []
    paths = avatars_dir.glob("*/avatar.yaml")
    for path in sorted(paths, key=lambda path: (path.parent.name != DEFAULT_AVATAR, path)):
        try:
            found.append(load_avatar(avatars_dir, path.parent.name))
        except consent.ConsentMissing as error:
            log.warning("an avatar is left out", extra={"avatar": path.parent.name, "reason": str(error)})
    return found


def load_avatar(avatars_dir: Path, name: str) -> Avatar:
    """Reads one avatar; again when its manifest has changed, so that an edit needs no restart.

    Raises:
        UnknownAvatar: No such folder, or a name that could not be one.
        ConfigError: The manifest is malformed; the message names the file and the field.
        ConsentMissing: It is like a person, who has not agreed, or not any more.
    """
    path = avatars_dir / name / "avatar.yaml"
    if not NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(sorted(p.parent.name for p in avatars_dir.glob("*/avatar.yaml"))) or "none"
        raise UnknownAvatar(f"There is no avatar named {name!r}.", fix=f"Choose one of: {known}.")
    avatar = _read(path, name, path.stat().st_mtime_ns)
    if avatar.likeness == "person":  # each time: consents end
        consent.require(avatar.folder, "face")
    return avatar


def version_of(avatars_dir: Path, name: str) -> int:
    """`Avatar.version` of an avatar; 0: there is none. For what is kept of avatars, to see when it is old."""
    try:
        return (avatars_dir / name / "avatar.yaml").stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def remove_avatar(avatars_dir: Path, name: str) -> Path:
    """Deletes an avatar with everything in its folder, the consent record too; returns where that was.

    Nobody meets half of it: the folder is first moved out of sight.

    Raises:
        UnknownAvatar: There is no such folder.
        ConfigError: It cannot be deleted.
    """
    folder = avatars_dir / name
    if not NAME.fullmatch(name) or not folder.is_dir():
        raise UnknownAvatar(f"There is no avatar named {name!r} in {avatars_dir}.", fix="parley avatar list")
    try:
        folder.rename(Path(tempfile.mkdtemp(prefix=_GONE, dir=avatars_dir)) / name)
    except OSError as error:
        raise ConfigError(
            f"The avatar {name!r} cannot be deleted: {error.strerror}.",
            fix=f"Make {avatars_dir} writable for this user.",
        ) from error
    finish_removals(avatars_dir)
    return folder


def finish_removals(avatars_dir: Path) -> None:
    """Deletes what avatars that were removed have left, if whoever removed them was killed meanwhile."""
    for left in avatars_dir.glob(f"{_GONE}*"):
        shutil.rmtree(left, ignore_errors=True)


@lru_cache(maxsize=256)
def _read(path: Path, name: str, changed_ns: int) -> Avatar:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Avatar.model_validate({**raw, "name": name, "version": changed_ns, "folder": path.parent})
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise ConfigError(f"{path} is not a valid avatar manifest: {error}") from error
