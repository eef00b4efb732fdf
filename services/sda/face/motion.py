"""What a head does besides speaking, and how a still picture is bent by it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture

FIELDS = ("yaw", "pitch", "roll", "sway", "bob", "breath")  # rad, rad, rad, cm, cm, 0…1
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Upper:
    """Eyes and brows. lid: 0 open … 1 shut; gaze in tangents; brow: -0.3 lowered … 0.8 raised."""

    lid: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    brow: float = 0.0

    def eased(self, share: float) -> "Upper":
        """`share` of the way from rest."""
        return Upper(self.lid * share, self.gaze_x * share, self.gaze_y * share, self.brow * share)


@dataclass(frozen=True, slots=True)
class Pose:
    """Motion of head and chest, in the units of `FIELDS`."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    sway: float = 0.0
    bob: float = 0.0
    breath: float = 0.0

    def eased(self, share: float) -> "Pose":
        """`share` of the way from rest."""
        return Pose(*(getattr(self, name) * share for name in FIELDS))


EASE_IN = (0.0, 0.5, 0.85)
EASE_OUT = {1: 0.0, 2: 0.5}  # by frames left


def liveliness(frame: int, end: int | None) -> float:
    """How much of a reply's motion a frame shows: its first and its last are the idle loop's first.

    Args:
        frame: Number in the reply.
        end: Frames of the reply; None: not known yet.
    """
    begun = EASE_IN[frame] if frame < len(EASE_IN) else 1.0
    return begun if end is None else min(begun, EASE_OUT.get(end - frame, 1.0))


class Bend:
    """A smooth displacement field per degree of freedom, computed from the depth of the still picture.

    Args:
        fields: float [len(FIELDS), 2, n, n], any n: displacement in pixels of the still (x, y) per unit.
        size: Of the still, pixels.
        output: Of the frames, pixels.
    """

    def __init__(self, fields: NDArray[np.floating], size: int, output: int) -> None:
        self.output = output
        self.fields: Floats = np.stack(
            [
                [
                    cv2.resize(plane, (output, output), interpolation=cv2.INTER_CUBIC)
                    for plane in field.astype(np.float32)
                ]
                for field in fields
            ]
        )
        line = (np.arange(output, dtype=np.float32) + 0.5) * (size / output) - 0.5
        self._still = np.stack(np.meshgrid(line, line))

    def __call__(self, still: Picture, pose: Pose) -> Picture:
        """The still, RGB uint8 [size, size, 3], in a pose: [output, output, 3]."""
        source = self._still
        for name, field in zip(FIELDS, self.fields, strict=True):
            amount = getattr(pose, name)
            if amount:
                source = cv2.scaleAdd(field, -amount, source)
        frame: Picture = cv2.remap(
            still, source[0], source[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )  # type: ignore[assignment]
        return frame
