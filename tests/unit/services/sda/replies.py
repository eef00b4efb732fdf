"""A reply drawn whole and in pieces, by any engine that draws from sound alone."""

import itertools
from collections.abc import Iterable

import numpy as np

from parley.engines import Audio, FaceEngine, FaceInput, Picture, pictures
from parley.media.clock import FRAME_SAMPLES


def offline(engine: FaceEngine, audio: Audio, *, avatar: str, seed: int = 1) -> list[Picture]:
    """The frames of speech that is there as a whole."""
    return pictures(engine.open(avatar, seed=seed), FaceInput(audio, last=True))


def in_pieces(
    engine: FaceEngine, audio: Audio, cuts: Iterable[int], *, avatar: str, seed: int = 1
) -> tuple[list[Picture], list[int]]:
    """The frames of speech that comes cut before these frames, and how many there were after each piece."""
    stream, frames, begun = engine.open(avatar, seed=seed), list[Picture](), list[int]()
    edges = [0, *cuts, len(audio) // FRAME_SAMPLES]
    for a, b in itertools.pairwise(edges):
        step = FaceInput(audio[a * FRAME_SAMPLES : b * FRAME_SAMPLES], last=b == edges[-1])
        frames += pictures(stream, step)
        begun.append(len(frames))
    return frames, begun


def same(a: list[Picture], b: list[Picture]) -> bool:
    """Equal to the bit."""
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
