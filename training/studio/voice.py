"""How a word is pronounced: by rule, and to be heard."""

from __future__ import annotations

import io
import wave
from functools import lru_cache

import numpy as np

from parley.errors import BadRequest
from parley.media.audio import float_to_pcm16
from parley.media.clock import SAMPLE_RATE_HZ
from services.asr.g2p import check_pronunciation, pronounce
from services.tts.engines.flite import FliteEngine

VOICE = "slt"


def phones_of(words: str) -> str:
    """ARPAbet of one or several words, by rule.

    Raises:
        BadRequest: not Latin letters.
        EngineUnavailable: flite is not installed.
    """
    return " ".join(pronounce(word) for word in words.split())


def say(word: str, phones: str) -> bytes:
    """A WAV file in which a voice says these phones.

    Args:
        word: for the error's message.
        phones: ARPAbet, with or without stress.

    Raises:
        BadRequest: `phones` are no ARPAbet, or too little for a voice to say.
        EngineUnavailable: flite or its voice is not installed.
    """
    clause = f"[{check_pronunciation(word, phones)}]."
    chunks = [chunk.audio for chunk in _engine().synthesize(clause, voice=VOICE, speed=0.9)]
    if not chunks:
        raise BadRequest(f"No voice can say {phones!r} alone.", fix="Give it a vowel.")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(float_to_pcm16(np.concatenate(chunks)))
    return out.getvalue()


@lru_cache(maxsize=1)
def _engine() -> FliteEngine:
    return FliteEngine()
