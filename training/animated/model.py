# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""The animated face: a slim StyleGAN2 whose styles speech moves.

After Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (arXiv 1912.04958), made for a
processor core: modulation scales a convolution's input and demodulation its output, so that the weights stay
one tensor for all pictures; no blur filters; the picture is made once at the end, by a pixel shuffle.

For video, a clip's content styles and its noise stand still, and speech moves the styles alone: a causal
audio encoder (the realistic face's) gives a trajectory, which is added to the content's styles layer by
layer. With a still, the picture is painted over it where it must change (GANimation, arXiv 1807.09251).
"""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.animated.config import Model
from training.sda.clips import MOUTH_CONTROLS
from training.sda.model import BASE, NOISE_STATE, AudioEncoder, leaky

CONTROLS = ("lid", "gaze_x", "gaze_y", "brow")
CONTROL_SCALE = (1.0, 8.0, 8.0, 2.0)  # to about -1…1
SLIDERS = ("smile", "brow", "eyes")  # an avatar's own, -1…1: how it looks whatever it says
LOOSE = 0.5  # how far a layer's style may be from the character's
PLANES = 4  # of the picture: three colours, and where it is painted
# What speech moves: brows, eyes, mouth and chin. In sixteenths of the picture; first and last row, column.
WINDOW = ((5, 15), (3, 13))
SIXTEENTHS = 16
FADE = 10  # pixels of a 256 picture over which the window's edge gives way to the still


def window(picture: Tensor) -> Tensor:
    """The part of [..., n, n] that speech moves; n a multiple of 16."""
    n = picture.shape[-1] // SIXTEENTHS
    (top, bottom), (left, right) = WINDOW
    return picture[..., top * n : bottom * n, left * n : right * n]


class Content(NamedTuple):
    """Who is drawn. B pictures.

    Attributes:
        style: [B, style], the character's one style.
        offsets: [B, layers, style], what each layer's style differs by.
        details: Additions [B, width, n, n] to the last two sizes, which styles alone cannot tell.
    """

    style: Tensor
    offsets: Tensor
    details: tuple[Tensor, ...] | None

    @property
    def styles(self) -> Tensor:
        """[B, layers, style]."""
        return self.style[:, None] + self.offsets


class Styled(nn.Module):
    """A convolution whose input channels a style scales (arXiv 1912.04958, equations 1 to 3)."""

    def __init__(self, takes: int, gives: int, style: int, size: int, *, up: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(gives, takes, 3, 3) / (9 * takes) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(gives))
        self.affine = nn.Linear(style, takes)
        nn.init.normal_(self.affine.weight, 0, style**-0.5)
        nn.init.ones_(self.affine.bias)
        self.strength = nn.Parameter(torch.zeros(gives))
        self.up = up
        self.register_buffer("noise", torch.randn(1, 1, size, size, generator=_fixed(size, takes)))

    def forward(self, x: Tensor, style: Tensor, detail: Tensor | None = None) -> Tensor:
        """[B, takes, n, n] and [B, style] to [B, gives, size, size]."""
        scale = self.affine(style)
        size = torch.rsqrt((scale * scale) @ self.weight.square().sum((2, 3)).t() + 1e-6)
        x = x * scale[:, :, None, None]
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = F.conv2d(x, self.weight, padding=1) * size[:, :, None, None] * 2**0.5
        noise = self.noise if x.shape[-1] == self.noise.shape[-1] else window(self.noise)
        x = x + self.bias[:, None, None] + self.strength[:, None, None] * noise
        return F.leaky_relu(x if detail is None else x + detail, 0.2)


def _fixed(size: int, takes: int) -> torch.Generator:
    """Noise that never changes: a clip must not flicker, nor an avatar from one start to the next."""
    return torch.Generator().manual_seed(1000 * size + takes)


class Synthesis(nn.Module):
    """Styles to a picture. The first size depends on content alone; past 16 pixels a video's frames are made
    within the window alone."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, model.widths[0], BASE, BASE))
        self.blocks = nn.ModuleList()
        takes = model.widths[0]
        for level, (width, count) in enumerate(zip(model.widths, model.convolutions, strict=True)):
            block = nn.ModuleList()
            for index in range(count):
                up = level > 0 and index == 0
                block.append(Styled(takes, width, model.style, BASE << level, up=up))
                takes = width
            self.blocks.append(block)
        self.fold = model.size // (BASE << (len(model.widths) - 1))
        self.head = nn.Conv2d(takes, PLANES * self.fold**2, 3, 1, 1)
        nn.init.constant_(self.head.bias[3 * self.fold**2 :], -2.0)  # at first the still is left as it is
        self.register_buffer("edge", _edge(model.size))

    def begin(self, styles: Tensor) -> Tensor:
        """What an avatar caches: [B, layers, style] to the first size's features."""
        x = self.constant.expand(len(styles), -1, -1, -1)
        for index, layer in enumerate(self.blocks[0]):
            x = layer(x, styles[:, index])
        return x

    def forward(
        self, styles: Tensor, details: tuple[Tensor, ...] | None = None, begun: Tensor | None = None,
        *, part: bool = False,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Styles to a picture or, with `part`, its window.

        Args:
            styles: [N, layers, style].
            details: See `Content`; already cut to the window with `part`.
            begun: See `begin`.
            part: The window alone.

        Returns:
            Colours [N, 3, h, w] in -1…1; weights [N, 1, h, w] in 0…1, which fade out at a window's edge.
        """
        x = self.begin(styles) if begun is None else begun
        at = len(self.blocks[0])
        for level, block in enumerate(self.blocks):
            if level == 0:
                continue
            which = level - (len(self.blocks) - 2)
            for index, layer in enumerate(block):
                detail = details[which] if details is not None and which >= 0 and index == 0 else None
                x = layer(x, styles[:, at], detail)
                at += 1
            if part and BASE << level == SIXTEENTHS:
                x = window(x)
        painted = F.pixel_shuffle(self.head(x), self.fold)
        weight = torch.sigmoid(painted[:, 3:])
        return torch.tanh(painted[:, :3]), weight * self.edge if part else weight


def _edge(size: int) -> Tensor:
    """1 inside of the window, 0 at its edge: [h, w]."""
    n, (rows, columns) = size // SIXTEENTHS, WINDOW
    lines = []
    for first, last in (rows, columns):
        at = torch.arange((last - first) * n) + 0.5
        share = (torch.minimum(at, (last - first) * n - at) / (FADE * size / 256)).clamp(0, 1)
        lines.append(share * share * (3 - 2 * share))
    return lines[0][:, None] * lines[1]


def normal(x: Tensor) -> Tensor:
    """[N, n], each row of unit mean square: styles of pictures and of noise are of one size."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)


class Mapping(nn.Module):
    """Noise to the style of a character that nobody drew."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        width = model.style
        self.layers = nn.Sequential(
            nn.Linear(model.z, width), leaky(), nn.Linear(width, width), leaky(),
            nn.Linear(width, width), leaky(), nn.Linear(width, width),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        """[B, z] to [B, style]."""
        return normal(self.layers(normal(z)))


class Encoder(nn.Module):
    """A picture to content: one style, small offsets from it (e4e, arXiv 2102.02766), and details."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.fold = model.size // (BASE << (len(model.widths) - 1))
        channels = (48, 64, 96, 128, 160)
        self.begin = nn.Sequential(nn.Conv2d(3 * self.fold**2, channels[0], 3, 1, 1), leaky())
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), leaky()) for a, b in itertools.pairwise(channels)
        )
        self.code = nn.Sequential(nn.Linear(channels[-1] * BASE * BASE, 2 * model.style), leaky())
        self.style = nn.Linear(2 * model.style, model.style)
        self.offsets = nn.Linear(2 * model.style, model.layers * model.style)
        nn.init.normal_(self.offsets.weight, 0, 0.01)
        nn.init.zeros_(self.offsets.bias)
        self.details = nn.ModuleList(
            nn.Conv2d(c, w, 1) for c, w in zip((channels[1], channels[0]), model.widths[-2:], strict=True)
        )
        self.fine = nn.Conv2d(3 * self.fold**2, model.widths[-1], 1)

    def forward(self, picture: Tensor) -> Content:
        """[B, 3, size, size] in -1…1."""
        folded = F.pixel_unshuffle(picture, self.fold)
        levels = [self.begin(folded)]
        for down in self.down:
            levels.append(down(levels[-1]))
        code = self.code(levels[-1].flatten(1))
        details = (self.details[0](levels[1]), self.details[1](levels[0]) + self.fine(folded))
        offsets = LOOSE * torch.tanh(self.offsets(code)).unflatten(1, (-1, self.model.style))
        return Content(normal(self.style(code)), offsets, details)


class Motion(nn.Module):
    """What a face does in a frame to how far each layer's style moves. The first size never moves."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.still = model.convolutions[0]  # layers that content alone decides
        takes = MOUTH_CONTROLS + len(CONTROLS) + len(SLIDERS) + model.stir
        self.layers = nn.Sequential(
            nn.Linear(takes, model.motion), leaky(), nn.Linear(model.motion, model.motion), leaky()
        )
        moved = model.layers - self.still
        self.out = nn.Linear(model.motion, moved * model.style)
        nn.init.normal_(self.out.weight, 0, 0.02)
        self.style = model.style

    def forward(self, mouth: Tensor, controls: Tensor, sliders: Tensor, stir: Tensor) -> Tensor:
        """[N, 6], [N, 4], [N, 3] and [N, stir] to [N, layers - still, style]."""
        told = self.layers(torch.cat([mouth, controls, sliders, stir], 1))
        return self.out(told).unflatten(1, (-1, self.style))


@dataclass(frozen=True)
class Frames:
    """What was made of N frames in the window: colours, weights, and what is shown over the still."""

    painted: Tensor
    weight: Tensor
    shown: Tensor


class Animator(nn.Module):
    """All of it."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.mapping, self.encoder = Mapping(model), Encoder(model)
        self.synthesis, self.motion = Synthesis(model), Motion(model)
        self.audio = AudioEncoder(model.audio)
        self.noise = nn.GRU(model.noise, NOISE_STATE, batch_first=True)
        self.stir = nn.Linear(model.audio + NOISE_STATE, model.stir)
        nn.init.zeros_(self.stir.weight)
        nn.init.zeros_(self.stir.bias)

    def start(self, batch: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """States of audio and noise before the first frame: [1, B, …]."""
        return (
            torch.zeros(1, batch, self.model.audio, device=device),
            torch.zeros(1, batch, NOISE_STATE, device=device),
        )

    def trajectory(
        self, mel: Tensor, noise: Tensor, controls: Tensor, sliders: Tensor, states: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """How speech moves the styles. Causal beyond the context of each frame.

        Args:
            mel: [B, T, MELS, CONTEXT].
            noise: [B, T, noise].
            controls: [B, T, 4], scaled.
            sliders: [B, 3].
            states: From `start`, or of the frames before.

        Returns:
            Moves [B, T, moved layers, style], mouth controls heard [B, T, 6], states.
        """
        heard, audio_state = self.audio(mel, states[0])
        stirred, noise_state = self.noise(noise, states[1])
        mouth, stir = self.audio.mouth(heard), self.stir(torch.cat([heard, stirred], -1))
        wide = sliders[:, None].expand(-1, mel.shape[1], -1)
        moves = self.motion(*(part.flatten(0, 1) for part in (mouth, controls, wide, stir)))
        return moves.unflatten(0, mel.shape[:2]), mouth, (audio_state, noise_state)

    def posed(self, mouth: Tensor, controls: Tensor, sliders: Tensor) -> Tensor:
        """Moves of single pictures whose mouths are known: [N, moved layers, style]."""
        return self.motion(mouth, controls, sliders, mouth.new_zeros(len(mouth), self.model.stir))

    def moved(self, styles: Tensor, moves: Tensor) -> Tensor:
        """Content styles [N, layers, style], moved."""
        still = self.motion.still
        return torch.cat([styles[:, :still], styles[:, still:] + moves], 1)

    def draw(self, content: Content, moves: Tensor, still: Tensor) -> Frames:
        """N frames of as many contents, within the window of their stills [N, 3, size, size]."""
        details = None if content.details is None else tuple(window(d) for d in content.details)
        colour, weight = self.synthesis(self.moved(content.styles, moves), details, part=True)
        under = window(still)
        return Frames(colour, weight, under + weight * (colour - under))

    def portray(self, content: Content) -> Tensor:
        """Whole pictures of characters at rest, by their styles alone: [N, 3, size, size]."""
        return self.synthesis(content.styles)[0]


def pasted(still: Tensor, shown: Tensor) -> Tensor:
    """Stills [N, 3, size, size] with what is shown in their windows."""
    whole = still.clone()
    window(whole)[:] = shown
    return whole


def enlarged(photos: Tensor, size: int) -> Tensor:
    """Photos [N, 3, n, n] at the generator's size."""
    return F.interpolate(photos, (size, size), mode="bilinear", align_corners=False)


def repeated(content: Content, frames: int) -> Content:
    """Every content `frames` times."""
    details = content.details
    return Content(
        content.style.repeat_interleave(frames, 0),
        content.offsets.repeat_interleave(frames, 0),
        None if details is None else tuple(d.repeat_interleave(frames, 0) for d in details),
    )
