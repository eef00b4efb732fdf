# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Quality on held-out identities, voices and sentences, beside baselines on the same frames.

    python -m training.sda.evaluate RUN.yaml [--also reconstruction=OTHER/state.pt] [--json]

Sync figures come from a network of our own that the generator never trained against (syncnet.py):
compare them with those of real video here, and with nothing published.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cpbd
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from parley.engines import Picture
from parley.errors import ConfigError
from parley.media.clock import FPS
from services.sda.face import mel
from training.sda import clips
from training.sda.config import Model, load
from training.sda.discriminators import mouths
from training.sda.faces import LIDS, Landmarker, NoFace
from training.sda.gauges import LipNet, lip_distance
from training.sda.likeness import Recogniser
from training.sda.model import NOISE_SPREAD, Generator
from training.sda.syncnet import FARTHEST, HALF, SyncNet, measure

BANK_SHARE = 1 / 3  # of a clip, its beginning: what the viseme bank may take pictures from
SHORTEST = 2 * (FARTHEST + HALF) + 10  # frames that a sync figure needs
CPBD_EVERY = 10
STRANGERS = "someone else"  # the row of how far apart different people are


@dataclass(frozen=True)
class Shown:
    """A clip as it is and as it was made: [T, 3, size, size] in -1…1, and its sound [T, MELS, CONTEXT]."""

    made: Tensor
    real: Tensor
    mel: Tensor


def real_frames(clip: clips.Clip, count: int) -> Tensor:
    """The first frames of a clip, [T, 3, size, size] in -1…1."""
    assert clip.pictures is not None
    taken = np.array(clip.pictures[:count])
    return torch.from_numpy(taken).movedim(-1, -3).float() / 127.5 - 1


@torch.no_grad()
def speak(generator: Generator, clip: clips.Clip, count: int, device: torch.device) -> Shown:
    """The generator says a clip's first frames, its first frame as the still; noise of a fixed seed."""
    count = min(count, len(clip))
    real = real_frames(clip, count)
    heard = torch.from_numpy(mel.contexts(mel.of_clip(clip.audio()), 0, count))
    told = torch.from_numpy(clips.controls(clip.parameters[:count], clip.parameters[0]))
    noise = torch.randn(1, count, generator.model.noise, generator=torch.Generator().manual_seed(1))
    generator.eval()
    code, skips = generator.identity(real[:1].to(device))
    latent, _, _ = generator.latents(
        heard[None].to(device), noise.to(device) * NOISE_SPREAD, told[None].to(device), code,
        generator.start(1, device),
    )  # fmt: skip
    made = torch.cat([generator.decoder(part, skips) for part in latent[0].split(16)])
    generator.train()
    return Shown(made.float().cpu(), real, heard)


def figures(made: Tensor, real: Tensor, heard: Tensor, sync: SyncNet, lips: LipNet) -> dict[str, float]:
    """What is measured of one clip, everything on the processor; the model card says what each is."""
    made = made.clamp(-1, 1)
    a, b = bytes_of(made), bytes_of(real)
    inside_a, inside_b = bytes_of(mouths(made)), bytes_of(mouths(real))
    told = {
        "psnr": psnr(a, b),
        "psnr_mouth": psnr(inside_a, inside_b),
        "ssim": similarity(a, b),
        "ssim_mouth": similarity(inside_a, inside_b),
        "lip_distance_px": lip_distance(lips, made, real),
        "cpbd": float(np.mean([cpbd.compute(grey(frame)) for frame in a[::CPBD_EVERY]])),
        "jitter": float(made.diff(dim=0).abs().mean() / real.diff(dim=0).abs().mean()),
    }
    if len(made) >= SHORTEST:
        found = measure(sync, made, heard)
        told |= {"sync_offset": float(found.offset), "sync_confidence": found.confidence}
    return told


def bytes_of(video: Tensor) -> NDArray[np.uint8]:
    """[T, 3, h, w] in -1…1 to uint8 [T, h, w, 3]."""
    out: NDArray[np.uint8] = ((video + 1) * 127.5).round().clamp(0, 255).byte().movedim(-3, -1).numpy()
    return out


def grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma (BT.601)."""
    out: NDArray[np.uint8] = (frame @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return out


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Of all frames together, dB; 99 for equal ones."""
    error = float(((a.astype(np.float32) - b) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean SSIM (Wang et al., 2004)."""
    return float(
        np.mean(
            [
                structural_similarity(x, y, channel_axis=-1, gaussian_weights=True, sigma=1.5, data_range=255)
                for x, y in zip(a, b, strict=True)
            ]
        )
    )


def blinks_per_second(video: Tensor) -> float:
    """Blinks that mediapipe's landmarks show, where the lids come to half their usual gap.

    Raises:
        NoFace: A frame shows none.
    """
    gaps = []
    with Landmarker() as landmarker:
        for frame in bytes_of(video):
            points = landmarker.find(np.ascontiguousarray(frame))[list(LIDS)]
            gaps.append(float(np.linalg.norm(points[0] - points[1]) + np.linalg.norm(points[2] - points[3])))
    shut = np.array(gaps) < 0.5 * float(np.median(gaps))
    return float(np.sum(shut[1:] & ~shut[:-1])) * FPS / len(gaps)


def viseme_bank(real: Tensor, mouth: NDArray[np.float32], begin: int) -> Tensor:
    """A baseline: for each frame from `begin` on, the earlier one with the most similar mouth."""
    far = ((mouth[begin:, None] - mouth[None, :begin]) ** 2).sum(-1)
    return real[:begin][torch.from_numpy(far.argmin(1))]


def generator_of(path: Path) -> Generator:
    """The averaged generator of a checkpoint.

    Raises:
        ConfigError: There is none.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist.", fix="Train it: parley train sda.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    generator = Generator(Model.model_validate(state["model"]))
    generator.load_state_dict(state["nets"]["average"])
    return generator.eval()


def gauges_of(path: Path) -> tuple[SyncNet, LipNet]:
    """The measuring networks of a checkpoint."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    sync, lips = SyncNet(), LipNet()
    sync.load_state_dict(state["nets"]["sync"])
    lips.load_state_dict(state["nets"]["lips"])
    return sync.eval(), lips.eval()


def compare(
    held_out: list[clips.Clip], generators: dict[str, Generator], sync: SyncNet, lips: LipNet
) -> dict[str, dict[str, float]]:
    """Mean figures of each system over the same frames of all clips; "real" is the upper end."""
    device, sums = torch.device("cpu"), dict[str, list[dict[str, float]]]()
    recogniser, stills = Recogniser(), dict[str, Picture]()
    for clip in held_out:
        begin = int(len(clip) * BANK_SHARE)
        real = real_frames(clip, len(clip))
        heard = torch.from_numpy(mel.contexts(mel.of_clip(clip.audio()), 0, len(clip)))
        made = {
            "real": real[begin:],
            "still": real[:1].expand(len(clip) - begin, -1, -1, -1),
            "viseme bank": viseme_bank(real, clip.parameters[:, : clips.MOUTH_CONTROLS], begin),
        }
        for name, generator in generators.items():
            made[name] = speak(generator, clip, len(clip), device).made[begin:]
        still = stills.setdefault(clip.identity, bytes_of(real[:1])[0])
        for name, video in made.items():
            told = figures(video, real[begin:], heard[begin:], sync, lips)
            told["identity_distance"] = recogniser.distance(bytes_of(video.clamp(-1, 1)), still)
            try:
                told["blinks_per_s"] = blinks_per_second(video)
                told["faces_found"] = 1.0
            except NoFace:
                told["faces_found"] = 0.0
            sums.setdefault(name, []).append(told)
        print(f"\r{len(sums['real'])}/{len(held_out)} clips ", end="", flush=True)
    print()
    table = {name: _mean(rows) for name, rows in sums.items()}
    if len(stills) > 1:
        table[STRANGERS] = {"identity_distance": round(recogniser.strangers(stills), 4)}
    return table


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    mean = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
    if "sync_offset" in mean:  # an average of offsets says nothing: how many clips are in step does
        offsets = [row["sync_offset"] for row in rows if "sync_offset" in row]
        mean["sync_offset"] = float(np.median(offsets))
        mean["in_step"] = float(np.mean([abs(o) <= 1 for o in offsets]))
    return {name: round(value, 4) for name, value in mean.items()}


def evaluate(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    also: Annotated[list[str] | None, typer.Option(help="NAME=CHECKPOINT of another model.")] = None,
    most: Annotated[int, typer.Option(help="Clips to look at.")] = 24,
    out: Annotated[Path | None, typer.Option(help="Folder of the run, if not as the file says.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the talking face on what it never saw."""
    run = load(config)
    state = (out or run.out) / "state.pt"
    generators = {"full": generator_of(state)}
    for named in also or []:
        name, _, path = named.partition("=")
        generators[name] = generator_of(Path(path))
    held_out = clips.load(run.faces, "test", identity=run.identity)[:most]
    table = compare(held_out, generators, *gauges_of(state))
    ((out or run.out) / "quality.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(table) if as_json else as_markdown(table))


def as_markdown(table: dict[str, dict[str, Any]]) -> str:
    """A table, systems down, figures across."""
    names = list(dict.fromkeys(name for row in table.values() for name in row))
    lines = ["| " + " | ".join(["", *names]) + " |", "|" + " --- |" * (len(names) + 1)]
    for system, row in table.items():
        lines.append("| " + " | ".join([system, *(f"{row[n]:g}" if n in row else "–" for n in names)]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(evaluate)
