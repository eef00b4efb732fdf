"""Recognisers for whole clips: the live ears' engines, and a second decoding whose errors are others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.engines import AsrEngine
from parley.errors import EngineUnavailable
from parley.media.audio import float_to_pcm16
from services.asr.config import AsrSettings
from services.asr.engines import load
from services.asr.engines.sphinx_words import spoken
from services.asr.transcribe import transcribe
from training.data.clips import Hypothesis, Word

Audio = NDArray[np.float32]

RATE_HZ = 16_000


def hear(
    engine: str, model: str, audio: Audio, language: str = "en", lexicon: Mapping[str, str] | None = None
) -> Hypothesis:
    """What an engine hears in a clip.

    Args:
        engine: `sphinx`, `whisper`, `auto`, `fake`, or `sphinx_flat`: sphinx with a second pass and
            weights of its own, for a second opinion.
        model: a CTranslate2 folder or hub name, for whisper; empty: the installed one.
        audio: float32 [n] at 16 kHz.
        language: two letters.
        lexicon: single words to expect, with their pronunciations; `sphinx_flat` expects none.

    Raises:
        EngineUnavailable: it is not installed.
    """
    if engine == "sphinx_flat":
        return _flat(audio)
    heard = transcribe(_engine(engine, model), audio, RATE_HZ, language=language, lexicon=lexicon)
    words = [
        Word(
            text=word.text,
            start_s=round(word.start / RATE_HZ, 3),
            end_s=round(word.end / RATE_HZ, 3),
            confidence=round(float(word.confidence), 4),
        )
        for word in heard.words
    ]
    return Hypothesis(engine=engine, text=heard.text, confidence=round(heard.confidence, 4), words=words)


def disagreement(a: str, b: str) -> float:
    """Character error rate between two texts, over the longer: 0 the same, 1 nothing in common."""
    a, b = a.lower(), b.lower()
    longer = max(len(a), len(b))
    return edit_distance(a, b) / longer if longer else 0.0


def edit_distance(a: str | list[str], b: str | list[str]) -> int:
    """Levenshtein's, over characters or words."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def _engine(name: str, model: str) -> AsrEngine:
    """The engine. A pocketsphinx decoder remembers the channel of what it heard before, so that a clip's
    result would depend on the clips before it: sphinx begins anew (0.25 s) with each."""
    return load("sphinx", AsrSettings(warm=0)) if name == "sphinx" else _kept_engine(name, model)


@cache
def _kept_engine(name: str, model: str) -> AsrEngine:
    return load(name, AsrSettings(model=model) if model else AsrSettings())


@cache
def _flat_decoder() -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise EngineUnavailable(
            "sphinx_flat needs pocketsphinx.", fix="pip install 'pocketsphinx>=5.1'"
        ) from error
    return pocketsphinx.Decoder(loglevel="FATAL", fwdflat=True, lw=9.5, wip=0.4, bestpathlw=11.0)


def _flat(audio: Audio) -> Hypothesis:
    decoder = _flat_decoder()
    decoder.reinit_feat()  # forgets the clip before
    decoder.start_utt()
    decoder.process_raw(float_to_pcm16(audio), full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return Hypothesis(engine="sphinx_flat", text="", confidence=0.0)
    words = [
        Word(
            text=text,
            start_s=part.start_frame / 100,
            end_s=(part.end_frame + 1) / 100,
            confidence=round(min(part.prob, 1.0), 4),
        )
        for part in decoder.seg()
        if (text := spoken(part.word))
    ]
    confidence = float(np.mean([word.confidence for word in words])) if words else 0.0
    text = " ".join(word.text for word in words)
    return Hypothesis(engine="sphinx_flat", text=text, confidence=round(confidence, 4), words=words)
