"""Speech with mouth targets and no pictures: cheap, so the audio encoder hears every voice first.

    python -m training.sda.speech OUT --minutes 60       # about 2 minutes of CPU; goes on where it stopped

The clips are those of the synthetic corpus beyond the numbers that are ever drawn.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from parley.media.audio import float_to_pcm16
from parley.media.clock import FPS
from training.data.synthetic_faces import plan
from training.data.synthetic_faces.performance import perform

FIRST = 1_000_000


def collect(
    out: Annotated[Path, typer.Argument(help="Where to.")],
    minutes: Annotated[float, typer.Option(help="How much speech there shall be, with what is there.")] = 60,
) -> None:
    """Make speech with mouth targets for the audio encoder."""
    out.mkdir(parents=True, exist_ok=True)
    frames, number = 0, FIRST
    while frames < minutes * 60 * FPS:
        path = out / f"{number}.npz"
        if path.is_file():
            with np.load(path) as there:
                frames += len(there["parameters"])
        else:
            clip = plan.clip(number)
            take = perform(clip)
            part = path.with_suffix(".part.npz")
            np.savez(
                part,
                pcm=np.frombuffer(float_to_pcm16(take.audio), "<i2"),
                parameters=take.parameters.astype(np.float32),
                about=json.dumps(
                    {"split": clip.split, "identity": clip.identity, "voice": clip.voice, "text": clip.text}
                ),
            )
            part.rename(path)
            frames += len(take.parameters)
        number += 1
        print(f"\r{frames / FPS / 60:.1f}/{minutes:g} min ", end="", flush=True)
    print()


if __name__ == "__main__":
    typer.run(collect)
