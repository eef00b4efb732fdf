"""Prepared clips, and batches drawn from them: the same batch for the same step, on any machine."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from parley.engines import Audio
from parley.errors import ConfigError
from parley.media.clock import FRAME_SAMPLES
from services.sda.face import mel
from training.data.synthetic_faces.performance import PARAMETERS
from training.sda import augment

Floats = NDArray[np.float32]
MOUTH_CONTROLS = 6  # the first of `PARAMETERS`
CONTROLS = ("lid", "gaze_x", "gaze_y", "brow", "yaw", "pitch", "roll")
CONTROL_SCALE = np.array([1, 8, 8, 2, 10, 10, 10], np.float32)  # to about -1…1
_COLUMNS = [PARAMETERS.index(name) for name in CONTROLS]
_RELATIVE = np.array([0, 0, 0, 0, 1, 1, 1], np.float32)  # pose is told relative to the still's
LID = PARAMETERS.index("lid")
_POSE = [PARAMETERS.index(name) for name in ("yaw", "pitch", "roll")]
STILLS = 4  # that are drawn for each window
Part = Literal["train", "gauge", "test"]
GAUGE_EVERY = 6  # of the clips that are not held out, for the networks that measure: nothing else sees them
FARTHEST = 30  # frames by which a wrong pair may be out of step
_MARGIN = FRAME_SAMPLES * 8  # of sound around a window, for filters and rooms


def controls(parameters: Floats, still: Floats) -> Floats:
    """What the generator is told besides speech: float32 [frames, len(CONTROLS)].

    Args:
        parameters: [frames, len(PARAMETERS)].
        still: [len(PARAMETERS)], of the picture that identity is taken from.
    """
    told: Floats = (parameters[:, _COLUMNS] - still[_COLUMNS] * _RELATIVE) * CONTROL_SCALE
    return told


@dataclass(frozen=True)
class Clip:
    """One prepared clip, its pictures left on disk.

    Attributes:
        name: Number in the corpus.
        identity: Who.
        pcm: int16 [frames * 960].
        parameters: float32 [frames, len(PARAMETERS)].
        landmarks: float32 [frames, k, 2], units of the square; None in speech without pictures.
        pictures: uint8 [frames, size, size, 3]; None likewise.
    """

    name: str
    identity: str
    voice: str
    pcm: NDArray[np.int16]
    parameters: Floats
    landmarks: Floats | None
    pictures: NDArray[np.uint8] | None

    def __len__(self) -> int:
        return len(self.parameters)

    def audio(self) -> Audio:
        """The whole sound, float32."""
        return (self.pcm / 32768).astype(np.float32)

    def heard(self, first: int, count: int, random: np.random.Generator | None) -> Floats:
        """What the model hears for a stretch of frames, spoilt if `random`: [count, MELS, CONTEXT]."""
        begin, end = first * FRAME_SAMPLES - _MARGIN, (first + count) * FRAME_SAMPLES + _MARGIN
        inside = self.pcm[max(begin, 0) : max(end, 0)]
        speech = np.pad(inside, (max(-begin, 0), max(end - max(len(self.pcm), max(begin, 0)), 0))) / 32768
        features = mel.of_clip(
            speech.astype(np.float32) if random is None else augment.audio(speech.astype(np.float32), random)
        )
        if random is not None:
            features = augment.warped(features, random)
        return mel.contexts(features, _MARGIN // FRAME_SAMPLES, count)


def part_of(name: str, split: str) -> Part:
    """What a clip is for."""
    if split == "test":
        return "test"
    return "gauge" if int(name) % GAUGE_EVERY == 2 else "train"


def load(folder: Path, part: Part, *, identity: str = "", pictures: bool = True) -> list[Clip]:
    """Clips of a part, perhaps of one identity.

    Raises:
        ConfigError: There are none.
    """
    clips = []
    for path in sorted(folder.glob("[0-9]*.npz")):
        if ".part" in path.name:
            continue
        with np.load(path) as file:
            about = json.loads(str(file["about"]))
            if part_of(path.stem, about["split"]) != part or (identity and about["identity"] != identity):
                continue
            clips.append(
                Clip(
                    path.stem,
                    about["identity"],
                    about["voice"],
                    file["pcm"],
                    file["parameters"],
                    file["landmarks"].astype(np.float32) if pictures else None,
                    np.load(path.with_suffix(".npy"), mmap_mode="r") if pictures else None,
                )
            )
    if not clips:
        raise ConfigError(
            f"{folder} has no {part} clips{' of ' + identity if identity else ''}.",
            fix="Run `parley data render`, then `python -m training.sda.prepare` (or training.sda.speech).",
        )
    return clips


@dataclass(frozen=True)
class Batch:
    """Windows of video with their sound. B clips of T frames.

    Attributes:
        video: uint8 [B, T, size, size, 3].
        still: uint8 [B, size, size, 3], another frame of the same clip.
        mel: float32 [B, T, MELS, CONTEXT].
        wrong: Likewise, out of step with the video.
        mouth: float32 [B, T, 6].
        controls: float32 [B, T, 7].
        lid: float32 [B, T].
        landmarks: float32 [B, T, k, 2].
    """

    video: NDArray[np.uint8]
    still: NDArray[np.uint8]
    mel: Floats
    wrong: Floats
    mouth: Floats
    controls: Floats
    lid: Floats
    landmarks: Floats


def draw(clips: list[Clip], random: np.random.Generator, size: int, frames: int, blink_share: float) -> Batch:
    """A batch of `size` windows of `frames` frames, each clip as likely as it is long."""
    usable = [clip for clip in clips if len(clip) > frames]
    lengths = np.array([len(clip) for clip in usable], np.float64)
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for index in random.choice(len(usable), size, p=lengths / lengths.sum()):
        clip = usable[index]
        assert clip.pictures is not None and clip.landmarks is not None
        first = int(random.integers(len(clip) - frames))
        blinks = np.flatnonzero(clip.parameters[:, LID] > 0.5)
        if len(blinks) and random.random() < blink_share:
            first = int(np.clip(random.choice(blinks) - random.integers(frames), 0, len(clip) - frames))
        still = still_for(clip.parameters, first + frames // 2, random)
        off = int(random.integers(3, FARTHEST)) * int(random.choice((-1, 1)))
        now = slice(first, first + frames)
        parts.append(
            (
                clip.pictures[now],
                clip.pictures[still],
                clip.heard(first, frames, random),
                clip.heard(first + off, frames, random),
                clip.parameters[now, :MOUTH_CONTROLS],
                controls(clip.parameters[now], clip.parameters[still]),
                clip.parameters[now, LID],
                clip.landmarks[now],
            )
        )
    return Batch(*(np.stack(column) for column in zip(*parts, strict=True)))


def still_for(parameters: Floats, middle: int, random: np.random.Generator) -> int:
    """Another frame of the clip: of a few at random, that whose head is turned most like the middle one's."""
    among = random.integers(len(parameters), size=STILLS)
    turned = parameters[:, _POSE]
    return int(among[np.abs(turned[among] - turned[middle]).sum(1).argmin()])


def draw_speech(
    clips: list[Clip], random: np.random.Generator, size: int, frames: int
) -> tuple[Floats, Floats]:
    """Sound and mouths: float32 [size, frames, MELS, CONTEXT] and [size, frames, 6], at varied speed."""
    heard, mouths = [], []
    for _ in range(size):
        clip = clips[int(random.integers(len(clips)))]
        features = augment.warped(mel.of_clip(augment.audio(clip.audio(), random)), random)
        speed = float(random.uniform(0.85, 1.2))
        mouth = augment.paced(clip.parameters[:, :MOUTH_CONTROLS], speed)
        # A frame's controls are those of its first instant, which is where its hops begin: both scale alike.
        features = augment.paced(features, speed)
        first = int(random.integers(max(len(mouth) - frames, 0) + 1))
        taken = mouth[first : first + frames]
        mouths.append(np.pad(taken, ((0, frames - len(taken)), (0, 0)), mode="edge"))
        heard.append(mel.contexts(features, first, frames))
    return np.stack(heard), np.stack(mouths)
