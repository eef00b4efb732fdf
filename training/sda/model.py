# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""The generator: one still picture and speech give a talking face.

After Vougioukas, Petridis and Pantic, "Realistic Speech-Driven Facial Animation with GANs" (arXiv
1906.06337), made to run live on a processor core: the identity encoder runs once, its skips are projected to
the decoder's widths, added and cached; audio is heard as log mel with 80 ms of look-ahead and a causal GRU;
the decoder has dense convolutions at low resolution and one pixel shuffle up to the picture.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from services.sda.face.mel import CONTEXT, MELS
from training.sda.clips import CONTROLS, MOUTH_CONTROLS
from training.sda.config import Model

BASE = 4  # pixels of the decoder's first stage
NOISE_SPREAD = 0.33
NOISE_STATE = 16


def leaky() -> nn.Module:
    """The activation used throughout."""
    return nn.LeakyReLU(0.2)


class AudioEncoder(nn.Module):
    """What is heard about each frame, to what matters for a mouth. Causal beyond the context it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv1d(MELS, 96, 3, 2, 1), leaky(), nn.Conv1d(96, 128, 3, 2, 1), leaky(),
            nn.Conv1d(128, width, CONTEXT // 4), leaky(),
        )  # fmt: skip
        self.remember = nn.GRU(width, width, batch_first=True)
        self.mouth = nn.Linear(width, MOUTH_CONTROLS)

    def forward(self, mel: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, MELS, CONTEXT] and [1, B, width] to [B, T, width] and the state after it."""
        seen = self.look(mel.flatten(0, 1)).flatten(1).unflatten(0, mel.shape[:2])
        remembered, state = self.remember(seen, state)
        return remembered, state


class IdentityEncoder(nn.Module):
    """A still picture to a code and the skips of every stage of the decoder. Runs once an avatar."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.last = BASE << (len(model.widths) - 1)  # pixels of the decoder's last stage
        self.fold = model.size // self.last
        channels = [3 * self.fold**2, *(min(48 * 2**i, 192) for i in range(len(model.widths)))]
        self.begin = nn.Sequential(nn.Conv2d(channels[0], channels[1], 3, 1, 1), leaky())
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), leaky()) for a, b in itertools.pairwise(channels[1:])
        )
        self.code = nn.Linear(channels[-1] * BASE * BASE, model.identity)
        self.project = nn.ModuleList(
            nn.Conv2d(c, w, 1) for c, w in zip(reversed(channels[1:-1]), model.widths[1:], strict=True)
        )
        self.detail = nn.Conv2d(channels[0], model.widths[-1], 1)

    def forward(self, still: Tensor) -> tuple[Tensor, list[Tensor]]:
        """A still to who it is.

        Args:
            still: [B, 3, size, size] in -1…1.

        Returns:
            Code [B, identity]; skips [B, widths[k], 4 * 2^k, 4 * 2^k] for k ≥ 1, and last the still itself.
        """
        folded = F.pixel_unshuffle(still, self.fold)
        levels = [self.begin(folded)]
        for down in self.down:
            levels.append(down(levels[-1]))
        skips = [project(level) for project, level in zip(self.project, reversed(levels[:-1]), strict=True)]
        skips[-1] = skips[-1] + self.detail(folded)
        return self.code(levels[-1].flatten(1)), [*skips, still]


class Decoder(nn.Module):
    """A frame's latent and the cached skips to a picture.

    It paints over the still, and decides where: a colour and its weight for each pixel (after GANimation,
    Pumarola et al., arXiv 1807.09251). What does not move keeps the still's own sharpness, and only the rest
    must be learnt.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.begin = nn.Linear(model.latent, model.widths[0] * BASE * BASE)
        self.modulate = nn.ModuleList(nn.Linear(model.latent, 2 * w) for w in model.widths[1:])
        self.enter = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1) for a, b in itertools.pairwise(model.widths))
        self.refine = nn.ModuleList(
            nn.Sequential(
                *(
                    layer
                    for _ in range(model.convolutions - 1)
                    for layer in (leaky(), nn.Conv2d(w, w, 3, 1, 1))
                ),
                leaky(),
            )
            for w in model.widths[1:]
        )
        fold = model.size // (BASE << (len(model.widths) - 1))
        self.fold = fold
        self.head = nn.Conv2d(model.widths[-1], 4 * fold**2, 3, 1, 1)

    def forward(self, latent: Tensor, skips: list[Tensor]) -> Tensor:
        """[N, latent] and skips [N or 1, …] to [N, 3, size, size] in -1…1."""
        x = F.leaky_relu(self.begin(latent).unflatten(1, (-1, BASE, BASE)), 0.2)
        *cached, still = skips
        for enter, refine, modulate, skip in zip(self.enter, self.refine, self.modulate, cached, strict=True):
            x = enter(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            gain, shift = modulate(latent)[..., None, None].chunk(2, 1)
            x = refine(x * (1 + gain) + shift + skip)  # FiLM (Perez et al., 2018), then who it is
        painted = F.pixel_shuffle(self.head(x), self.fold)
        colour, weight = torch.tanh(painted[:, :3]), torch.sigmoid(painted[:, 3:])
        return still + weight * (colour - still)


class Generator(nn.Module):
    """All three, and the noise that spontaneous motion grows from."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.audio = AudioEncoder(model.audio)
        self.noise = nn.GRU(model.noise, NOISE_STATE, batch_first=True)
        self.identity = IdentityEncoder(model)
        self.join = nn.Linear(model.audio + NOISE_STATE + model.identity + len(CONTROLS), model.latent)
        self.decoder = Decoder(model)

    def start(self, batch: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """States of audio and noise before the first frame: [1, B, …]."""
        return (
            torch.zeros(1, batch, self.model.audio, device=device),
            torch.zeros(1, batch, NOISE_STATE, device=device),
        )

    def latents(
        self, mel: Tensor, noise: Tensor, controls: Tensor, code: Tensor, states: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """What the decoder is told of each frame.

        Args:
            mel: [B, T, MELS, CONTEXT].
            noise: [B, T, noise], spread `NOISE_SPREAD`.
            controls: [B, T, len(CONTROLS)].
            code: [B, identity].
            states: From `start`, or of the frames before.

        Returns:
            Latents [B, T, latent], mouth controls heard [B, T, 6], states.
        """
        heard, audio_state = self.audio(mel, states[0])
        stirred, noise_state = self.noise(noise, states[1])
        who = code[:, None].expand(-1, mel.shape[1], -1)
        latent = self.join(torch.cat([heard, stirred, who, controls], -1))
        return latent, self.audio.mouth(heard), (audio_state, noise_state)

    def forward(self, still: Tensor, mel: Tensor, noise: Tensor, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Whole clips at once: video [B, T, 3, size, size] in -1…1, mouth controls [B, T, 6]."""
        code, skips = self.identity(still)
        latent, mouth, _ = self.latents(mel, noise, controls, code, self.start(len(still), still.device))
        frames = mel.shape[1]
        wide = [skip.repeat_interleave(frames, 0) for skip in skips]
        return self.decoder(latent.flatten(0, 1), wide).unflatten(0, mel.shape[:2]), mouth
