"""Runs are told what to do by YAML files in which a mistyped field fails at once."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from parley.errors import ConfigError


class Strict(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StageSteps(Strict):
    """Optimiser steps of each stage: a field of its name."""

    def of(self, stage: str) -> int:
        """Steps of `stage`."""
        return int(getattr(self, stage))


Read = TypeVar("Read", bound=Strict)


def read_config(kind: type[Read], path: Path) -> Read:
    """Reads a YAML file.

    Raises:
        ConfigError: It is missing or wrong; the message says where.
    """
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
