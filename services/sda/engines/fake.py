"""An engine for tests: a flat face whose mouth is as tall as the speech is loud."""

import numpy as np

from parley.engines import Audio, FaceInput, Picture, Wanted, all_wanted
from parley.media.clock import FPS, FRAME_SAMPLES

SIZE = 64
SKIN, MOUTH = (220, 180, 160), (90, 20, 30)


class FakeEngine:
    """Draws 64×64 frames in microseconds, with the same timing rules as a real engine."""

    name = "fake"
    model = "bar"
    width = height = SIZE
    lookahead_samples = 2 * FRAME_SAMPLES

    def open(self, avatar: str, *, seed: int, half: bool = False) -> "FakeStream":
        """See `FaceEngine.open`; `seed` moves the face sideways."""
        return FakeStream(seed)

    def idle(self, avatar: str) -> list[Picture]:
        """Four still seconds."""
        return [draw(0.0, 0)] * (4 * FPS)


class FakeStream:
    """One reply."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._audio: list[Audio] = []
        self._drawn = 0

    def push(self, step: FaceInput, wanted: Wanted = all_wanted) -> list[Picture | None]:
        """See `FaceStream.push`."""
        self._audio.extend(step.audio.reshape(-1, FRAME_SAMPLES))
        ready = len(self._audio) if step.last else len(self._audio) - 2
        new = range(self._drawn, max(ready, self._drawn))
        self._drawn = new.stop
        return [
            draw(float(np.abs(self._audio[number]).max()), self._seed) if wanted(number) else None
            for number in new
        ]


def draw(loud: float, seed: int) -> Picture:
    """The mouth is `loud` (0…1) of half the picture tall."""
    frame = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    half, left = round(min(loud, 1.0) * SIZE / 4), 20 + seed % 8
    frame[48 - half : 48 + half, left : left + 20] = MOUTH
    return frame
