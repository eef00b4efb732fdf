"""What the face of a clip does, frame by frame, while its speech sounds: everything but the drawing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley.engines import Audio, TimedPhone
from parley.media.clock import FRAME_SAMPLES
from services.sda.face.controls import HIGHEST, LOWEST, Control
from services.sda.face.curves import PhoneTrack
from services.sda.face.life import Life
from services.sda.face.loudness import Loudness
from services.sda.face.motion import Pose
from training.data.synthetic_faces import voices
from training.data.synthetic_faces.plan import Clip

LOOK_AHEAD = 2  # frames of sound that the head's motion anticipates
PARAMETERS = (
    *(control.name.lower() for control in Control),
    "lid", "gaze_x", "gaze_y", "brow", "yaw", "pitch", "roll", "sway", "bob",
)  # fmt: skip
_SPEECH, _MOTION = range(2)  # purposes of a clip's random numbers


@dataclass(frozen=True)
class Take:
    """A clip's performance, before it is drawn.

    Attributes:
        audio: float32 [frames * 960].
        phones: On the media clock.
        parameters: float64 [frames, len(PARAMETERS)].
    """

    audio: Audio
    phones: list[TimedPhone]
    parameters: np.ndarray[tuple[int, int], np.dtype[np.float64]]


def perform(clip: Clip) -> Take:
    """Speaks a clip and moves its face, without drawing.

    Raises:
        EngineUnavailable: A synthesiser is not installed.
    """
    random = clip.random(_SPEECH)
    before, after = (int(random.integers(4, 16)) * FRAME_SAMPLES for _ in range(2))
    early = int(random.integers(0, FRAME_SAMPLES))  # speech does not begin on the frame grid
    speech, said = voices.say(clip.voice, clip.text, random)
    audio = np.concatenate(
        [np.zeros(before - early, np.float32), speech, np.zeros(after + early, np.float32)]
    )
    phones = [
        TimedPhone("pau", before - early),
        *(TimedPhone(p.symbol, p.end + before - early) for p in said),
        TimedPhone("pau", len(audio)),
    ]
    shapes, levels = mouths(audio, phones), [*loudnesses(audio), *[0.0] * LOOK_AHEAD]
    life = Life(int(clip.random(_MOTION).integers(1 << 31)))
    size = float(clip.random(_MOTION).uniform(0.7, 1.8))  # of head motion: some people hold still
    rows = []
    for t, mouth in enumerate(shapes):
        upper, pose = life.step(levels[t], max(levels[t : t + 1 + LOOK_AHEAD]))
        rows.append([*mouth, upper.lid, upper.gaze_x, upper.gaze_y, upper.brow, *_sized(pose, size)])
    return Take(audio, phones, np.array(rows, np.float64).round(5))


def loudnesses(audio: Audio) -> list[float]:
    """Of each frame; `audio` float32 [frames * 960]."""
    loudness = Loudness()
    return [loudness.of(frame) for frame in audio.reshape(-1, FRAME_SAMPLES)]


def mouths(audio: Audio, phones: list[TimedPhone]) -> NDArray[np.float64]:
    """What the sounds ask of the mouth, [frames, 6]; `audio` float32 [frames * 960]."""
    track = PhoneTrack()
    track.add(phones)
    shapes = []
    for frame, level in enumerate(loudnesses(audio)):
        mouth = track.mouth(frame)
        if mouth[Control.OPEN] > 0:  # louder is wider
            mouth[Control.OPEN] *= 0.72 + 0.36 * level**0.5
        shapes.append(np.clip(mouth, LOWEST, HIGHEST))
    return np.array(shapes).reshape(-1, len(Control))


def _sized(pose: Pose, size: float) -> tuple[float, ...]:
    return pose.yaw * size, pose.pitch * size, pose.roll * size, pose.sway * size, pose.bob
