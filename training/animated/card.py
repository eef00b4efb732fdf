# mypy: disable-error-code="import-not-found, no-any-return"
"""Writes the model card from what was measured: `python -m training.animated.card RUN.yaml WEIGHTS`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from parley.errors import ConfigError
from training.animated.ablate import kept as kept_at
from training.animated.config import Config, load
from training.data.synthetic_faces.plan import held_out

MEANINGS = """\
- `psnr_mouth`, `ssim_mouth`: of the mouth's region, against the true drawing.
- `lip_distance_px`: mean distance of ten lip landmarks, pixels of a 256 picture; `recovery`, `lids`: mean
  error of mouth controls and lids, read from the pictures; `opening_r`, `lag`: correlation of the mouth's
  opening with the truth, at the lag (frames, positive is late) where it is best. All read by a network of
  this project (`training/animated/reader.py`) that was trained on renders and that no generator was trained
  against: the row `real` shows its own error.
- `identity`: least cosine over a clip between the features of a frame and of the still.
- `flicker`: change from frame to frame where the truth does not change at all, levels of 255.
- `cpbd`: sharpness (Narvekar and Karam, 2011); compare with the real drawings'.
- `frechet`: Fréchet distance of what that same network reads of lips, mouth, lids and brows;
  `frechet_samples`: of its features of whole pictures. Comparable with nothing published.
"""


UNHEARD = """\
The stage `video`, in which speech moves the styles end to end before the judges of video and of sound, has
not been run for these weights. They hear as the realistic face does, whose audio encoder is taken over as it
is; the mouth controls that it tells move the styles. So there is no comparison with and without the judge of
video yet: `training/animated/ablate.py` makes it."""
HEARD = """\
`no video judge` goes on from the same checkpoint for the same steps without the judge of video; so short a
time with judges can hardly tell them apart."""


def card(
    run: Config, done: int, quality: dict[str, Any], about: dict[str, Any], files: dict[str, int]
) -> str:
    """The card, as markdown."""
    from training.sda.evaluate import as_markdown

    kept, spoken = held_out(), "video" in run.stages[:done]
    trained = ", ".join(f"{run.steps.of(stage)} of stage `{stage}`" for stage in run.stages[:done])
    sizes = "\n".join(f"| `{name}` | {size / 1e6:.2f} MB |" for name, size in files.items())
    return f"""\
# Model card: animated face, {run.model.size} × {run.model.size}

One drawing and speech give a talking cartoon, live. A slim StyleGAN2 (mapping network, modulated and
demodulated convolutions, styles for each layer; at most {max(run.model.widths)} channels) whose styles a
causal audio encoder moves; see `training/animated/model.py`. Past 16 pixels only the window about brows,
eyes, mouth and chin is made, and painted over the drawing where it must change: all else is the drawing.

Steps: {trained}.
That is about a quarter of an hour of one core. Transfer: from realistic heads to drawings, the first blocks
of the judge frozen. The judges were heard in the last tenth or fifth of each stage alone: **the truth of the
renderer, not the judges, taught most of it**. The length of stage `moving`, and with it the fall of its
learning rate, was changed while it ran, so a run from the start gives a face like this one, not this one bit
for bit.
All drawings were made by this project (`training/data/cartoon`), nobody's likeness; the voices are
synthetic. Licence: Apache-2.0.

## Quality on held-out data

Characters (`training/data/cartoon/held_out.yaml`), voices ({", ".join(kept.voices)})
and sentences that training never saw. Same frames in all rows. The bank shows the nearest of twenty drawn
mouths to what the same ears hear, with the true eyes: as sharp as the drawings, because it is drawn, but it
jumps.

{as_markdown(rounded(quality["table"]))}

{MEANINGS}
{HEARD if spoken else UNHEARD}

## Whole pictures by styles alone

The generator as a StyleGAN: held-out characters through the encoder (`psnr_portrait`), held-out realistic
heads drawn (`psnr_drawn_self`, against their drawings), 64 characters from noise against held-out ones
(`frechet_samples`). `fine-tuned` and `from scratch` had the same {kept_at(run, "drawn")} steps on drawings;
`whole stage` is what `model.safetensors` holds.

{as_markdown(rounded(quality["portraits"]))}

## What it looks like

Held-out characters, voices and sentences; above as drawn, below as generated from the still and sound:

![Held-out characters](../../../../docs/images/animated/held_out.jpg)

The default avatar, by kind of sound, and its sliders (smile, brow, eyes) in both styles:

![Sounds](../../../../docs/images/animated/phones.jpg)
![Sliders](../../../../docs/images/animated/sliders.jpg)

Realistic heads; their styles drawn by the base, by both (coarse layers of the base), and by the generator of
drawings; and characters from noise:

![One latent](../../../../docs/images/animated/one_latent.jpg)
![From noise](../../../../docs/images/animated/sampled.jpg)

## Cost

Decoder {1000 * about["decoder_gflop"]:.0f} MFLOP a frame; int8 costs {about["int8_loss_db"]} dB.
`parley bench face --avatar juno` measures the rest.

| file | size |
| --- | --- |
{sizes}

## Limits

Whole pictures from styles alone (photos, noise) are blurred: they are shown here, and not used for the
default avatar, whose still is a drawing. The head turns by bending the picture, not in the style space.
Eyes and mouths of strangers are softer than the default avatar's, which {100 * run.avatars:.0f} % of the last
stages showed, and their eyes take on some of her green; brows that are raised far have an orange fringe.

## Settings

```yaml
{yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False).strip()}
```
"""


def rounded(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Figures to four places."""
    return {row: {name: round(value, 4) for name, value in told.items()} for row, told in table.items()}


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    weights: Annotated[Path, typer.Argument(help="Folder that training.animated.export wrote.")],
) -> None:
    """Write MODEL_CARD.md beside exported weights.

    Raises:
        ConfigError: The run was not evaluated.
    """
    import torch

    from training.sda.export import write_manifest

    run = load(config)
    measured = run.out / "quality.json"
    if not measured.is_file():
        raise ConfigError(f"{measured} does not exist.", fix=f"python -m training.animated.evaluate {config}")
    quality, about, manifest = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (measured, weights / "config.json", weights / "manifest.json")
    )
    done = torch.load(run.out / "state.pt", weights_only=True)["stage"]
    told = card(run, done, quality, about, manifest["bytes"])
    (weights / "MODEL_CARD.md").write_text(told, encoding="utf-8")
    write_manifest(weights, f"python -m training.animated.export, training.animated.card {config}")


if __name__ == "__main__":
    typer.run(main)
