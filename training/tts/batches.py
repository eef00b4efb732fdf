# mypy: disable-error-code="import-not-found, no-any-return"
"""Clips as tensors: whole sentences for the acoustic model, stretches of speech for the vocoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from parley.engines import Audio
from services.tts.fastpitch import frames, source
from services.tts.fastpitch.frames import HOP, Floats
from services.tts.fastpitch.length import places
from training.tts.material import Clip
from training.tts.pitch import filled


@dataclass(frozen=True, slots=True)
class Known:
    """A clip with what is computed of it once.

    Attributes:
        clip: See `Clip`.
        mel: float32 [frames, MELS].
        line: Pitch in Hz, carried through the unvoiced, float32 [frames].
        voiced: float32 [frames], 0 or 1.
    """

    clip: Clip
    mel: Floats
    line: Floats
    voiced: Floats

    @classmethod
    def of(cls, clip: Clip) -> "Known":
        """Of a clip with some voice in it."""
        return cls(clip, frames.mel(clip.audio), filled(clip.hertz), (clip.hertz > 0).astype(np.float32))


def known(clips: Sequence[Clip]) -> list[Known]:
    """All clips that have some voice in them."""
    return [Known.of(clip) for clip in clips if clip.hertz.any()]


def pitch_of(clips: Sequence[Known]) -> tuple[float, float]:
    """Mean and spread of the logarithm of the voice's pitch."""
    voiced = np.log(np.concatenate([each.clip.hertz[each.clip.hertz > 0] for each in clips]))
    return float(voiced.mean()), float(voiced.std())


@dataclass(frozen=True, slots=True)
class Sentences:
    """A padded batch of sentences; pitches normalised.

    Attributes:
        codes: int64 [batch, phones, 5].
        durations: float [batch, phones], frames.
        pitch: float [batch, phones].
        voice: float [batch, phones]: share of each phone's frames that are voiced.
        places: float [batch, frames, 3].
        index: int64 [batch, frames].
        mel: float [batch, frames, MELS].
        contour: float [batch, frames].
        voicing: float [batch, frames], 0 or 1.
        masks: float [batch, phones, 1] and [batch, frames, 1].
    """

    codes: Tensor
    durations: Tensor
    pitch: Tensor
    voice: Tensor
    places: Tensor
    index: Tensor
    mel: Tensor
    contour: Tensor
    voicing: Tensor
    masks: tuple[Tensor, Tensor]


def sentences(clips: Sequence[Known], mean: float, spread: float) -> Sentences:
    """Whole clips as a batch, `mean` and `spread` as of `pitch_of`."""

    def padded(parts: Sequence[NDArray[np.generic]]) -> Tensor:
        return pad_sequence(
            [torch.from_numpy(np.ascontiguousarray(part)) for part in parts], batch_first=True
        )

    contours = [((np.log(each.line) - mean) / spread).astype(np.float32) for each in clips]
    told = [places(each.clip.durations) for each in clips]
    pairs = list(zip(clips, contours, told, strict=True))
    return Sentences(
        padded([each.clip.codes for each in clips]),
        padded([each.clip.durations.astype(np.float32) for each in clips]),
        padded([by_phone(contour, each.clip.durations) for each, contour, _ in pairs]),
        padded([by_phone(each.voiced, each.clip.durations) for each in clips]),
        padded([place for place, _ in told]),
        padded([index for _, index in told]),
        padded([each.mel for each in clips]),
        padded(contours),
        padded([each.voiced for each in clips]),
        (
            padded([np.ones((len(each.clip.codes), 1), np.float32) for each in clips]),
            padded([np.ones((len(each.mel), 1), np.float32) for each in clips]),
        ),
    )


def by_phone(values: Floats, durations: NDArray[np.int64]) -> Floats:
    """Means of float32 [frames] over each phone, float32 [phones]."""
    starts = np.cumsum(durations) - durations
    means: Floats = (np.add.reduceat(values, starts) / durations).astype(np.float32)
    return means


@dataclass(frozen=True, slots=True)
class Pieces:
    """Stretches of speech, each with the frames that it stands for.

    Attributes:
        features: float [batch, frames, FEATURES].
        buzz: float [batch, frames * HOP]; noise has its shape.
        noise: See `buzz`.
        audio: float [batch, frames * HOP].
    """

    features: Tensor
    buzz: Tensor
    noise: Tensor
    audio: Tensor


def pieces(
    clips: Sequence[Known], features: Sequence[Floats], number: int, length: int, random: np.random.Generator
) -> Pieces:
    """Random stretches of clips that are long enough.

    Args:
        clips: Where from.
        features: What the vocoder is told of each clip, float32 [frames, FEATURES].
        number: Of stretches.
        length: Frames of each.
        random: Draws them.
    """
    fit = [k for k, each in enumerate(clips) if len(each.mel) > length]
    heard, told, buzzes = list[Audio](), list[Floats](), list[Audio]()
    for k in random.choice(fit, number):
        each = clips[k]
        at = int(random.integers(len(each.mel) - length))
        told.append(features[k][at : at + length])
        heard.append(each.clip.audio[at * HOP : (at + length) * HOP])
        buzzes.append(source.buzz(each.line[at : at + length]))
    hiss = random.standard_normal((number, length * HOP), np.float32) * np.float32(np.sqrt(0.5))
    stacked = (np.stack(told), np.stack(buzzes), hiss, np.stack(heard))
    return Pieces(*(torch.from_numpy(part) for part in stacked))
