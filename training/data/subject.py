"""A subject's YAML: whose corpus, from which recordings, with which settings. A mistyped key fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from parley.errors import ConfigError
from parley.settings import REPOSITORY
from training.data.stages import STAGES
from training.pool import StageRun


class Source(BaseModel):
    """Recordings of one origin.

    Attributes:
        url: a page, playlist or channel that yt-dlp understands; or
        path: a file or folder on this machine.
        exclude: glob patterns of files below `path` to leave out.
        licence: under which the recordings may be used; recorded with every row.
        consent: where the speaker's consent is kept; likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    path: Path | None = None
    exclude: list[str] = []
    licence: str = Field(min_length=1)
    consent: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if bool(self.url) == (self.path is not None):
            raise ValueError("give either url or path")
        return self


class Subject(BaseModel):
    """The whole file.

    Attributes:
        name: of the subject.
        corpus: folder of everything that is made; relative to the repository.
        sources: where the recordings come from.
        reserve_mb: free disk space that is never used up.
        stages: settings by stage; what is left out is as the stage has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    corpus: Path
    sources: list[Source]
    reserve_mb: int = 200
    stages: dict[str, dict[str, Any]] = {}

    def runs(self) -> list[StageRun]:
        """Every stage with its settings, in order.

        Raises:
            ConfigError: a block names no stage or a setting that the stage has not.
        """
        unknown = set(self.stages) - {module.NAME for module in STAGES}
        if unknown:
            raise ConfigError(
                f"There is no stage {', '.join(sorted(unknown))}.",
                fix=f"Stages are: {', '.join(module.NAME for module in STAGES)}.",
            )
        runs = []
        for module in STAGES:
            try:
                config = module.Config.model_validate(self.stages.get(module.NAME, {}))
            except ValidationError as error:
                raise ConfigError(f"Settings of stage {module.NAME}: {_told(error)}") from error
            runs.append(StageRun(module, config))
        return runs


def load_subject(path: Path) -> Subject:
    """Reads a subject's file; relative paths in it count from the repository.

    Raises:
        ConfigError: missing, no YAML, or not what a subject is.
    """
    try:
        subject = Subject.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_told(error)}") from error
    sources = [
        source.model_copy(update={"path": REPOSITORY / source.path}) if source.path else source
        for source in subject.sources
    ]
    return subject.model_copy(update={"corpus": REPOSITORY / subject.corpus, "sources": sources})


def _told(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'file'}: {problem['msg']}" for problem in error.errors()
    )
