# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Whether the vocoder that went on with generated spectrograms is better than the one that did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from parley.engines import Audio
from services.tts.fastpitch import source
from training.tts import measures

if TYPE_CHECKING:
    from training.tts.batches import Known
    from training.tts.model import Acoustic, Vocoder

MARGIN = 0.99  # of the distortion before: a win must be more than chance


@dataclass(frozen=True, slots=True)
class Gate:
    """Held-out sentences from generated spectrograms, by either vocoder, against the recordings.

    Attributes:
        before_db: Mel-cepstral distortion by the vocoder that knows real spectrograms alone.
        after_db: By the one that went on.
        before_wer: Word error rate of what a recogniser hears.
        after_wer: See `before_wer`.
    """

    before_db: float
    after_db: float
    before_wer: float
    after_wer: float

    @property
    def kept(self) -> bool:
        """Less distorted, and not harder to understand."""
        return self.after_db < MARGIN * self.before_db and self.after_wer <= self.before_wer

    @classmethod
    def hold(cls, acoustic: Acoustic, before: Vocoder, after: Vocoder, held_out: Sequence[Known]) -> Gate:
        """Measures both."""
        ear = measures.Ear()
        real = [each.clip.audio for each in held_out]
        figures = []
        for vocoder in (before, after):
            made = [aligned(acoustic, vocoder, each) for each in held_out]
            distances = [measures.distortion_db(a, b) for a, b in zip(made, real, strict=True)]
            wer = measures.word_error_rate(ear, made, [each.clip.text for each in held_out])
            figures.append((float(np.mean(distances)), wer))
        (before_db, before_wer), (after_db, after_wer) = figures
        return cls(before_db, after_db, before_wer, after_wer)

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)

    def __str__(self) -> str:
        verdict = "kept" if self.kept else "dropped"
        return (
            f"vocoder fine-tuned on generated spectrograms {verdict}: "
            f"distortion {self.before_db:.2f} dB before, {self.after_db:.2f} after; "
            f"word errors {self.before_wer:.1%} before, {self.after_wer:.1%} after"
        )


@torch.no_grad()
def aligned(acoustic: Acoustic, vocoder: Vocoder, each: Known) -> Audio:
    """A clip from generated frames at its true durations and pitch, float32 [frames * HOP]."""
    from training.tts.train import generated, speak

    told = torch.from_numpy(generated(acoustic, each))[None]
    sources = (
        torch.from_numpy(sound)[None] for sound in (source.buzz(each.line), source.noise(len(each.line)))
    )
    return speak(vocoder, told, *sources)[0].numpy()
