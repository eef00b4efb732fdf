"""Which language a recording speaks, by a multilingual Whisper."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import faster_whisper

from parley.errors import EngineUnavailable
from training.data import sound

RATE_HZ = 16_000
_PIECES, _PIECE_S = 4, 30.0


def spoken(model: str, wav: Path, seconds: float) -> tuple[str, float]:
    """The language of a recording and how sure that is, 0…1, from its middle two minutes, silences left out.

    Args:
        model: a CTranslate2 folder, or a name that the hub or its cache knows, e.g. `small`.
        wav: the recording, as `sound.extract` wrote it.
        seconds: its length.

    Raises:
        EngineUnavailable: the model cannot be had.
    """
    span_s = min(seconds, _PIECES * _PIECE_S)
    start_s = (seconds - span_s) / 2
    audio = sound.read(wav, start_s, start_s + span_s, RATE_HZ)
    language, probability, _ = _whisper(model).detect_language(
        audio, vad_filter=True, language_detection_segments=_PIECES
    )
    return str(language), float(probability)


@cache
def _whisper(model: str) -> Any:
    try:
        return faster_whisper.WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=1)
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"The Whisper model {model} cannot be loaded: {str(error).splitlines()[0]}",
            fix="Name a CTranslate2 folder in filter.language_model, or leave it empty.",
        ) from error
