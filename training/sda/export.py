# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A checkpoint to what runs without PyTorch: `python -m training.sda.export STATE OUT --faces PREPARED`.

Three ONNX graphs (opset 17), so that what does not depend on speech is computed once an avatar:

- `identity.onnx`: still [1, 3, size, size] in -1…1 to `code` and the decoder's `skip0` … .
- `audio.onnx`: any number of frames of sound, controls and noise, with its states in and out, to `latent`.
- `decoder.onnx`: `latent` [N, latent] and the skips to `pictures`, uint8 RGB [N, size, size, 3].

With `--faces`, also `decoder.int8.onnx`: QDQ, weights per channel, calibrated on held-out clips' latents; the
head stays in floating point. Beside them: `model.safetensors` (float16), `config.json`, `manifest.json`.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import onnxruntime
import torch
import typer
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from services.sda.face import mel
from training.sda import clips
from training.sda.clips import CONTROL_SCALE, CONTROLS
from training.sda.evaluate import generator_of, real_frames
from training.sda.model import NOISE_SPREAD, NOISE_STATE, Generator

OPSET = 17
CALIBRATION_FRAMES = 40
Feed = dict[str, NDArray[np.generic]]


class _Identity(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.net = generator.identity

    def forward(self, still: Tensor) -> tuple[Tensor, ...]:
        code, skips = self.net(still)
        return code, *skips


class _Audio(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.net = generator

    def forward(
        self, heard: Tensor, noise: Tensor, controls: Tensor, code: Tensor, audio: Tensor, stirred: Tensor
    ) -> tuple[Tensor, ...]:
        latent, mouth, states = self.net.latents(heard, noise, controls, code, (audio, stirred))
        return latent, mouth, *states


class _Decoder(nn.Module):
    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.net = generator.decoder

    def forward(self, latent: Tensor, *skips: Tensor) -> Tensor:
        made = self.net(latent, list(skips))
        return ((made + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)


def export(generator: Generator, out: Path) -> None:
    """Writes the three graphs, the weights and the config into `out`."""
    generator = generator.cpu().eval()
    model = generator.model
    out.mkdir(parents=True, exist_ok=True)
    still = torch.zeros(1, 3, model.size, model.size)
    with torch.no_grad():
        code, skips = generator.identity(still)
    names = [f"skip{k}" for k in range(len(skips))]
    batch = {0: "batch"}
    write_graph(_Identity(generator), (still,), out / "identity.onnx", ["still"], ["code", *names], {})
    states = generator.start(1)
    write_audio(_Audio(generator), model.noise, len(CONTROLS), code, states, out / "audio.onnx")
    write_graph(
        _Decoder(generator),
        (torch.zeros(1, model.latent), *skips),
        out / "decoder.onnx",
        ["latent", *names],
        ["pictures"],
        {"latent": batch, "pictures": batch} | {name: {0: f"batch_or_1_{name}"} for name in names},
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        generator.decoder(torch.zeros(1, model.latent), skips)
    save_file(
        {k: v.half().contiguous() for k, v in generator.state_dict().items()}, out / "model.safetensors"
    )
    about = {
        "model": model.model_dump(),
        "controls": CONTROLS,
        "control_scale": CONTROL_SCALE.tolist(),
        "noise_spread": NOISE_SPREAD,
        "noise_state": NOISE_STATE,
        "mel": {"hop": mel.HOP, "window": mel.WINDOW, "bins": mel.MELS, "context": mel.CONTEXT},
        "lookahead_samples": mel.LOOKAHEAD_SAMPLES,
        "decoder_gflop": round(counter.get_total_flops() / 1e9, 3),
    }
    write_config(out, about)


def write_audio(
    net: nn.Module, noise: int, controls: int, code: Tensor, states: tuple[Tensor, ...], path: Path
) -> None:
    """Writes the graph that hears, frame by frame or many frames at once, for one clip or several.

    Args:
        net: Takes mel, noise, controls, identity code and both states; gives latent, mouth and the states.
        noise: Numbers of noise a frame.
        controls: Numbers a frame that tell what eyes, brows and head do.
        code: An identity's.
        states: Of one clip.
        path: Where to.
    """
    clips, frames = {0: "batch"}, {0: "batch", 1: "frames"}
    sound = (torch.zeros(1, 2, mel.MELS, mel.CONTEXT), torch.zeros(1, 2, noise))
    carried = ("audio_state", "noise_state", "audio_state_out", "noise_state_out")
    write_graph(
        net,
        (*sound, torch.zeros(1, 2, controls), code, *states),
        path,
        ["mel", "noise", "controls", "code", *carried[:2]],
        ["latent", "mouth", *carried[2:]],
        {n: frames for n in ("mel", "noise", "controls", "latent", "mouth")}
        | {"code": clips}
        | {n: {1: "batch"} for n in carried},
    )


def write_config(out: Path, about: dict[str, Any]) -> None:
    """Writes `config.json`, or adds to it."""
    path = out / "config.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(known | about, indent=2) + "\n", encoding="utf-8")


def write_graph(
    net: nn.Module,
    inputs: tuple[Any, ...],
    path: Path,
    takes: list[str],
    gives: list[str],
    axes: dict[str, Any],
) -> None:
    """Writes a network as ONNX; the arguments are those of `torch.onnx.export`."""
    with warnings.catch_warnings():
        # The exporter by tracing is the one that needs no further package; its GRU takes any number of clips
        # because the states are inputs.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", "Exporting a model to ONNX with a batch_size other than 1")
        torch.onnx.export(
            net.eval(), inputs, str(path), input_names=takes, output_names=gives, dynamic_axes=axes,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    onnx.checker.check_model(str(path))


class _Calibration(CalibrationDataReader):
    def __init__(self, feeds: Iterator[Feed]) -> None:
        self._feeds = feeds

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def calibration(generator: Generator, spoken: list[clips.Clip]) -> Iterator[Feed]:
    """Inputs of the decoder from real speech and stills, spread over clips."""
    return (feed for _, _, feed in feeds(generator, spoken))


@torch.no_grad()
def feeds(generator: Generator, spoken: list[clips.Clip]) -> Iterator[tuple[clips.Clip, int, Feed]]:
    """Clip, frame, and what the decoder is told to draw it."""
    each = -(-CALIBRATION_FRAMES // len(spoken))
    for clip in spoken:
        code, skips = generator.identity(real_frames(clip, 1))
        heard = torch.from_numpy(mel.contexts(mel.of_clip(clip.audio()), 0, len(clip)))[None]
        told = torch.from_numpy(clips.controls(clip.parameters, clip.parameters[0]))[None]
        noise = torch.zeros(1, len(clip), generator.model.noise)
        latent, _, _ = generator.latents(heard, noise, told, code, generator.start(1))
        for at in np.linspace(0, len(clip) - 1, each).astype(int):
            feed = {f"skip{k}": skip.numpy() for k, skip in enumerate(skips)}
            yield clip, int(at), {"latent": latent[:, at].numpy(), **feed}


def quantise(generator: Generator, spoken: list[clips.Clip], out: Path) -> None:
    """Writes `decoder.int8.onnx` beside `decoder.onnx`, and what it costs into the config."""
    quantise_graph(out, calibration(generator, spoken))
    write_config(out, {"int8_loss_db": round(loss(generator, spoken, out), 3)})


def quantise_graph(out: Path, told: Iterator[Feed]) -> None:
    """Writes `decoder.int8.onnx` beside `decoder.onnx`, calibrated by what it is told."""
    ready = out / "decoder.ready.onnx"
    quant_pre_process(str(out / "decoder.onnx"), str(ready), skip_symbolic_shape=True)
    convolutions = [node.name for node in onnx.load(str(ready)).graph.node if node.op_type == "Conv"]
    logging.getLogger().setLevel(logging.ERROR)  # it advises what is being done
    quantize_static(
        str(ready),
        str(out / "decoder.int8.onnx"),
        _Calibration(told),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=convolutions[-1:],
    )
    ready.unlink()


def loss(generator: Generator, spoken: list[clips.Clip], out: Path) -> float:
    """What eight bits cost: how much further from real frames the small decoder is, in dB."""
    full, small = (
        onnxruntime.InferenceSession(str(out / name), providers=["CPUExecutionProvider"])
        for name in ("decoder.onnx", "decoder.int8.onnx")
    )
    errors = np.zeros(2)
    for clip, at, feed in feeds(generator, spoken):
        assert clip.pictures is not None
        real = clip.pictures[at].astype(np.float32)
        errors += [((net.run(None, feed)[0][0] - real) ** 2).mean() for net in (full, small)]
    return float(10 * np.log10(errors[1] / errors[0]))


def write_manifest(out: Path, made_by: str) -> None:
    """Writes sha256 and size of every file in `out`."""
    files = sorted(p for p in out.iterdir() if p.is_file() and p.name != "manifest.json")
    told = {
        "made_by": made_by,
        "licence": "Apache-2.0; trained by this project on people that do not exist",
        "bytes": {p.name: p.stat().st_size for p in files},
        "sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    }
    (out / "manifest.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def main(
    state: Annotated[Path, typer.Argument(help="A run's state.pt.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    faces: Annotated[Path | None, typer.Option(help="Prepared clips: quantise with them.")] = None,
) -> None:
    """Export a trained face."""
    generator = generator_of(state)
    export(generator, out)
    if faces is not None:
        quantise(generator, clips.load(faces, "test")[:CALIBRATION_FRAMES], out)
    write_manifest(out, "python -m training.sda.export")
    print((out / "manifest.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    typer.run(main)
