# mypy: allow-subclassing-any
# mypy: disable-error-code="import-not-found, no-any-return"
"""The two networks of a voice, both of convolutions alone: small, and the same in one go as in parts.

- `Acoustic`: phones to durations and pitch (FastPitch, arXiv 2006.06873), then to mel spectrogram, pitch
  contour and voicing of each frame (FastSpeech 2, arXiv 2006.04558).
- `Vocoder`: mel spectrogram, pitch and voicing to filters of a buzz and of noise, applied in the short-time
  Fourier domain (iSTFTNet, arXiv 2203.02395; HiFTNet, arXiv 2309.09493), by ConvNeXt blocks at the frame rate
  (Vocos, arXiv 2306.00814).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from services.tts.fastpitch.frames import BINS, MELS
from services.tts.fastpitch.phonemes import SIZES
from training.tts.config import AcousticSize, VocoderSize

KERNEL = 7
FEATURES = MELS + 2  # mel, pitch, voicing
LOUDEST = 3.0  # logarithm of a filter's largest gain
QUIET = -4.0  # of every filter's gain before training: about the level of speech


class Block(nn.Module):
    """ConvNeXt (arXiv 2201.03545) along time: [batch, time, width] to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.3))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask`: float [batch, time, 1], 0 beyond the end."""
        heard = self.norm(self.along(x.transpose(1, 2)).transpose(1, 2))
        out = x + self.scale * self.narrow(F.gelu(self.wide(heard)))
        return out if mask is None else out * mask


class Blocks(nn.Module):
    """Several in a row."""

    def __init__(self, width: int, number: int) -> None:
        super().__init__()
        self.all = nn.ModuleList(Block(width) for _ in range(number))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.all:
            x = block(x, mask)
        return x


class Predictor(nn.Module):
    """One number a phone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body, self.norm, self.head = Blocks(width, 1), nn.LayerNorm(width), nn.Linear(width, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.norm(self.body(x, mask)))[..., 0]


@dataclass(slots=True)
class Spoken:
    """What the acoustic model says of a batch.

    Attributes:
        log_durations: Of each phone, in frames, [batch, phones].
        pitch: Mean of each phone, normalised, [batch, phones].
        mel: [batch, frames, MELS].
        contour: Pitch of each frame, normalised, [batch, frames].
        voicing: Logit of each frame's being voiced, [batch, frames].
    """

    log_durations: Tensor
    pitch: Tensor
    mel: Tensor
    contour: Tensor
    voicing: Tensor


class Acoustic(nn.Module):
    """Phones to frames; durations and pitch are given in training, predicted otherwise.

    The voice's pitch (mean and spread of its logarithm) travels with the weights.
    """

    def __init__(self, size: AcousticSize) -> None:
        super().__init__()
        width = size.width
        self.size = size
        self.tables = nn.ModuleList(nn.Embedding(values, width) for values in SIZES)
        self.encoder, self.encoded = Blocks(width, size.encoder), nn.LayerNorm(width)
        self.durations, self.pitches = Predictor(width), Predictor(width)
        self.pitched = nn.Conv1d(1, width, 3, padding=1)
        self.place = nn.Linear(3, width)
        self.decoder, self.decoded = Blocks(width, size.decoder), nn.LayerNorm(width)
        self.head = nn.Linear(width, FEATURES)
        self.register_buffer("pitch_mean", torch.tensor(5.0))
        self.register_buffer("pitch_spread", torch.tensor(0.2))

    def encode(self, codes: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """int64 [batch, phones, 5] to hidden [batch, phones, width], log durations and pitch of each."""
        x = torch.stack([table(codes[..., k]) for k, table in enumerate(self.tables)]).sum(0)
        x = self.encoded(self.encoder(x if mask is None else x * mask, mask))
        return x, self.durations(x, mask), self.pitches(x, mask)

    def decode(
        self, hidden: Tensor, pitch: Tensor, places: Tensor, index: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden phones to (mel [batch, frames, MELS], contour, voicing logit, each [batch, frames]).

        Args:
            hidden: From `encode`.
            pitch: Of each phone, normalised, [batch, phones].
            places: Of each frame in its phone, see `places`, [batch, frames, 3].
            index: Phone of each frame, int64 [batch, frames].
            mask: float [batch, frames, 1], 0 beyond the end.
        """
        told = hidden + self.pitched(pitch[:, None]).transpose(1, 2)
        x = told.gather(1, index[..., None].expand(-1, -1, told.shape[-1])) + self.place(places)
        out = self.head(self.decoded(self.decoder(x if mask is None else x * mask, mask)))
        return out[..., :MELS], out[..., MELS], out[..., MELS + 1]

    def forward(
        self,
        codes: Tensor,
        pitch: Tensor,
        places: Tensor,
        index: Tensor,
        masks: tuple[Tensor, Tensor] | tuple[None, None] = (None, None),
    ) -> Spoken:
        """With given durations (in `places` and `index`) and pitch, as in training and for GTA."""
        hidden, log_durations, said = self.encode(codes, masks[0])
        return Spoken(log_durations, said, *self.decode(hidden, pitch, places, index, masks[1]))


class Vocoder(nn.Module):
    """Features of frames to filters, each given at `points` frequencies from 0 to the Nyquist."""

    def __init__(self, size: VocoderSize) -> None:
        super().__init__()
        self.size = size
        self.enter = nn.Conv1d(FEATURES, size.width, KERNEL, padding=KERNEL // 2)
        self.body, self.norm = Blocks(size.width, size.blocks), nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, 3 * size.points)
        with torch.no_grad():
            self.head.weight *= 0.1
            self.head.bias.copy_(torch.tensor([QUIET, 0.0, QUIET]).repeat_interleave(size.points))
        at = torch.linspace(0, size.points - 1, BINS)
        between = torch.clamp(1 - (at[None] - torch.arange(size.points)[:, None]).abs(), min=0)
        self.register_buffer("between", between, persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[batch, frames, FEATURES] to log gain and phase of the buzz, log gain of the noise, [.., BINS]."""
        x = self.enter(features.transpose(1, 2)).transpose(1, 2)
        parts = self.head(self.norm(self.body(x))).unflatten(-1, (3, self.size.points))
        gain, phase, hiss = (parts @ self.between).unbind(-2)
        return LOUDEST - F.softplus(LOUDEST - gain), phase, LOUDEST - F.softplus(LOUDEST - hiss)


class SpectrogramJudge(nn.Module):
    """Tells real spectrograms, [batch, frames, bins], from made ones (UnivNet's, arXiv 2106.07889)."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(layer)
            for layer in (
                nn.Conv2d(1, width, (3, 9), (1, 4), (1, 4)),
                nn.Conv2d(width, width, (3, 9), (1, 4), (1, 4)),
                nn.Conv2d(width, width, (3, 5), (1, 2), (1, 2)),
                nn.Conv2d(width, 1, 3, padding=1),
            )
        )

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores, and what each layer but the last made of it."""
        x, made = spectrogram[:, None], []
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.1)
            made.append(x)
        return self.layers[-1](x), made
