"""What a filmed face does, read off its landmarks: of a rendered one it is known, of a scraped one seen.

    python -m training.sda.measured data/clips      # fits the readings to rendered clips, and tests them

Lids and roll are geometry. Gaze, brows, yaw and pitch are linear in where some landmarks lie, compared with
the clip's median: ridge regression on rendered faces, whose truth is in their files.
"""

import json
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

from parley.errors import ConfigError
from services.sda.face.controls import Control
from training.data.synthetic_faces.performance import PARAMETERS
from training.sda.faces import LIDS, Landmarker

Floats = NDArray[np.float32]

READINGS: Final = Path(__file__).with_suffix(".npz")
LINEAR: Final = ("gaze_x", "gaze_y", "brow", "yaw", "pitch")
CORNERS: Final = (33, 263)  # outer, of the eyes
# Along the middle of the face, ears and cheeks, brows, irises, lids, inner corners of the eyes.
POINTS: Final = (
    1, 4, 2, 6, 168, 10, 151, 9, 234, 454, 127, 356, 132, 361,
    105, 334, 70, 300, 107, 336, 468, 473, *LIDS, 133, 362,
)  # fmt: skip
OPEN: Final = 75  # percentile of a clip's lid gaps that is taken as open
SHUT: Final = 0.25  # of the open gap that is left between mediapipe's lids when they touch
RIDGE: Final = 1e-3


def lids(landmarks: Floats) -> Floats:
    """How far the lids are shut, 0…1, [frames]; `landmarks` float32 [frames, 478, 2] of one clip."""
    upper, lower = landmarks[:, LIDS[0::2]], landmarks[:, LIDS[1::2]]
    gap = np.linalg.norm(upper - lower, axis=-1).sum(1) / _across(landmarks)[1]
    shut: Floats = np.clip((1 - gap / np.percentile(gap, OPEN)) / (1 - SHUT), 0, 1)
    return shut


def roll(landmarks: Floats) -> Floats:
    """Angle of the eyes' line, radians, [frames]."""
    along = _across(landmarks)[0]
    angle: Floats = np.arctan2(along[:, 1], along[:, 0])
    return angle


def places(landmarks: Floats) -> Floats:
    """Where `POINTS` lie between eyes that are one apart, less the clip's median: [frames, 2 * points]."""
    along, apart = _across(landmarks)
    down = np.stack([-along[:, 1], along[:, 0]], 1)
    from_middle = landmarks[:, POINTS] - landmarks[:, CORNERS].mean(1, keepdims=True)
    x, y = (np.einsum("tpd,td->tp", from_middle, axis) / apart[:, None] for axis in (along, down))
    both = np.concatenate([x, y], 1)
    told: Floats = both - np.median(both, 0)
    return told


def _across(landmarks: Floats) -> tuple[Floats, Floats]:
    """Unit vector from the right eye to the left [frames, 2], and their distance [frames]."""
    across = landmarks[:, CORNERS[1]] - landmarks[:, CORNERS[0]]
    apart = np.linalg.norm(across, axis=1)
    return across / apart[:, None], apart


def parameters(landmarks: Floats, mouths: NDArray[np.floating]) -> Floats:
    """What rendered clips come with, of a filmed one: float32 [frames, len(PARAMETERS)].

    Args:
        landmarks: float32 [frames, 478, 2], pixels.
        mouths: [frames, 6]: what the sounds ask of a mouth, `services/sda/face/controls.py`.
    """
    told = np.zeros((len(landmarks), len(PARAMETERS)), np.float32)
    told[:, : mouths.shape[1]] = mouths
    told[:, PARAMETERS.index("lid")] = lids(landmarks)
    told[:, PARAMETERS.index("roll")] = roll(landmarks)
    with np.load(READINGS) as file:
        read = places(landmarks) @ file["weights"]
    told[:, [PARAMETERS.index(name) for name in LINEAR]] = read
    return told


def fit(clips: list[tuple[Floats, Floats]]) -> Floats:
    """Weights [2 * len(POINTS), len(LINEAR)] from landmarks and true parameters of rendered clips."""
    columns = [PARAMETERS.index(name) for name in LINEAR]
    seen = np.concatenate([places(landmarks) for landmarks, _ in clips])
    true = np.concatenate([truth[:, columns] - np.median(truth[:, columns], 0) for _, truth in clips])
    weights: Floats = np.linalg.solve(seen.T @ seen + RIDGE * np.eye(seen.shape[1]), seen.T @ true)
    return weights.astype(np.float32)


def main(
    rendered: Annotated[Path, typer.Argument(help="Folder of rendered clips.")],
    most: Annotated[int, typer.Option(help="Clips to look at.")] = 40,
) -> None:
    """Fit the readings on two thirds of some clips; tell how well they read the rest.

    Raises:
        ConfigError: There are fewer than three clips.
    """
    from training.sda.prepare import frames

    found = sorted(rendered.glob("[0-9]*.json"))
    chosen = found[:: max(1, len(found) // most)][:most]
    if len(chosen) < 3:
        raise ConfigError(f"{rendered} has {len(chosen)} clips.", fix="parley data render --minutes 3")
    clips = []
    for about in chosen:
        with Landmarker() as landmarker:
            seen = np.stack([landmarker.find(p) for p in frames(about.with_suffix(".mp4"))])
        clips.append((seen, np.array(json.loads(about.read_text("utf-8"))["parameters"], np.float32)))
    np.savez(READINGS, weights=fit([clip for number, clip in enumerate(clips) if number % 3 < 2]))
    told = []
    for landmarks, truth in clips[2::3]:
        told.append((parameters(landmarks, truth[:, : len(Control)]), truth))
    for name in ("lid", "roll", *LINEAR):
        column = PARAMETERS.index(name)
        read, true = (np.concatenate([_centred(pair[i][:, column]) for pair in told]) for i in (0, 1))
        print(f"{name:8} r {np.corrcoef(read, true)[0, 1]:.3f}   slope {read @ true / (true @ true):.2f}")


def _centred(values: Floats) -> Floats:
    centred: Floats = values - np.median(values)
    return centred


if __name__ == "__main__":
    typer.run(main)
