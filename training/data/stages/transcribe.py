"""Stage 4b, transcribe: what is said in each clip, by two engines; where they differ, one is wrong."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from training.data import ears, sound
from training.data.workspace import Workspace
from training.ledger import Row

NAME = "transcribe"
VERSION = 2
AFTER = ("cut",)


class Config(BaseModel):
    """Settings.

    Attributes:
        engine: sphinx, whisper or fake (never `auto`: the result must not depend on the machine).
        model: a CTranslate2 folder or hub name, for whisper.
        second: the engine of the second opinion; empty: none.
        second_model: its model.
        language: two letters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = "sphinx"
    model: str = ""
    second: str = "sphinx_flat"
    second_model: str = ""
    language: str = "en"


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    audio = sound.read(work.path(item["audio"]), item["start_s"], item["end_s"], ears.RATE_HZ)
    heard = [ears.hear(config.engine, config.model, audio, config.language)]
    if config.second:
        heard.append(ears.hear(config.second, config.second_model, audio, config.language))
    apart = ears.disagreement(heard[0].text, heard[1].text) if len(heard) > 1 else 0.0
    return [{**item, "hypotheses": [each.model_dump() for each in heard], "disagreement": round(apart, 4)}]
