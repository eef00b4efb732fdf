"""Writes a run's model card from what was recorded: `python -m training.sda.card RUN.yaml WEIGHTS`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from parley.errors import ConfigError
from training.data.synthetic_faces.plan import HELD_OUT_FILE, TRAINED, held_out
from training.sda.config import Config, load

MEANINGS = """\
- `psnr`, `ssim`: of the aligned face; `_mouth`: of the mouth's region alone. dB; 1 is equal.
- `lip_distance_px`: mean distance between 40 lip landmarks found by a network of this project, pixels of a
  256 face.
- `cpbd`: sharpness (Narvekar and Karam, 2011); compare with the real video's.
- `jitter`: change from frame to frame, relative to the real video's.
- `sync_offset` (median, frames), `in_step` (share of clips within one frame), `sync_confidence`: by a sync
  network of this project that the generator never trained against; not comparable with published LSE.
- `identity_distance`: of the person from the still, by dlib's face recogniser (`training/sda/likeness.py`);
  `someone else` is how far apart the held-out people are, and below 0.6 the recogniser calls two pictures
  one person.
- `blinks_per_s`: counted on mediapipe's landmarks, over clips in which it finds a face in every frame
  (`faces_found`).
"""


def card(
    config: Config,
    quality: dict[str, dict[str, Any]],
    ablation: dict[str, Any],
    lips: dict[str, dict[str, Any]],
    steps: int,
    minutes: float,
    files: dict[str, int],
) -> str:
    """The card, as markdown."""
    from training.sda.evaluate import as_markdown

    kept = held_out()
    voices = ", ".join(kept.voices)
    sizes = "\n".join(f"| `{name}` | {size / 1e6:.2f} MB |" for name, size in files.items())
    return f"""\
# Model card: speech-driven face, {config.model.size} × {config.model.size}

One still picture and speech give a talking face, live. Method: after Vougioukas, Petridis and Pantic (arXiv
1906.06337), rebuilt to run on one processor core; see `training/sda/model.py`.

Trained {steps} steps on {minutes:.1f} minutes of video rendered by this project: people who do not exist
(seeds {TRAINED.start} to {TRAINED.stop - 1}, and the default avatars) speaking with synthetic voices. No
recording of a real person was used. Licence: Apache-2.0.

## Quality on held-out data

Identities {kept.identities.first} to {kept.identities.last}, voices {voices},
{len(kept.sentences)} sentences: none was seen in training (`{HELD_OUT_FILE.name}`). Same frames in all rows.

{as_markdown(quality)}

{MEANINGS}
## What each discriminator is good for

{ablation["steps"]} adversarial steps from the same reconstruction, without one of them
(`training/sda/ablate.py`). What one of them is good for shows in what is lost without it: sharpness (`cpbd`)
and motion (`jitter`, nearer to 1 is nearer to real video). What all of them give over a whole training shows
in the first table (`full` against `reconstruction`).

{as_markdown(ablation["table"])}

## What it looks like

A row for each face: the two default avatars, and a held-out identity enrolled from one picture. Held-out
sentences in a voice that was never trained on (`training/sda/show.py`):

![A frame for each kind of sound](../../../../docs/images/face/phones.jpg)

How far apart the lips are in the middle of each sound, in pixels of a 256 face, medians
(`training/sda/lips.py`; the lip network only measures, the generator never learnt from it):

{as_markdown(apart(lips))}

Mouths in succession, while a person's recording speaks (LibriVox, public domain):

![Mouths](../../../../docs/images/face/human.jpg)

## Files

| file | size |
| --- | --- |
{sizes}

## Limits

The training faces are rendered. Photographs of real people are outside of what it learnt from. It must not be
used to put words into the mouth of a person who has not agreed.

## Settings

```yaml
{yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False).strip()}
```
"""


def apart(lips: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Rows of avatars, columns of sounds."""
    return {name: {kind: each["apart_px"] for kind, each in row.items()} for name, row in lips.items()}


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    weights: Annotated[Path, typer.Argument(help="Folder that training.sda.export wrote.")],
) -> None:
    """Write MODEL_CARD.md beside exported weights.

    Raises:
        ConfigError: The run was not evaluated, ablated, or its lips not measured.
    """
    import torch

    from training.sda import clips
    from training.sda.config import STAGES
    from training.sda.export import write_manifest

    run = load(config)
    read = {}
    for name, module in (("quality", "evaluate"), ("ablation", "ablate"), ("lips", "lips")):
        measured = run.out / f"{name}.json"
        if not measured.is_file():
            raise ConfigError(f"{measured} does not exist.", fix=f"python -m training.sda.{module} {config}")
        read[name] = json.loads(measured.read_text(encoding="utf-8"))
    state = torch.load(run.out / "state.pt", map_location="cpu", weights_only=True)
    steps = sum(run.steps.of(name) for name in STAGES[: state["stage"]]) + state["step"]
    frames = sum(len(clip) for clip in clips.load(run.faces, "train", identity=run.identity))
    told = card(
        run,
        read["quality"],
        read["ablation"],
        read["lips"],
        steps,
        frames / 25 / 60,
        json.loads((weights / "manifest.json").read_text(encoding="utf-8"))["bytes"],
    )
    (weights / "MODEL_CARD.md").write_text(told, encoding="utf-8")
    write_manifest(weights, f"python -m training.sda.export, training.sda.card {config}")
    print(told)


if __name__ == "__main__":
    typer.run(main)
