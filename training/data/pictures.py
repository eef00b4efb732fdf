"""Where a video's pictures are fit to learn a face from: scenes by PySceneDetect, faces by MediaPipe."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import av
import numpy as np

from parley.engines import Picture
from parley.errors import EngineUnavailable

_CUT_WIDTH = 128
_LOOK_WIDTH = 480
_ENOUGH = 0.8

MEDIAPIPE_FIX = "pip install --no-deps mediapipe==0.10.21 && pip install absl-py attrs flatbuffers matplotlib"


@dataclass(frozen=True)
class Scene:
    """A stretch without a cut. `reason` says why the face cannot be learnt from it; empty: it can."""

    start_s: float
    end_s: float
    reason: str

    @property
    def fit(self) -> bool:
        """One face, large enough, nearly always seen."""
        return not self.reason

    def row(self) -> list[float | str]:
        """As it stands in ledgers."""
        return [round(self.start_s, 3), round(self.end_s, 3), self.reason]


@dataclass(frozen=True)
class _Look:
    at_s: float
    faces: int
    height: float


def scenes(path: Path, *, min_face: float, look_every_s: float) -> list[Scene]:
    """The video's scenes.

    Args:
        path: a video that opens; damaged pictures are skipped.
        min_face: height of the face over height of the picture.
        look_every_s: how often to look for faces.

    Raises:
        EngineUnavailable: PySceneDetect or MediaPipe is not installed.
    """
    detector = _Cuts()
    cuts: list[float] = []
    looks: list[_Look] = []
    times: list[float] = []
    end_s, next_look = 0.0, 0.0
    for at_s, frame in decoded(path):
        small = frame.reformat(_CUT_WIDTH, max(2, frame.height * _CUT_WIDTH // frame.width // 2 * 2))
        times.append(at_s)
        cuts += [
            times[found]
            for found in detector(len(times) - 1, cast(Picture, small.to_ndarray(format="bgr24")))
        ]
        if at_s >= next_look:
            looks.append(_look(frame, at_s))
            next_look = at_s + look_every_s
        end_s = at_s
    edges = [0.0, *cuts, end_s]
    return [
        Scene(start, end, _unfit([look for look in looks if start <= look.at_s < end], min_face))
        for start, end in itertools.pairwise(edges)
        if end > start
    ]


def decoded(path: Path, start_s: float = 0.0) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames of the first video track with their times, from the last keyframe before `start_s` on."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        if start_s > 0:
            container.seek(int(start_s * av.time_base))
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                if frame.time is not None:
                    yield float(frame.time), frame
            if packet is None:
                return


def _unfit(looks: list[_Look], min_face: float) -> str:
    if not looks:
        return "scene too short"
    alone = [look for look in looks if look.faces == 1]
    if len(alone) < _ENOUGH * len(looks):
        crowded = sum(look.faces > 1 for look in looks)
        return "several faces" if crowded > len(looks) * (1 - _ENOUGH) else "no face"
    if float(np.median([look.height for look in alone])) < min_face:
        return "face too small"
    return ""


def _look(frame: av.VideoFrame, at_s: float) -> _Look:
    width = min(_LOOK_WIDTH, frame.width)
    picture = frame.reformat(width, max(2, frame.height * width // frame.width // 2 * 2))
    found = _face_finder().process(picture.to_ndarray(format="rgb24")).detections or []
    heights = [each.location_data.relative_bounding_box.height for each in found]
    return _Look(at_s, len(found), max(heights, default=0.0))


@cache
def _face_finder() -> Any:
    try:
        from mediapipe.python.solutions.face_detection import FaceDetection
    except ImportError as error:
        raise EngineUnavailable("Looking for faces needs MediaPipe.", fix=MEDIAPIPE_FIX) from error
    return FaceDetection(min_detection_confidence=0.5, model_selection=0)


class _Cuts:
    """PySceneDetect's content detector fed frame by frame: returns indexes of frames that begin a scene."""

    def __init__(self) -> None:
        try:
            from scenedetect import FrameTimecode
            from scenedetect.detector import FlashFilter
            from scenedetect.detectors import ContentDetector
        except ImportError as error:
            raise EngineUnavailable(
                "Finding cuts needs PySceneDetect.", fix="pip install --no-deps scenedetect"
            ) from error
        self._detector = ContentDetector(min_scene_len=10, filter_mode=FlashFilter.Mode.SUPPRESS)
        self._time = FrameTimecode

    def __call__(self, index: int, picture: Picture) -> list[int]:
        found = self._detector.process_frame(self._time(index, 25.0), picture)
        return [int(each.frame_num) for each in found]
