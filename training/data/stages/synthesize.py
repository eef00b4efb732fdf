"""Stage 9, synthesize: the voice says each corrected text with the original's timing.

Original and synthetic speech are aligned with the text by the same forced aligner, and the synthetic one is
warped onto the original's phone times: the face can then learn from the synthetic voice and the real video.
"""

from __future__ import annotations

import wave
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from parley.media.audio import float_to_pcm16, resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.config import TtsSettings
from services.tts.engines import ClosableTtsEngine, load
from services.tts.lexicon import Lexicon
from services.tts.text.normalizer import normalize
from training.data import ears, forced, sound, warp
from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "synthesize"
VERSION = 3
AFTER = ("corrected",)


class Config(BaseModel):
    """Settings.

    Attributes:
        engine: flite, festival, or another that services/tts knows.
        voice: as the engine names it.
        ear: recogniser that checks what the voice said; empty: unchecked.
        max_stretched: share of the speech that may be warped more than 2.5 times.
        min_score: lowest mean acoustic score a frame of the original under its text; right texts have
            about -14, wrong ones -19.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = "flite"
    voice: str = "slt"
    ear: str = "sphinx"
    max_stretched: float = 0.2
    min_score: float = -17.0


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    lexicon = Lexicon(item["taught"])
    text = normalize(item["text"], known=lexicon.words)
    original = sound.read(work.path(item["audio"]), item["start_s"], item["end_s"], forced.RATE_HZ)
    spoken = _say(lexicon.mark(text), config)
    heard = resample(spoken, SAMPLE_RATE_HZ, forced.RATE_HZ)
    theirs, ours = (forced.align(audio, text, item["taught"]) for audio in (original, heard))
    if theirs.score < config.min_score:
        raise Rejected("the text does not fit the sound", f"{theirs.score:.1f} a frame")
    stretched = warp.stretch(theirs, ours)
    if stretched > config.max_stretched:
        raise Rejected("warped too far", f"{stretched:.0%} of it")
    seconds = len(original) / forced.RATE_HZ
    to_s, from_s = warp.anchors(theirs, ours, seconds, len(spoken) / SAMPLE_RATE_HZ)
    with work.blob(".wav") as blob, wave.open(str(blob.aside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(float_to_pcm16(warp.warp(spoken, SAMPLE_RATE_HZ, to_s, from_s)))
    said_back = ears.hear(config.ear, "", heard, lexicon=item["taught"]).text if config.ear else ""
    return [
        {
            "id": item["id"],
            "text": item["text"],
            "voice": f"{config.engine}/{config.voice}",
            "speech": blob.name,
            "alignment": round(theirs.score, 3),
            "stretched": round(stretched, 4),
            "cer": round(ears.disagreement(" ".join(forced.words_of(text)), said_back), 4)
            if config.ear
            else 0.0,
            "phones": [
                [name, round(start, 3), round(end, 3)]
                for word in theirs.words
                for name, start, end in word.phones
            ],
        }
    ]


def _say(text: str, config: Config) -> NDArray[np.float32]:
    chunks = [chunk.audio for chunk in _engine(config.engine).synthesize(text, voice=config.voice)]
    if not chunks:
        raise Rejected("nothing to say")
    return np.concatenate(chunks)


@cache
def _engine(name: str) -> ClosableTtsEngine:
    return load(name, TtsSettings())
