# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A checkpoint to what runs without PyTorch: `python -m training.tts.export STATE OUT`.

Three ONNX graphs (opset 17) of the averaged networks and a manifest with their checksums:

- `encoder.onnx`: `codes` int64 [1, phones, 5] to `hidden`, `log_durations`, `pitch`.
- `decoder.onnx`: those, `places` [1, frames, 3] and `index` [1, frames] to `mel`, `contour`, `voicing`.
- `vocoder.onnx`: `features` [batch, frames, 82] to `gain`, `phase`, `hiss`, each [batch, frames, 513].
"""

import hashlib
import json
import warnings
from pathlib import Path
from typing import Annotated, Any

import onnx
import torch
import typer
from torch import Tensor, nn

from services.tts.fastpitch.phonemes import SIZES
from services.tts.fastpitch.voice import GRAPHS
from training.tts.config import Config
from training.tts.model import FEATURES, KERNEL, Acoustic, Vocoder

OPSET = 17


class _Encoder(nn.Module):
    def __init__(self, net: Acoustic) -> None:
        super().__init__()
        self.net = net

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.net.encode(codes)


class _Decoder(nn.Module):
    def __init__(self, net: Acoustic) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, hidden: Tensor, pitch: Tensor, places: Tensor, index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return self.net.decode(hidden, pitch, places, index)


def networks(state: dict[str, Any]) -> tuple[Config, Acoustic, Vocoder]:
    """The averaged networks of a checkpoint, ready to speak."""
    config = Config.model_validate(state["config"])
    acoustic, vocoder = Acoustic(config.acoustic), Vocoder(config.vocoder)
    acoustic.load_state_dict(state["nets"]["slow_acoustic"])
    vocoder.load_state_dict(state["nets"]["slow_vocoder"])
    return config, acoustic.eval(), vocoder.eval()


def export(acoustic: Acoustic, vocoder: Vocoder, out: Path, about: dict[str, Any]) -> None:
    """Writes the graphs and the manifest, which holds `about`, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    width = acoustic.size.width
    codes = torch.ones(1, 7, len(SIZES), dtype=torch.int64)
    frames = torch.arange(7).repeat_interleave(3)[None]
    inputs: dict[str, tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]] = {
        "encoder.onnx": (_Encoder(acoustic), (codes,), ["codes"], ["hidden", "log_durations", "pitch"]),
        "decoder.onnx": (
            _Decoder(acoustic),
            (torch.zeros(1, 7, width), torch.zeros(1, 7), torch.zeros(1, 21, 3), frames),
            ["hidden", "pitch", "places", "index"],
            ["mel", "contour", "voicing"],
        ),
        "vocoder.onnx": (vocoder, (torch.zeros(1, 21, FEATURES),), ["features"], ["gain", "phase", "hiss"]),
    }
    for name, (net, example, takes, gives) in inputs.items():
        batch = {0: "batch"} if name == "vocoder.onnx" else {}
        axes = {each: batch | {1: f"{each}_length"} for each in (*takes, *gives)}
        with warnings.catch_warnings():
            # The exporter by tracing is the one that needs no further package.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                net.eval(), example, str(out / name), input_names=takes, output_names=gives,
                dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        onnx.checker.check_model(str(out / name))
    known = {
        "made_by": "python -m training.tts.export",
        "pitch_mean": float(acoustic.pitch_mean),
        "pitch_spread": float(acoustic.pitch_spread),
        "vocoder_reach": (KERNEL // 2) * (1 + vocoder.size.blocks),
        "sha256": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in GRAPHS},
    }
    (out / "manifest.json").write_text(json.dumps(about | known, indent=2) + "\n", encoding="utf-8")


def main(
    state: Annotated[Path, typer.Argument(help="A run's checkpoint: state.pt, or one of a stage's end.")],
    out: Annotated[Path, typer.Argument(help="Folder of the voice.")],
    voice: Annotated[str, typer.Option(help="Another name than the run's.")] = "",
    licence: Annotated[str, typer.Option(help="Of the voice, for the manifest.")] = "Apache-2.0",
) -> None:
    """Export a trained voice."""
    kept = torch.load(state, weights_only=True)
    config, acoustic, vocoder = networks(kept)
    about = {"voice": voice or config.voice, "licence": licence, "vocoder_gate": kept["gate"]}
    export(acoustic, vocoder, out, about)
    size = sum(path.stat().st_size for path in out.glob("*.onnx"))
    print(f"{out}: voice {about['voice']}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
