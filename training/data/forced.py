"""Forced alignment by pocketsphinx: when each word and phone of a known text is spoken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.errors import EngineUnavailable
from parley.media.audio import float_to_pcm16
from services.asr.g2p import pronounce
from training.data.workspace import Rejected

RATE_HZ = 16_000
_FRAMES_HZ = 100
_WORD = re.compile(r"[a-z']+")
_STRESS = re.compile(r"[0-9]")


@dataclass(frozen=True)
class AlignedWord:
    """A word and its phones (symbol, start, end); seconds."""

    text: str
    start_s: float
    end_s: float
    phones: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Alignment:
    """All words, in order, and how well the sound fits them: mean acoustic score a frame."""

    words: tuple[AlignedWord, ...]
    score: float


def words_of(text: str) -> list[str]:
    """The words as the aligner takes them."""
    return [word.strip("'") for word in _WORD.findall(text.lower()) if word.strip("'")]


def align(audio: NDArray[np.float32], text: str, taught: Mapping[str, str] | None = None) -> Alignment:
    """Finds the text in the sound.

    Args:
        audio: float32 [n] at 16 kHz.
        text: what is said in it; words unknown to the dictionary are pronounced by rule.
        taught: single words to ARPAbet; these are pronounced so, whatever the dictionary says.

    Raises:
        Rejected: the text cannot be what is said.
        EngineUnavailable: pocketsphinx is not installed.
    """
    words = words_of(text)
    if not words:
        raise Rejected("no words to align")
    own = {word.lower(): _STRESS.sub("", phones) for word, phones in (taught or {}).items()}
    # A taught word has an entry of its own in the decoder, which outlives this text. Dots: "N G" is not "NG".
    entries = [f"{word}~{own[word].replace(' ', '.')}" if word in own else word for word in words]
    return _align(audio, entries, [own.get(word) for word in words])


def align_phones(audio: NDArray[np.float32], words: Sequence[Sequence[str]]) -> Alignment:
    """Finds words whose pronunciations are known in the sound; the words' names mean nothing.

    Args:
        audio: float32 [n] at 16 kHz.
        words: of each its phones, ARPAbet without stress.

    Raises:
        Rejected: they cannot be what is said.
        EngineUnavailable: pocketsphinx is not installed.
    """
    said = [" ".join(phones).upper() for phones in words]
    return _align(audio, [f"~{phones.replace(' ', '.')}" for phones in said], said)


def _align(audio: NDArray[np.float32], entries: list[str], said: Sequence[str | None]) -> Alignment:
    """Finds entries of the decoder's dictionary; those that it lacks are said as told, or by rule."""
    decoder = _decoder()
    for entry, phones in zip(entries, said, strict=True):
        if decoder.lookup_word(entry) is None:
            decoder.add_word(entry, phones or pronounce(entry), True)
    pcm = float_to_pcm16(audio)
    decoder.set_align_text(" ".join(entries))
    _pass(decoder, pcm)
    if decoder.hyp() is None:
        raise Rejected("cannot be aligned")
    decoder.set_alignment()
    _pass(decoder, pcm)
    found, names, total, frames = [], [], 0.0, 0
    for word in decoder.get_alignment():
        if word.name.startswith(("<", "[", "(")):
            continue
        phones_at = tuple(
            (phone.name, phone.start / _FRAMES_HZ, (phone.start + phone.duration) / _FRAMES_HZ)
            for phone in word
        )
        total, frames = total + word.score, frames + word.duration
        end_s = (word.start + word.duration) / _FRAMES_HZ
        names.append(word.name.partition("(")[0])
        found.append(AlignedWord(names[-1].partition("~")[0], word.start / _FRAMES_HZ, end_s, phones_at))
    if names != entries:
        raise Rejected("cannot be aligned")
    return Alignment(tuple(found), total / max(1, frames))


def _pass(decoder: Any, pcm: bytes) -> None:
    decoder.reinit_feat()  # forgets the recording before: the result must not depend on the order of work
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    try:
        decoder.end_utt()
    except RuntimeError as error:  # no path through the text ends where the sound does
        raise Rejected("cannot be aligned") from error


@cache
def _decoder() -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise EngineUnavailable(
            "Alignment needs pocketsphinx.", fix="pip install 'pocketsphinx>=5.1'"
        ) from error
    return pocketsphinx.Decoder(
        lm=None, loglevel="FATAL", bestpath=False, beam=1e-100, pbeam=1e-100, wbeam=1e-80
    )
