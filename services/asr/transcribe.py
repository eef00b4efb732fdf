"""Transcribes whole recordings, through the very path that live speech takes."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from parley.engines import AsrEngine, Audio, Hypothesis
from parley.media.audio import resample

_PIECE_SAMPLES: Final = 1_600


def transcribe(
    engine: AsrEngine,
    audio: Audio,
    rate_hz: int,
    *,
    language: str = "",
    hotwords: Sequence[str] = (),
    lexicon: Mapping[str, str] | None = None,
) -> Hypothesis:
    """What is said in a recording.

    Args:
        engine: The recogniser.
        audio: float32 [n], mono.
        rate_hz: Its sample rate.
        language: BCP-47; empty: the engine's own.
        hotwords: Words to expect.
        lexicon: Words to expect, with pronunciations.

    Returns:
        The hypothesis; word times in samples at the engine's rate.
    """
    stream = engine.open(language=language, hotwords=hotwords, lexicon=lexicon)
    heard = resample(audio, rate_hz, engine.sample_rate_hz).astype(np.float32)
    for start in range(0, len(heard), _PIECE_SAMPLES):
        stream.accept(heard[start : start + _PIECE_SAMPLES])
    return stream.finalize()
