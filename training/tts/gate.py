# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Whether the vocoder that went on with generated spectrograms is better than the one that did not.

python -m training.tts.gate data/runs/tts-slt      # of a run that is done, on its held-out sentences
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import typer

from parley.engines import Audio
from services.tts.fastpitch import source
from training.data.speaker_encoder import load as load_encoder
from training.tts import measures

if TYPE_CHECKING:
    from training.tts.batches import Known
    from training.tts.model import Acoustic, Vocoder

TUNED = "tuned.pt"  # the checkpoint that ends the stage, before the gate had its say
MARGIN = 0.99  # of the distortion before: a win must be more than chance


@dataclass(frozen=True, slots=True)
class Figures:
    """Held-out sentences from generated spectrograms by one vocoder, against the recordings.

    Attributes:
        db: Mel-cepstral distortion, mean over the sentences.
        wer: Word error rate of what a recogniser hears.
        pitch_hz: Root mean square error of the pitch, mean over the sentences.
        similarity: Cosine between the speaker of all of it and of the recordings.
    """

    db: float
    wer: float
    pitch_hz: float
    similarity: float

    @classmethod
    def of(cls, acoustic: Acoustic, vocoder: Vocoder, held_out: Sequence[Known]) -> Figures:
        """Measures a vocoder."""
        real = [each.clip.audio for each in held_out]
        made = [aligned(acoustic, vocoder, each) for each in held_out]
        pairs = list(zip(made, real, strict=True))
        encoder = load_encoder()
        return cls(
            float(np.mean([measures.distortion_db(a, b) for a, b in pairs])),
            measures.word_error_rate(measures.Ear(), made, [each.clip.text for each in held_out]),
            float(np.mean([measures.pitch_error(a, b)[0] for a, b in pairs])),
            float(measures.speaker(encoder, made) @ measures.speaker(encoder, real)),
        )

    def __str__(self) -> str:
        return (
            f"distortion {self.db:.2f} dB, word errors {self.wer:.1%}, "
            f"pitch {self.pitch_hz:.1f} Hz off, similarity {self.similarity:.3f}"
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """The vocoder that knows real spectrograms alone, and the one that went on."""

    before: Figures
    after: Figures

    @property
    def kept(self) -> bool:
        """Less distorted, and not harder to understand."""
        return self.after.db < MARGIN * self.before.db and self.after.wer <= self.before.wer

    @classmethod
    def hold(cls, acoustic: Acoustic, before: Vocoder, after: Vocoder, held_out: Sequence[Known]) -> Gate:
        """Measures both."""
        return cls(*(Figures.of(acoustic, vocoder, held_out) for vocoder in (before, after)))

    @classmethod
    def told(cls, kept: Mapping[str, Any]) -> Gate:
        """From what `as_dict` gave."""
        return cls(Figures(**kept["before"]), Figures(**kept["after"]))

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)

    def __str__(self) -> str:
        verdict = "kept" if self.kept else "dropped"
        told = f"vocoder fine-tuned on generated spectrograms {verdict}"
        return f"{told}:\nbefore {self.before}\nafter  {self.after}"


@torch.no_grad()
def aligned(acoustic: Acoustic, vocoder: Vocoder, each: Known) -> Audio:
    """A clip from generated frames at its true durations and pitch, float32 [frames * HOP]."""
    from training.tts.train import generated, speak

    told = torch.from_numpy(generated(acoustic, each))[None]
    sources = (
        torch.from_numpy(sound)[None] for sound in (source.buzz(each.line), source.noise(len(each.line)))
    )
    return speak(vocoder, told, *sources)[0].numpy()


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a run that is done.")],
    held_out: Annotated[int, typer.Option(help="Sentences at the end of its speech; 0: as it was told.")] = 0,
) -> None:
    """Measure the vocoder of a run before and after it went on with generated spectrograms."""
    from training.tts.batches import known
    from training.tts.export import networks
    from training.tts.material import load

    (config, acoustic, before), (_, _, after) = (
        networks(torch.load(run / name, weights_only=True)) for name in ("vocoder.pt", TUNED)
    )
    clips = known(load(config.speech)[-(held_out or config.held_out) :])
    print(f"{len(clips)} held-out sentences")
    print(Gate.hold(acoustic, before, after, clips))


if __name__ == "__main__":
    typer.run(main)
