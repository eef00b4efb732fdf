"""What a face does besides speaking: head motion, blinks, glances, brows, breath."""

import math
from dataclasses import dataclass

import numpy as np

from parley.media.clock import FPS
from services.sda.face.motion import Pose, Upper

BLINK = (0.55, 1.0, 1.0, 0.62, 0.28, 0.08)  # shut at once, opened slowly: the other way round looks sleepy
IDLE_FRAMES = 6 * FPS


@dataclass(slots=True)
class _Spring:
    """Critically damped follower; keeps motion smooth whatever its target does."""

    pace: float  # rad/s
    at: float = 0.0
    speed: float = 0.0

    def step(self, target: float) -> float:
        dt = 1 / FPS
        decay = math.exp(-self.pace * dt)
        offset = self.at - target
        push = (self.speed + self.pace * offset) * dt
        self.at = target + (offset + push) * decay
        self.speed = (self.speed - self.pace * push) * decay
        return self.at


class _Drift:
    """Slow smooth wandering in about -1…1: sines of incommensurable periods."""

    def __init__(self, random: np.random.Generator, slowest_hz: float, fastest_hz: float) -> None:
        self._hz = random.uniform(slowest_hz, fastest_hz, 3)
        self._phase = random.uniform(0, 2 * math.pi, 3)

    def at(self, seconds: float) -> float:
        return float(np.sin(2 * math.pi * self._hz * seconds + self._phase).sum() / 2)


class Life:
    """The life of one reply, frame by frame; deterministic in `seed` and in the loudness it is told."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng([seed, 0x11FE])
        self._frame = -1
        self._active = 0.0
        self._slow = 0.0
        self._drifts = [
            _Drift(self._random, low, high)
            for low, high in ((0.12, 0.5), (0.15, 0.55), (0.1, 0.4), (0.1, 0.35))
        ]
        self._yaw, self._pitch, self._roll, self._sway = (_Spring(9.0) for _ in range(4))
        self._nod, self._brow = _Spring(14.0), _Spring(16.0)
        self._gaze_x, self._gaze_y = _Spring(45.0), _Spring(45.0)
        self._glance, self._glance_until = (0.0, 0.0), int(self._random.uniform(0.9, 2.0) * FPS)
        self._blink_from = int(self._random.uniform(0.5, 1.6) * FPS)
        self._accent_until = self._accent_again = 0
        self._accent = 0.0

    def step(self, loud: float, coming: float) -> tuple[Upper, Pose]:
        """The next frame.

        Args:
            loud: Level of this frame's speech, 0…1.
            coming: Level of the loudest frame within the look-ahead.
        """
        self._frame += 1
        t = self._frame / FPS
        talking = max(loud, coming) > 0.05
        self._active += ((1.0 if talking else 0.0) - self._active) * (0.22 if talking else 0.14)
        rise = coming - self._slow
        self._slow += (loud - self._slow) * 0.12
        self._stress(rise)
        a, still = self._active, not talking
        yaw = self._yaw.step(0.062 * a * self._drifts[0].at(t))
        pitch = self._pitch.step(0.030 * a * self._drifts[1].at(t))
        roll = self._roll.step(0.024 * a * self._drifts[2].at(t))
        sway = self._sway.step(0.16 * a * self._drifts[3].at(t) + 0.9 * yaw)
        accent = self._accent if self._frame < self._accent_until else 0.0
        nod = self._nod.step(-0.055 * accent)
        brow = self._brow.step(0.55 * accent + 0.10 * a * self._drifts[1].at(t * 1.7))
        gaze = self._look(still)
        upper = Upper(
            lid=self._lid(),
            gaze_x=self._gaze_x.step(gaze[0]) - yaw,
            gaze_y=self._gaze_y.step(gaze[1]) - 0.8 * (pitch + nod),
            brow=brow,
        )
        breath = 0.5 - 0.5 * math.cos(2 * math.pi * t / 3.4)
        return upper, Pose(yaw, pitch + nod, roll, sway, -0.05 * a * loud, breath)

    def _stress(self, rise: float) -> None:
        """Starts a brow accent with a nod when the voice gets clearly louder than of late."""
        if self._frame >= self._accent_again and rise > 0.42:
            self._accent = float(self._random.uniform(0.5, 1.0))
            self._accent_until = self._frame + int(self._random.uniform(5, 9))
            self._accent_again = self._frame + int(self._random.uniform(18, 45))

    def _look(self, still: bool) -> tuple[float, float]:
        """Mostly at the person; short glances aside while speaking."""
        if self._frame >= self._glance_until:
            away = self._glance == (0.0, 0.0) and not still
            self._glance = (
                (
                    float(self._random.choice([-0.11, -0.07, 0.06, 0.10])),
                    float(self._random.uniform(-0.06, 0.03)),
                )
                if away
                else (0.0, 0.0)
            )
            self._glance_until = self._frame + int(
                self._random.uniform(*((0.35, 0.9) if away else (1.4, 3.6))) * FPS
            )
        return (0.0, 0.0) if still else self._glance

    def _lid(self) -> float:
        since = self._frame - self._blink_from
        if since >= len(BLINK):
            self._blink_from = self._frame + int(self._random.uniform(1.8, 4.4) * FPS)
        return BLINK[since] if 0 <= since < len(BLINK) else 0.0


def idle(frame: int, seed: int) -> tuple[Upper, Pose]:
    """Frame of the silent loop: periodic in `IDLE_FRAMES`, at rest in frame 0; `seed` varies avatars."""
    random = np.random.default_rng([seed, 0x1D1E])
    turn = 2 * math.pi * frame / IDLE_FRAMES

    def wander(size: float) -> float:
        total = 0.0
        for harmonic in (1, 2, 3):
            share, phase = random.uniform(0.4, 1.0) / harmonic, random.uniform(0, 2 * math.pi)
            total += share * (math.sin(harmonic * turn + phase) - math.sin(phase))
        return size * total

    yaw, pitch, roll, sway = wander(0.020), wander(0.010), wander(0.009), wander(0.06)
    lid = 0.0
    for start in (int(random.uniform(1.2, 2.2) * FPS), int(random.uniform(4.0, 5.2) * FPS)):
        if 0 <= frame - start < len(BLINK):
            lid = BLINK[frame - start]
    glance_from, glance_x = int(random.uniform(2.6, 3.2) * FPS), float(random.choice([-0.06, 0.06]))
    glance = _plateau(frame, glance_from, glance_from + 20)
    breath = 0.5 - 0.5 * math.cos(2 * turn)
    upper = Upper(
        lid,
        glance_x * glance - yaw,
        -0.02 * glance - 0.8 * pitch,
        0.05 * math.sin(turn) * math.sin(turn / 2) ** 2,
    )
    return upper, Pose(yaw, pitch, roll, sway, 0.0, breath)


def _plateau(frame: int, first: int, last: int) -> float:
    """0 outside, 1 inside, two frames of slope: the eye's jump."""
    return float(np.clip(min(frame - first, last - frame) / 2, 0, 1))
