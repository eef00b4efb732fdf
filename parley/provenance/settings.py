"""How recorded answers are marked, from PARLEY_PROVENANCE_…"""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_folder() -> Path:
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "parley" / "provenance"


class ProvenanceSettings(BaseSettings):
    """All three marks are on unless they are turned off."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_PROVENANCE_", extra="forbid", frozen=True)

    badge: str = Field("AI-generated", description="Words on the picture; empty: none.", max_length=24)
    sign: bool = Field(True, description="Sign a C2PA manifest into the file.")
    watermark: bool = Field(True, description="Mark the speech inaudibly.")
    pattern: str = Field(
        "parley",
        description="Name that the watermark's pattern is drawn from; keep it secret if nobody else may find "
        "the mark.",
        min_length=1,
    )
    folder: Path = Field(
        default_factory=_default_folder, description="Where the signing key and its certificates are."
    )
