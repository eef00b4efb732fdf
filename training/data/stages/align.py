"""Stage 10, align: the face in the middle at one size, as an H.264 crop with landmarks and the mouth's mask.

Every frame of 25 a second gets MediaPipe's 468 landmarks. A similarity transform takes the eyes and the
nose, smoothed over time, to fixed places; so the crop keeps the face's own movements but not the head's
travel. Frames in which the face is not seen, turned too far or covered are left out of the `stretches` that
trainers take (the crop keeps them, so that sound and pictures stay in step); a clip with many is turned down.
"""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from parley.engines import Picture
from parley.errors import EngineUnavailable
from parley.media.clock import FPS, FRAME_SAMPLES
from parley.media.video import write_mp4
from training.data import occlusion
from training.data.pictures import MEDIAPIPE_FIX, decoded
from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "align"
VERSION = 3
AFTER = ("corrected",)

Points = NDArray[np.float32]

# Landmarks of MediaPipe's face mesh.
RIGHT_EYE, LEFT_EYE, NOSE, CHIN = (33, 133), (362, 263), 1, 152
CHEEKS = (234, 454)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_POINTS = 468


class Config(BaseModel):
    """Settings.

    Attributes:
        size: of the crop, pixels, even.
        eyes_apart: distance between the eyes over the crop's size.
        eyes_down: height of the eyes over the crop's size, from the top.
        smooth_frames: width (standard deviation) of the smoothing over time.
        max_turn: how far the nose may be from the middle between the cheeks, over half their distance.
        max_covered: how unlike the lower face may be to what it is in most of the clip; see `occlusion`.
        min_good: share of good frames in a clip.
        min_stretch_s: a shorter run of good frames is left out, too.
        mouth_margin: how far the mouth's mask reaches beyond the lips, over the mouth's width.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = 256
    eyes_apart: float = 0.27
    eyes_down: float = 0.4
    smooth_frames: float = 2.0
    max_turn: float = 0.45
    max_covered: float = 0.17
    min_good: float = 0.9
    min_stretch_s: float = 1.0
    mouth_margin: float = 0.35


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    if not item["video"]:
        raise Rejected("no pictures")
    if not any(
        not why and start <= item["start_s"] + 0.5 and item["end_s"] - 0.5 <= end
        for start, end, why in _joined(item["scenes"])
    ):
        raise Rejected("no fit scene holds the clip")
    times, pictures, found = _look(work.path(item["video"]), item["start_s"], item["end_s"])
    seen = np.array([points is not None for points in found])
    if seen.mean() < config.min_good:
        raise Rejected("face not seen", f"in {1 - seen.mean():.0%} of frames")
    landmarks = fill([points for points in found])
    good = seen & (np.abs(turn(landmarks)) < config.max_turn)
    if good.mean() < config.min_good:
        raise Rejected("turned away", f"in {1 - good.mean():.0%} of frames")
    transforms = steady(landmarks, config)
    looks = [occlusion.small(*pair, config.size) for pair in zip(pictures, transforms, strict=True)]
    good &= occlusion.unlike(np.array(looks)) < config.max_covered
    if good.mean() < config.min_good:
        raise Rejected("covered", f"in {1 - good.mean():.0%} of frames")
    moved = placed(landmarks, transforms)
    with work.blob(".mp4") as crop:
        crops = (
            (index * FRAME_SAMPLES, _crop(picture, transform, config.size))
            for index, (picture, transform) in enumerate(zip(pictures, transforms, strict=True))
        )
        write_mp4(crop.aside, crops, b"")
    with work.blob(".npz") as blob, blob.aside.open("wb") as file:
        np.savez(
            file,
            landmarks=moved.astype(np.float16),
            good=good,
            mouth=np.array([mouth(points, config.mouth_margin) for points in moved], np.float32),
        )
    return [
        {
            **{name: item[name] for name in ("id", "audio", "start_s", "media_s")},
            "crop": crop.name,
            "landmarks": blob.name,
            "frames": len(times),
            "good": round(float(good.mean()), 4),
            "stretches": stretches(good, round(config.min_stretch_s * FPS)),
            "jitter": round(
                float(np.abs(np.diff(moved[:, NOSE], n=2, axis=0)).mean()) if len(moved) > 2 else 0, 4
            ),
        }
    ]


def fill(found: list[Points | None]) -> Points:
    """Landmarks [frames, 468, 2], gaps bridged from neighbours; at least one frame must have some."""
    known = [index for index, points in enumerate(found) if points is not None]
    return np.array(
        [found[min(known, key=lambda k: abs(k - index))] for index in range(len(found))], np.float32
    )


def placed(landmarks: Points, transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Landmarks [frames, points, 2] where `transforms` [frames, 2, 3] bring them."""
    moved: NDArray[np.float64] = np.einsum("tij,tpj->tpi", transforms[:, :, :2], landmarks)
    return moved + transforms[:, None, :, 2]


def stretches(good: NDArray[np.bool_], shortest: int) -> list[list[int]]:
    """Runs of good frames, [first, last + 1] each, those of `shortest` frames and more."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8))).tolist()
    runs = zip(edges[::2], edges[1::2], strict=True)
    return [[first, end] for first, end in runs if end - first >= shortest]


def turn(landmarks: Points) -> Points:
    """How far each face is turned: 0 straight, ±1 in profile, [frames]."""
    right, left = landmarks[:, CHEEKS[0]], landmarks[:, CHEEKS[1]]
    across = left - right
    along = np.einsum("td,td->t", landmarks[:, NOSE] - (right + left) / 2, across)
    turned: Points = 2 * along / np.maximum(np.einsum("td,td->t", across, across), 1e-6)
    return turned


def steady(landmarks: Points, config: Config) -> NDArray[np.float64]:
    """Similarity transforms [frames, 2, 3] that put the smoothed eyes at their fixed places."""
    radius = int(3 * config.smooth_frames) + 1
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(config.smooth_frames, 1e-3)) ** 2)
    kernel /= kernel.sum()
    eyes = np.stack([landmarks[:, RIGHT_EYE].mean(1), landmarks[:, LEFT_EYE].mean(1)], 1)
    padded = np.pad(eyes, ((radius, radius), (0, 0), (0, 0)), "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)
    right, left = np.moveaxis(windows @ kernel, 1, 0)
    across = left - right
    # As complex numbers a similarity is z * x + w.
    scale = config.eyes_apart * config.size / (across[:, 0] + 1j * across[:, 1])
    middle = (right + left) / 2
    place = config.size * (0.5 + 1j * config.eyes_down)
    move = place - scale * (middle[:, 0] + 1j * middle[:, 1])
    return np.stack(
        [
            np.stack([scale.real, -scale.imag, move.real], 1),
            np.stack([scale.imag, scale.real, move.imag], 1),
        ],
        1,
    )


def mouth(points: Points, margin: float) -> Points:
    """The mask over the mouth: left, top, right, bottom of an ellipse's box, in pixels of the crop."""
    lips = points[list(LIPS)]
    low, high = lips.min(0), lips.max(0)
    reach = margin * (high[0] - low[0])
    return np.array([low[0] - reach, low[1] - reach, high[0] + reach, high[1] + reach], np.float32)


def _joined(scenes: list[Any]) -> list[tuple[float, float, str]]:
    """Neighbouring fit scenes count as one: a cut between two pictures of the face is no loss of it."""
    joined: list[tuple[float, float, str]] = []
    for fit, group in itertools.groupby(scenes, key=lambda scene: not scene[2]):
        each = list(group)
        joined.append((each[0][0], each[-1][1], "" if fit else each[0][2]))
    return joined


def _look(path: Path, start_s: float, end_s: float) -> tuple[list[float], list[Picture], list[Points | None]]:
    """The clip's pictures at 25 a second, whatever the video's rate, and the landmarks in each."""
    times = [start_s + index / FPS for index in range(int((end_s - start_s) * FPS))]
    pictures: list[Picture] = []
    found: list[Points | None] = []
    last: Picture | None = None
    for at_s, frame in itertools.chain(decoded(path, start_s), [(end_s + 1, None)]):
        while last is not None and len(pictures) < len(times) and at_s > times[len(pictures)] + 0.5 / FPS:
            pictures.append(last)
            found.append(landmarks_of(last))
        if frame is None or len(pictures) >= len(times):
            break
        last = cast(Picture, frame.to_ndarray(format="rgb24"))
    if not pictures:
        raise Rejected("no pictures", "where the clip is")
    return times[: len(pictures)], pictures, found


def landmarks_of(picture: Picture) -> Points | None:
    """The face mesh [468, 2] in pixels; None: no face is seen."""
    faces = _mesh().process(picture).multi_face_landmarks
    if not faces:
        return None
    height, width = picture.shape[:2]
    points = [(point.x * width, point.y * height) for point in faces[0].landmark[:_POINTS]]
    return np.array(points, np.float32)


def _crop(picture: Picture, transform: NDArray[np.float64], size: int) -> Picture:
    return cast(
        Picture,
        cv2.warpAffine(
            picture, transform, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        ),
    )


@cache
def _mesh() -> Any:
    try:
        from mediapipe.python.solutions.face_mesh import FaceMesh
    except ImportError as error:
        raise EngineUnavailable("Landmarks need MediaPipe.", fix=MEDIAPIPE_FIX) from error
    # Each picture by itself: tracking would make the result depend on what was seen before.
    return FaceMesh(static_image_mode=True, max_num_faces=1, min_detection_confidence=0.5)
