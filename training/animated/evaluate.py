# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Quality on held-out characters, voices and sentences, beside baselines on the same frames.

    python -m training.animated.evaluate training/configs/animated.yaml

What a face does and who it is are read by a network of our own (reader.py, `Gauge`), trained on renders and
never trained against; the Fréchet distance is in its features and comparable with nothing published.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cpbd
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from parley.errors import ConfigError
from services.sda.face import mel
from services.sda.face.controls import VISEMES
from training.animated import material, sketch
from training.animated.ablate import kept
from training.animated.config import load
from training.animated.discriminators import mouths
from training.animated.export import animator_of, likeness_of, photos_encoder_of, spoken
from training.animated.model import Animator, Content, Encoder, enlarged, pasted, repeated, window
from training.animated.photo import Portraitist
from training.animated.reader import DOES, Gauge
from training.animated.sync import DrawnSync, in_step, sync_of
from training.data.cartoon import characters, drawing
from training.data.cartoon.characters import Character
from training.data.cartoon.drawing import Face
from training.data.synthetic_faces.identities import named
from training.sda.clips import Clip
from training.sda.evaluate import CPBD_EVERY, as_markdown, bytes_of, grey, psnr, similarity
from training.sda.train import pictures

CLIPS, FRAMES, TOGETHER = 6, 50, 25
FARTHEST = 6  # frames of lag that are tried
STILL = np.zeros(3, np.float32)
DEVICE = torch.device("cpu")
WITHOUT = {"no-sequence": "no video judge", "no-lips": "no landmark loss"}  # rows of ablations
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Take:
    """A held-out character with held-out speech, as it should look: windows [T, 3, h, w] in -1…1."""

    who: Character
    clip: Clip
    still: Tensor
    real: Tensor


def gauge_of(path: Path) -> Gauge:
    """The network that measures.

    Raises:
        ConfigError: It has not been trained.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path} does not exist.", fix=f"python -m training.animated.reader {path} --seed 2"
        )
    net = Gauge()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval().requires_grad_(False)


def takes(speech: Path, size: int, count: int = CLIPS) -> list[Take]:
    """What is measured on."""
    out = []
    for who, clip in material.held_out(speech, count):
        rows = clip.parameters[:FRAMES]
        drawn = np.stack([drawing.draw(who, material.face(row, STILL), size) for row in rows])
        still = pictures(drawing.draw(who, Face(), size)[None], DEVICE)
        out.append(Take(who, clip, still, window(pictures(drawn, DEVICE))))
    return out


@torch.no_grad()
def speak(net: Animator, take: Take) -> Tensor:
    """Windows of a take by sound alone, [T, 3, h, w]."""
    content, made = net.encoder(take.still), []
    latent = spoken(net, take.clip)[0, : len(take.real)].unflatten(1, (-1, net.model.style))
    for moves in latent.split(TOGETHER):
        shown = net.draw(repeated(content, len(moves)), moves, take.still.expand(len(moves), -1, -1, -1))
        made.append(shown.shown)
    return torch.cat(made)


@torch.no_grad()
def bank(net: Animator, take: Take) -> Tensor:
    """The nearest of the character's drawn visemes to what the same ears hear, with the true eyes."""
    contexts = mel.contexts(mel.of_clip(take.clip.audio()), 0, len(take.real))
    heard, _ = net.audio(torch.from_numpy(contexts)[None], net.start(1)[0])
    mouth = net.audio.mouth(heard)[0].numpy()
    shapes = np.stack([viseme.mouth for viseme in VISEMES.values()])
    frames = []
    for row, said in zip(take.clip.parameters, mouth, strict=False):
        nearest = shapes[np.abs(shapes - said).sum(1).argmin()]
        shown = np.concatenate([nearest, row[len(nearest) :]]).astype(np.float32)
        frames.append(drawing.draw(take.who, material.face(shown, STILL), take.still.shape[-1]))
    return window(pictures(np.stack(frames), DEVICE))


@torch.no_grad()
def figures(made: Tensor, take: Take, gauge: Gauge, sync: DrawnSync) -> dict[str, float]:
    """What is measured of one take; the model card says what each is."""
    real, size = take.real, take.still.shape[-1]
    rows = take.clip.parameters[: len(real)]
    a, b = (bytes_of(mouths(video.clamp(-1, 1))) for video in (made, real))
    reads = gauge.doing(made).numpy()
    truth = np.stack([[*row[:4], row[6], row[9]] for row in rows])
    who = torch.nn.functional.normalize(features(gauge, take, made), dim=1)
    usual = torch.nn.functional.normalize(gauge.features(take.still), dim=1)
    lag, correlation = lagged(reads[:, 0], truth[:, 0])
    step = in_step(sync, made, take.clip)
    apart = (gauge.lips(made) - gauge.lips(real)).unflatten(1, (-1, 2)).norm(dim=2).mean()
    return {
        "psnr_mouth": psnr(a, b),
        "ssim_mouth": similarity(a, b),
        "lip_distance_px": float(apart) / 10 * size,
        "recovery": float(np.abs(reads - truth)[:, : DOES.index("lid")].mean()),
        "lids": float(np.abs(reads - truth)[:, DOES.index("lid")].mean()),
        "opening_r": correlation,
        "lag": float(lag),
        "sync_offset": float(abs(step.offset)),
        "sync_confidence": step.confidence,
        "identity": float((who @ usual.T).min()),
        "flicker": flicker(made, real),
        "cpbd": float(np.mean([cpbd.compute(grey(frame)) for frame in a[::CPBD_EVERY]])),
    }


def features(gauge: Gauge, take: Take, made: Tensor) -> Tensor:
    """Of whole pictures: [T, FEATURES]."""
    whole = [pasted(take.still.expand(len(part), -1, -1, -1), part) for part in made.split(TOGETHER)]
    return torch.cat([gauge.features(part) for part in whole])


@torch.no_grad()
def readings(gauge: Gauge, windows: Tensor) -> Tensor:
    """What is read of lips, mouth, lids and brows, whose distribution is compared: [T, n]."""
    return torch.cat([gauge.lips(windows), gauge.doing(windows)], 1)


def lagged(made: Doubles, real: Doubles) -> tuple[int, float]:
    """By how many frames `made` is late, and Pearson's r there."""
    inner, best = slice(FARTHEST, len(real) - FARTHEST), (0, -1.0)
    for lag in range(-FARTHEST, FARTHEST + 1):
        moved = made[inner.start + lag : inner.stop + lag]
        if moved.std() > 1e-6 and (r := float(np.corrcoef(moved, real[inner])[0, 1])) > best[1]:
            best = (lag, r)
    return best


def flicker(made: Tensor, real: Tensor) -> float:
    """Mean change from frame to frame where the truth does not change at all, in levels of 255."""
    still = (real.diff(dim=0).abs().amax(1, keepdim=True) == 0).float()
    change = made.diff(dim=0).abs().mean(1, keepdim=True)
    return float((change * still).sum() / still.sum().clamp(min=1) * 127.5)


def frechet(a: Tensor, b: Tensor) -> float:
    """Distance of two sets of features [N, n] taken as normal (Fréchet, 1957; Heusel et al., 2017)."""
    x, y = (each.numpy().astype(np.float64) for each in (a, b))
    # The trace of the product's root, from its eigenvalues, which are real and not negative but for rounding.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(np.cov(x.T) @ np.cov(y.T)).real, 0)).sum()
    return float(
        ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(np.cov(x.T)) + np.trace(np.cov(y.T)) - 2 * roots
    )


def table(
    said: dict[str, list[Tensor]], among: list[Take], gauge: Gauge, sync: DrawnSync
) -> dict[str, dict[str, float]]:
    """Means over takes of every way to draw them, with the Fréchet distance over all their frames."""
    real = torch.cat([readings(gauge, take.real) for take in among])
    out = {}
    for name, videos in said.items():
        rows = [figures(made, take, gauge, sync) for made, take in zip(videos, among, strict=True)]
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        own = torch.cat([readings(gauge, made) for made in videos])
        out[name] = mean | {"frechet": frechet(own, real)}
    return out


@torch.no_grad()
def portraits(path: Path, realistic: Path, among: list[Take], gauge: Gauge) -> dict[str, float]:
    """How well whole pictures come out of styles alone: of held-out characters, of noise, of photos."""
    net, photo = animator_of(path), photos_encoder_of(path)
    stills = torch.cat([take.still for take in among])
    content = net.encoder(stills)
    made = net.portray(Content(content.style, content.offsets, None))
    z = torch.randn(64, net.model.z, generator=torch.Generator().manual_seed(1))
    styles = net.mapping(z)[:, None].expand(-1, net.model.layers, -1)
    drawn = torch.cat([gauge.features(net.synthesis(part)[0]) for part in styles.split(TOGETHER)])
    random = np.random.default_rng(3)
    many = pictures(
        np.stack([drawing.draw(characters.held_out(i), material.rest(random), stills.shape[-1])
                  for i in range(48)]), DEVICE,
    )  # fmt: skip
    real = torch.cat([gauge.features(part) for part in many.split(TOGETHER)])
    return {
        "psnr_portrait": psnr(bytes_of(made.clamp(-1, 1)), bytes_of(stills)),
        "psnr_drawn_self": psnr(*painted_selves(net, photo, strangers(realistic))),
        "frechet_samples": frechet(drawn, real),
    }


@dataclass(frozen=True)
class Stranger:
    """A held-out realistic head as a photo [1, 3, size, size] in -1…1, and its true drawn self."""

    photo: Tensor
    who: Character


def strangers(heads: Path, size: int = 256) -> list[Stranger]:
    """One photo of each held-out person."""
    seen, out = material.photos(heads, "test"), []
    for name in sorted(set(seen.identities)):
        picture = seen.pictures[seen.identities.index(name)]
        photo = enlarged(pictures(picture[None], DEVICE), size)
        out.append(Stranger(photo, characters.drawn_self(named(name))))
    return out


@torch.no_grad()
def painted_selves(
    net: Animator, photo: Encoder, among: list[Stranger]
) -> tuple[material.Bytes, material.Bytes]:
    """Drawn selves by styles alone, and true ones: uint8 [N, size, size, 3]."""
    made = torch.cat([net.portray(photo(stranger.photo)) for stranger in among])
    truth = np.stack([drawing.draw(stranger.who, Face(), net.model.size) for stranger in among])
    return bytes_of(made.clamp(-1, 1)), truth


def drawn_selves(path: Path, among: list[Stranger]) -> dict[str, float]:
    """How well the styles of held-out photos tell their drawn selves."""
    hand = Portraitist(animator_of(path), photos_encoder_of(path), likeness_of(path))
    read = [hand.read(stranger.photo) for stranger in among]
    true = [stranger.who for stranger in among]

    def apart(name: str) -> float:
        colours = (np.array([who.colours[name] for who in people]) for people in (read, true))
        return 255 * float(np.abs(np.subtract(*colours)).mean())

    drawn, truth = (np.stack([drawing.draw(who, Face(), 256) for who in people]) for people in (read, true))
    pairs = list(zip(read, true, strict=True))
    return {
        "people": float(len(pairs)),
        "psnr": psnr(drawn, truth),
        "hair_right": float(np.mean([a.hair == b.hair for a, b in pairs])),
        "glasses_right": float(np.mean([(a.glasses > 0) == (b.glasses > 0) for a, b in pairs])),
        "beard_right": float(
            np.mean([(a.beard > 0) == (b.beard >= sketch.LOWEST["beard"]) for a, b in pairs])
        ),
        "skin_levels": apart("skin"),
        "hair_levels": apart("hair"),
        "cloth_levels": apart("cloth"),
        "width_r": float(np.corrcoef([(a.wide, b.wide) for a, b in pairs], rowvar=False)[0, 1]),
    }


def main(config: Annotated[Path, typer.Argument(help="The run's YAML.")]) -> None:
    """Measure a run; writes `quality.json` beside its checkpoint."""
    run = load(config)
    gauge, sync = gauge_of(run.out / "gauge.pt"), sync_of(run.out / "sync.pt")
    among = takes(run.speech, run.model.size)
    net = animator_of(run.out / "state.pt")
    said = {
        "real": [take.real for take in among],
        "still": [window(take.still).expand_as(take.real) for take in among],
        "nearest-viseme bank": [bank(net, take) for take in among],
    }
    beside = {"former release": run.start_from} if run.start_from else {}
    beside |= {"before stage video": run.out / "moving.pt", "full": run.out / "state.pt"}
    beside |= {row: run.out / "ablation" / name / "video.pt" for name, row in WITHOUT.items()}
    for row, path in beside.items():
        if path.is_file():
            said[row] = [speak(animator_of(path), take) for take in among]
    told = table(said, among, gauge, sync)
    early = {
        "fine-tuned": run.out / f"drawn-{kept(run, 'drawn')}.pt",
        "from scratch": run.out / "ablation" / "scratch" / f"drawn-{kept(run, 'drawn')}.pt",
        "whole stage": run.out / "drawn.pt",
    }
    whole = {name: portraits(path, run.heads, among, gauge) for name, path in early.items() if path.is_file()}
    selves = {"read from styles": drawn_selves(run.out / "drawn.pt", strangers(run.heads, run.model.size))}
    quality = {"table": told, "portraits": whole, "selves": selves}
    (run.out / "quality.json").write_text(json.dumps(quality, indent=2) + "\n", encoding="utf-8")
    print(*(as_markdown(rows) for rows in quality.values()), sep="\n\n")


if __name__ == "__main__":
    typer.run(main)
