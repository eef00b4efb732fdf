"""Films for the demo material: whoever speaks is seen, in a frame that is larger than the face."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley.engines import FaceInput, Picture, pictures
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.video import write_mp4
from parley.settings import Settings
from services.sda.engines.visemes import VisemesEngine
from training.data.demo_material import TARGET, Turn

WIDTH, HEIGHT = 480, 360
FACES = {TARGET: "mira"}
OTHER_FACE = "theo"


@cache
def _engine() -> VisemesEngine:
    return VisemesEngine(Settings().avatars_dir)


def film(path: Path, turns: list[Turn], audio: NDArray[np.float32]) -> None:
    """Writes a video in which the picture cuts to whoever begins to speak.

    Args:
        path: an .mp4.
        turns: who speaks when.
        audio: float32 [n] at 24 kHz.
    """
    padded = np.pad(audio, (0, -len(audio) % FRAME_SAMPLES)).astype(np.float32)
    write_mp4(path, _frames(turns, padded), float_to_pcm16(padded))


def _frames(turns: list[Turn], audio: NDArray[np.float32]) -> Iterator[tuple[int, Picture]]:
    count = len(audio) // FRAME_SAMPLES
    shown = [_seen(turns, t * FRAME_SAMPLES / SAMPLE_RATE_HZ) for t in range(count)]
    for face in sorted(set(shown)):
        _engine().bank(face)
    start = 0
    while start < count:
        stop = next((t for t in range(start, count) if shown[t] != shown[start]), count)
        stream = _engine().open(shown[start], seed=start)
        piece = audio[start * FRAME_SAMPLES : stop * FRAME_SAMPLES]
        for offset, picture in enumerate(pictures(stream, FaceInput(piece, last=True))):
            yield (start + offset) * FRAME_SAMPLES, framed(picture, start + offset, shown[start])
        start = stop


def framed(face: Picture, t: int, name: str) -> Picture:
    """The face on a wall that depends on who it is, swaying by a few pixels."""
    wall = np.full((HEIGHT, WIDTH, 3), (70, 95, 110) if name == "mira" else (150, 120, 90), np.uint8)
    wall[::24] -= 12
    x = (WIDTH - face.shape[1]) // 2 + round(14 * np.sin(t / 40))
    y = (HEIGHT - face.shape[0]) // 2 + round(6 * np.sin(t / 27))
    wall[y : y + face.shape[0], x : x + face.shape[1]] = face
    return wall


def _seen(turns: list[Turn], at_s: float) -> str:
    begun = [turn for turn in turns if turn.start_s - 0.3 <= at_s] or turns[:1]
    return FACES.get(begun[-1].speaker, OTHER_FACE)
