# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Are the lips where the sounds want them? `python -m training.sda.lips training/configs/sda-128.yaml`

The shipped face says held-out sentences in a voice that was never trained on; the run's lip network, which
the generator never saw, measures the frame in the middle of each phone: how far the lips are apart and how
wide the mouth is, in pixels of a 256 face, the median of each kind of sound.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from parley.engines import Audio, TimedPhone
from parley.media.clock import FRAME_SAMPLES
from services.sda.config import SdaSettings
from services.sda.engines.gan import GanEngine
from services.sda.face.mel import AFTER, HOPS_PER_FRAME, MelStream
from services.sda.face.motion import Upper
from training.sda.config import load
from training.sda.evaluate import gauges_of
from training.sda.faces import INNER_LIPS, KEPT, OUTER_LIPS
from training.sda.gauges import PIXELS, LipNet
from training.sda.show import utterance

KINDS = ("p b m", "f v", "ae aa ay aw", "iy", "uw ow w")
UPPER, LOWER = (len(OUTER_LIPS) + INNER_LIPS.index(point) for point in (13, 14))
LEFT, RIGHT = (KEPT.index(point) for point in (61, 291))


def spoken(engine: GanEngine, avatar: str, speech: Audio) -> torch.Tensor:
    """Aligned faces that say it, [T, 3, size, size] in -1…1."""
    generator, sitter, mel = engine.generator, engine.sitter(avatar), MelStream()
    memory, faces = sitter.calm.copy(), []
    for frame in [*speech.reshape(-1, FRAME_SAMPLES), *np.zeros((AFTER // HOPS_PER_FRAME, FRAME_SAMPLES))]:
        mel.add(frame.astype(np.float32))
    for _ in range(len(speech) // FRAME_SAMPLES):
        latent = generator.latent(mel.context(), Upper(), sitter.who, memory)
        faces += generator.draw([latent], sitter.who)
    return torch.from_numpy(np.stack(faces)).movedim(-1, 1).float() / 127.5 - 1


def table(points: NDArray[np.float32], phones: list[TimedPhone]) -> dict[str, dict[str, float]]:
    """Medians by kind of sound, from lips [T, LIPS, 2] in units of the square."""
    apart = PIXELS * (points[:, LOWER, 1] - points[:, UPPER, 1])
    wide = PIXELS * np.abs(points[:, RIGHT, 0] - points[:, LEFT, 0])
    starts = [0, *(phone.end for phone in phones)]
    told = {}
    for kind in KINDS:
        at = [
            (start + phone.end) // 2 // FRAME_SAMPLES
            for start, phone in zip(starts, phones, strict=False)
            if phone.symbol in kind.split()
        ]
        told[kind] = {
            "apart_px": round(float(np.median(apart[at])), 1),
            "wide_px": round(float(np.median(wide[at])), 1),
            "sounds": len(at),
        }
    return told


@torch.no_grad()
def measured(lips: LipNet, video: torch.Tensor) -> NDArray[np.float32]:
    """Lips of each picture, float32 [T, LIPS, 2]."""
    found: NDArray[np.float32] = torch.cat([lips(part) for part in video.split(64)]).numpy()
    return found


def main(config: Annotated[Path, typer.Argument(help="The run's YAML, for its lip network.")]) -> None:
    """Measure the default avatars' lips by kind of sound."""
    out = load(config).out
    _, lips = gauges_of(out / "state.pt")
    speech, phones = utterance()
    engine = GanEngine(SdaSettings().avatars_dir)
    told = {name: table(measured(lips, spoken(engine, name, speech)), phones) for name in ("mira", "theo")}
    (out / "lips.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    typer.run(main)
