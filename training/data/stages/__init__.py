"""The stages of the data half, in order. See `training/runner.py` for what a stage is."""

from __future__ import annotations

from types import ModuleType

from training.data.stages import (
    align,
    corrected,
    cut,
    face,
    fetch,
    filter,
    handover,
    pages,
    rehear,
    review,
    speakers,
    speech,
    synthesize,
    transcribe,
)

STAGES: tuple[ModuleType, ...] = (
    pages,
    fetch,
    filter,
    speech,
    speakers,
    cut,
    transcribe,
    rehear,
    corrected,
    synthesize,
    align,
    face,
    handover,
    review,
)
