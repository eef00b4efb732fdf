"""Stage 10b, face: how far the lips of a face model are from the real ones in the same words.

The model says the clip's own sound. Real and made pictures get the same landmarks, brought to the same place
by the eyes; each one's usual lips are taken away, so that it is the change of shape that is compared and not
whose mouth it is. A large error means a model that is not good yet, or sound that is not the picture's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from pydantic import BaseModel, ConfigDict

from parley.engines import FaceEngine, FaceInput, Picture
from parley.media.clock import SAMPLE_RATE_HZ
from services.sda.config import SdaSettings
from services.sda.engines import load
from training.data import sound
from training.data.stages import align
from training.data.stages.align import LIPS, Points
from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "face"
VERSION = 1
AFTER = ("align",)

_PLACE = align.Config()
_STEP_S = 1.0


class Config(BaseModel):
    """Settings.

    Attributes:
        engine: face engine that draws, as services/sda knows it; empty: none yet, and the stage gives
            nothing.
        avatar: whose face it draws; a new model needs a new name, e.g. with its round.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = ""
    avatar: str = ""


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    if not config.engine:
        return []
    with np.load(work.path(item["landmarks"])) as stored:
        real, good = stored["landmarks"].astype(np.float32), stored["good"]
    end_s = item["start_s"] + item["media_s"]
    audio = sound.read(work.path(item["audio"]), item["start_s"], end_s, SAMPLE_RATE_HZ)
    made = [align.landmarks_of(picture) for picture in _drawn(config, audio)][: len(real)]
    good = good[: len(made)] & np.array([points is not None for points in made], bool)
    if not good.any():
        raise Rejected("no face in what the model draws")
    found = align.fill(made)
    error = lip_error(real[: len(made)][good], align.placed(found, align.steady(found, _PLACE))[good])
    return [{"id": item["id"], "model": f"{config.engine}/{config.avatar}", "lip_error": round(error, 4)}]


def lip_error(real: Points, made: Points) -> float:
    """Mean distance between the lips' changes of shape, over the distance between the eyes.

    Args:
        real: landmarks [frames, 468, 2], the eyes wherever they are.
        made: likewise, of the same frames.
    """
    moves = []
    for points in (real, made):
        right, left = (points[:, list(eye)].mean((0, 1)) for eye in (align.RIGHT_EYE, align.LEFT_EYE))
        lips = points[:, list(LIPS)].astype(np.float64)
        lips -= lips.mean(1, keepdims=True)  # where the head is, is not how the lips are
        moves.append((lips - lips.mean(0)) / np.linalg.norm(left - right))
    return float(np.linalg.norm(moves[0] - moves[1], axis=-1).mean())


def _drawn(config: Config, audio: sound.Audio) -> Iterator[Picture]:
    stream = _engine(config.engine).open(config.avatar, seed=0)
    step = round(_STEP_S * SAMPLE_RATE_HZ)
    padded = np.pad(audio, (0, -len(audio) % step))
    for start in range(0, len(padded), step):
        step_in = FaceInput(padded[start : start + step], last=start + step == len(padded))
        yield from (picture for picture in stream.push(step_in) if picture is not None)


@cache
def _engine(name: str) -> FaceEngine:
    return load(name, SdaSettings())
