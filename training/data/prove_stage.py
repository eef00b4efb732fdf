"""A stage that does nothing much: for proofs and tests of the runner itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from training.data.workspace import Workspace
from training.ledger import Row

NAME = "toy"
VERSION = 1
AFTER: tuple[str, ...] = ()


class Config(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def run(item: Row, config: Config, work: Workspace | None) -> list[Row]:
    """A row as long as a transcript's."""
    return [{**item, "text": "she had your dark suit in greasy wash water all year " * 4}]
