"""Stage 7, rehear: every clip again with the fine-tuned recogniser; old and new stand side by side.

Also clips that were corrected are heard again: that is how the gain is measured.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from training.data import ears, sound
from training.data.workspace import Workspace
from training.ledger import Row

NAME = "rehear"
VERSION = 2
AFTER = ("transcribe",)


class Config(BaseModel):
    """Settings.

    Attributes:
        engine: whisper, sphinx or sphinx_flat; empty: none yet, and the stage gives nothing.
        model: the fine-tuned model's folder; a new one needs a new name, e.g. with its round.
        language: two letters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = ""
    model: str = ""
    language: str = "en"


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    if not config.engine:
        return []
    audio = sound.read(work.path(item["audio"]), item["start_s"], item["end_s"], ears.RATE_HZ)
    heard = ears.hear(config.engine, config.model, audio, config.language)
    apart = ears.disagreement(heard.text, item["hypotheses"][0]["text"])
    heard = heard.model_copy(update={"engine": f"tuned/{config.engine}"})
    return [{"id": item["id"], "hypothesis": heard.model_dump(), "disagreement": round(apart, 4)}]
