# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A checkpoint to what runs without PyTorch: `python -m training.animated.export STATE OUT --speech SPEECH`.

Three ONNX graphs (opset 17) with the roles of the realistic face's (`training/sda/export.py`):

- `identity.onnx`: still [1, 3, size, size] in -1…1 to `code` (of no use here) and what an avatar caches:
  `skip0` first features, `skip1` content styles, `skip2` and `skip3` details, `skip4` the still's window.
- `audio.onnx`: any number of frames of sound, controls and noise, with the avatar's sliders as `code` and the
  states in and out, to `latent`: how far each layer's style moves.
- `decoder.onnx`: `latent` [N, …] and the skips to `pictures`, the window, uint8 RGB [N, h, w, 3].

Also `decoder.int8.onnx` (QDQ, weights per channel, calibrated on held-out speech; the head stays in floating
point), which is what is shipped; `model.safetensors` (float16: what draws characters from noise and
photos, as of the end of stage `drawn`), `config.json`, `manifest.json`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from services.sda.face import mel
from training.animated import material
from training.animated.config import Model
from training.animated.likeness import Likeness
from training.animated.model import (
    CONTROL_SCALE,
    CONTROLS,
    SIXTEENTHS,
    SLIDERS,
    WINDOW,
    Animator,
    Encoder,
    window,
)
from training.data.cartoon import drawing
from training.sda.clips import Clip
from training.sda.export import Feed, quantise_graph, write_audio, write_config, write_graph, write_manifest
from training.sda.model import NOISE_SPREAD, NOISE_STATE
from training.sda.train import pictures

CALIBRATION = (14, 3)  # characters, frames of each
DEVICE = torch.device("cpu")
PAINTERS = ("mapping", "synthesis", "motion")  # what characters and photos are drawn with
SKIPS = ("skip0", "skip1", "skip2", "skip3", "skip4")


class _Identity(nn.Module):
    def __init__(self, net: Animator) -> None:
        super().__init__()
        self.net = net

    def forward(self, still: Tensor) -> tuple[Tensor, ...]:
        content = self.net.encoder(still)
        assert content.details is not None
        begun = self.net.synthesis.begin(content.styles)
        details = (window(detail) for detail in content.details)
        return content.styles[:, 0, : len(SLIDERS)], begun, content.styles, *details, window(still)


class _Audio(nn.Module):
    def __init__(self, net: Animator) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, heard: Tensor, noise: Tensor, controls: Tensor, code: Tensor, audio: Tensor, stirred: Tensor
    ) -> tuple[Tensor, ...]:
        moves, mouth, states = self.net.trajectory(heard, noise, controls, code, (audio, stirred))
        return moves.flatten(2), mouth, *states


class _Decoder(nn.Module):
    def __init__(self, net: Animator) -> None:
        super().__init__()
        self.net = net

    def forward(self, latent: Tensor, begun: Tensor, styles: Tensor, *rest: Tensor) -> Tensor:
        *details, under = rest
        moves = latent.unflatten(1, (-1, self.net.model.style))
        colour, weight = self.net.synthesis(
            self.net.moved(styles, moves), tuple(details), begun.expand(len(latent), -1, -1, -1), part=True
        )
        made = under + weight * (colour - under)
        return ((made + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)


def animator_of(path: Path) -> Animator:
    """The averaged generator of a checkpoint."""
    state = torch.load(path, weights_only=True)
    net = Animator(Model.model_validate(state["model"]))
    net.load_state_dict(state["nets"]["average"])
    return net.eval().requires_grad_(False)


def photos_encoder_of(path: Path) -> Encoder:
    """The encoder of photos of a checkpoint."""
    state = torch.load(path, weights_only=True)
    net = Encoder(Model.model_validate(state["model"]))
    net.load_state_dict(state["nets"]["photo"])
    return net.eval().requires_grad_(False)


def likeness_of(path: Path) -> Likeness:
    """What tells a drawn self from a photo's styles, of a checkpoint."""
    state = torch.load(path, weights_only=True)
    net = Likeness(Model.model_validate(state["model"]))
    net.load_state_dict(state["nets"]["likeness"])
    return net.eval().requires_grad_(False)


def export(net: Animator, whole: Animator, photo: Encoder, likeness: Likeness, out: Path) -> None:
    """Writes the three graphs of `net`, the weights that draw whole pictures, and the config into `out`."""
    model = net.model
    out.mkdir(parents=True, exist_ok=True)
    still = torch.zeros(1, 3, model.size, model.size)
    code, *skips = _Identity(net)(still)
    moved = (model.layers - net.motion.still) * model.style
    batch = {0: "batch"}
    write_graph(_Identity(net), (still,), out / "identity.onnx", ["still"], ["code", *SKIPS], {})
    write_audio(_Audio(net), model.noise, len(CONTROLS), code, net.start(1), out / "audio.onnx")
    write_graph(
        _Decoder(net),
        (torch.zeros(1, moved), *skips),
        out / "decoder.onnx",
        ["latent", *SKIPS],
        ["pictures"],
        {"latent": batch, "pictures": batch} | {name: {0: f"batch_or_1_{name}"} for name in SKIPS},
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        _Decoder(net)(torch.zeros(1, moved), *skips)
    save_file(portraiture(whole, photo, likeness), out / "model.safetensors")
    write_config(out, about(net) | {"decoder_gflop": round(counter.get_total_flops() / 1e9, 3)})


def portraiture(whole: Animator, photo: Encoder, likeness: Likeness) -> dict[str, Tensor]:
    """What draws characters from noise and photos, float16, by name."""
    tensors = {
        name: value
        for name, value in whole.state_dict().items()
        if name.split(".")[0] in PAINTERS and not name.endswith(".noise")
    }
    for prefix, part in (("photo", photo), ("likeness", likeness)):
        tensors |= {f"{prefix}.{name}": value for name, value in part.state_dict().items()}
    return {name: value.half().contiguous() for name, value in tensors.items()}


def about(net: Animator) -> dict[str, Any]:
    """What the engine must know."""
    n = net.model.size // SIXTEENTHS
    return {
        "model": net.model.model_dump(),
        "window": [[first * n, last * n] for first, last in WINDOW],
        "controls": CONTROLS,
        "control_scale": CONTROL_SCALE,
        "sliders": SLIDERS,
        "noise_spread": NOISE_SPREAD,
        "noise_state": NOISE_STATE,
        "mel": {"hop": mel.HOP, "window": mel.WINDOW, "bins": mel.MELS, "context": mel.CONTEXT},
        "lookahead_samples": mel.LOOKAHEAD_SAMPLES,
    }


@torch.no_grad()
def feeds(net: Animator, speech: Path) -> Iterator[tuple[material.Bytes, Feed]]:
    """The true picture's window, and what the decoder is told to draw it: held-out characters and speech."""
    count, each = CALIBRATION
    for who, clip in material.held_out(speech, count):
        still = pictures(drawing.draw(who, drawing.Face(), net.model.size)[None], DEVICE)
        _, *skips = _Identity(net)(still)
        latent = spoken(net, clip)
        for at in np.linspace(0, len(clip) - 1, each).astype(int):
            face = material.face(clip.parameters[at], np.zeros(3, np.float32))
            real = drawing.draw(who, face, net.model.size)
            told = {name: skip.numpy() for name, skip in zip(SKIPS, skips, strict=True)}
            yield cut(real), {"latent": latent[:, at].numpy(), **told}


def cut(picture: material.Bytes) -> material.Bytes:
    """The window of a picture [n, n, 3]."""
    n, ((top, bottom), (left, right)) = picture.shape[0] // SIXTEENTHS, WINDOW
    return picture[top * n : bottom * n, left * n : right * n]


@torch.no_grad()
def spoken(net: Animator, clip: Clip, sliders: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Tensor:
    """The trajectory of a clip: [1, T, …]; no noise."""
    heard = torch.from_numpy(mel.contexts(mel.of_clip(clip.audio()), 0, len(clip)))[None]
    controls = torch.from_numpy(np.stack([material.told(row)[1] for row in clip.parameters]))[None]
    noise = torch.zeros(1, len(clip), net.model.noise)
    moves, _, _ = net.trajectory(heard, noise, controls, torch.tensor([sliders]), net.start(1))
    return moves.flatten(2)


def int8_loss(net: Animator, speech: Path, out: Path) -> float:
    """What eight bits cost: how much further from the true pictures the small decoder is, in dB."""
    full, small = (
        onnxruntime.InferenceSession(str(out / name), providers=["CPUExecutionProvider"])
        for name in ("decoder.onnx", "decoder.int8.onnx")
    )
    errors = np.zeros(2)
    for real, feed in feeds(net, speech):
        truth = real.astype(np.float32)
        errors += [((each.run(None, feed)[0][0] - truth) ** 2).mean() for each in (full, small)]
    return float(10 * np.log10(errors[1] / errors[0]))


def main(
    state: Annotated[Path, typer.Argument(help="A run's state.pt.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    speech: Annotated[Path, typer.Option(help="See training.sda.speech.")] = Path("data/speech"),
) -> None:
    """Export a trained animated face."""
    net = animator_of(state)
    portraits = state.with_name("drawn.pt")  # later stages learn what moves, and forget whole pictures
    export(net, animator_of(portraits), photos_encoder_of(portraits), likeness_of(portraits), out)
    quantise_graph(out, (feed for _, feed in feeds(net, speech)))
    write_config(out, {"int8_loss_db": round(int8_loss(net, speech, out), 3)})
    (out / "decoder.onnx").unlink()  # the small one is as good and three times faster
    write_manifest(out, "python -m training.animated.export")
    print((out / "manifest.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    typer.run(main)
