# mypy: disable-error-code="import-not-found, no-any-return"
"""Writes the model card from what was measured: `python -m training.animated.card RUN.yaml WEIGHTS`."""

import json
from dataclasses import dataclass
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
- `sync_offset`, `sync_confidence`: frames by which sound would have to be moved, and how much better it then
  fits than elsewhere, by a network of our own (`training/animated/sync.py`) that nothing was trained against.
- `identity`: least cosine over a clip between the features of a frame and of the still.
- `flicker`: change from frame to frame where the truth does not change at all, levels of 255.
- `cpbd`: sharpness (Narvekar and Karam, 2011); compare with the real drawings'.
- `frechet`: Fréchet distance of what that same network reads of lips, mouth, lids and brows;
  `frechet_samples`: of its features of whole pictures. Comparable with nothing published.
"""


APART = """\
What speaks and what paints whole pictures were trained apart: the first goes on from the weights that were
shipped before these, so a run from the start (`make animated`, all stages in one network) gives a face like
this one, not this one bit for bit."""
COMPARED = """\
`before stage video` is where that stage began; `no video judge` and `no landmark loss` began there, too, and
did the same steps on the same batches without one part. One seed and so short a stage: take differences of a
few hundredths of a pixel or of flicker as none."""


def steps_told(history: list[tuple[str, int]]) -> str:
    """ "500 of stage `base`, 300 of stage `drawn`"."""
    return ", ".join(f"{steps} of stage `{stage}`" for stage, steps in history)


@dataclass(frozen=True)
class Made:
    """How weights came to be: stages and steps of what speaks, and of what draws whole pictures."""

    speaks: list[tuple[str, int]]
    paints: list[tuple[str, int]]


def card(
    run: Config, made: Made, quality: dict[str, Any], about: dict[str, Any], files: dict[str, int]
) -> str:
    """The card, as markdown."""
    from training.sda.evaluate import as_markdown

    kept = held_out()
    sizes = "\n".join(f"| `{name}` | {size / 1e6:.2f} MB |" for name, size in files.items())
    return f"""\
# Model card: animated face, {run.model.size} × {run.model.size}

One drawing and speech give a talking cartoon, live. A slim StyleGAN2 (mapping network, modulated and
demodulated convolutions, styles for each layer; at most {max(run.model.widths)} channels) whose styles a
causal audio encoder moves; see `training/animated/model.py`. Past 16 pixels only the window about brows,
eyes, mouth and chin is made, and painted over the drawing where it must change: all else is the drawing.

Steps of what speaks: {steps_told(made.speaks)}.
Steps of what reads photos and paints whole pictures: {steps_told(made.paints)}.
{APART if run.start_from else ""}
Transfer: from realistic heads to drawings, the first blocks of the judge frozen. In stage `video` the judges
of mouths, of video and of sound were heard from {100 * run.steps.watched_from:.0f} % of its steps on, in
the last stage `moving` that of mouths from {100 * run.steps.judged_from:.0f} %. Still: **the truth of the
renderer, not the judges, taught most of it**.
All drawings were made by this project (`training/data/cartoon`), nobody's likeness; the voices are
synthetic. Licence: Apache-2.0.

## Quality on held-out data

Characters (`training/data/cartoon/held_out.yaml`), voices ({", ".join(kept.voices)})
and sentences that training never saw. Same frames in all rows. The bank shows the nearest of twenty drawn
mouths to what the same ears hear, with the true eyes: as sharp as the drawings, because it is drawn, but it
jumps.

{as_markdown(rounded(quality["table"]))}

{MEANINGS}
{COMPARED}

## Photos, and whole pictures by styles alone

Drawn selves: the styles that the encoder gives held-out realistic heads, read as the numbers of a character,
against the drawings that their parameters give (`psnr`; colours in levels of 255; shares of people whose kind
of hair, glasses and beard are right; correlation of the face's width).

{as_markdown(rounded(quality["selves"]))}

The generator as a StyleGAN: held-out characters through the encoder (`psnr_portrait`), held-out realistic
heads painted (`psnr_drawn_self`, against the same drawings), 64 characters from noise against held-out ones
(`frechet_samples`). `fine-tuned` and `from scratch` had the same {kept_at(run, "drawn")} steps on drawings;
`whole stage` is what `model.safetensors` holds.

{as_markdown(rounded(quality["portraits"]))}

## What it looks like

Held-out characters, voices and sentences; above as drawn, below as generated from the still and sound:

![Held-out characters](../../../../docs/images/animated/held_out.jpg)

The default avatar, by kind of sound, and its sliders (smile, brow, eyes) in both styles:

![Sounds](../../../../docs/images/animated/phones.jpg)
![Sliders](../../../../docs/images/animated/sliders.jpg)

Strangers' photos, what the generator paints of their styles, their drawn selves in both styles, and those
speaking (held-out voices and sentences):

![Drawn selves](../../../../docs/images/animated/selves.jpg)

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

Whole pictures from styles alone are soft: they are shown here, and no avatar uses them; a photo's drawn self
is a drawing of what its styles tell. What they do not tell is the same for all: the parting, the collar. The
encoder learnt from rendered heads: of a real photo it is surest about hair, skin and glasses.
Brows that a slider lowers all the way are smeared. The head turns by bending the picture, not in the style
space. Eyes and mouths of strangers are softer than
the default avatar's, which {100 * run.avatars:.0f} % of the last stages showed.

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
    speaks, paints = (
        torch.load(run.out / name, weights_only=True)["history"] for name in ("state.pt", "drawn.pt")
    )
    told = card(run, Made(speaks, paints), quality, about, manifest["bytes"])
    (weights / "MODEL_CARD.md").write_text(told, encoding="utf-8")
    write_manifest(weights, f"python -m training.animated.export, training.animated.card {config}")


if __name__ == "__main__":
    typer.run(main)
