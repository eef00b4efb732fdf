"""What is learnt from: realistic renders, drawings made on the spot, and speech. A step's batch is the same
on any machine."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley.errors import ConfigError
from services.sda.face.controls import HIGHEST, LOWEST
from services.sda.face.life import BLINK
from training.animated import sketch
from training.animated.heads import Split
from training.animated.model import CONTROL_SCALE, CONTROLS
from training.data.cartoon import characters, drawing
from training.data.cartoon.characters import Character, drawn_self
from training.data.cartoon.drawing import Face
from training.data.synthetic_faces.identities import named
from training.data.synthetic_faces.performance import PARAMETERS
from training.sda import clips
from training.sda.clips import MOUTH_CONTROLS

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
USES = 3  # of a drawing: drawing it costs as much as learning from it
KEPT_STEPS = 24  # over which they are spread
POSES = 4  # of a character
PAIRS = 0.5  # of whole pictures: a realistic head and its drawn self
_SCALE = np.array(CONTROL_SCALE, np.float32)
_COLUMNS = [PARAMETERS.index(name) for name in CONTROLS]


@dataclass(frozen=True)
class Photos:
    """Realistic heads.

    Attributes:
        pictures: uint8 [n, PIXELS, PIXELS, 3]; see heads.py.
        identities: Who is in each.
    """

    pictures: Bytes
    identities: tuple[str, ...]


@lru_cache(maxsize=2)
def photos(heads: Path, split: Split = "train") -> Photos:
    """The heads of a split.

    Raises:
        ConfigError: They have not been rendered.
    """
    if not heads.is_file():
        raise ConfigError(f"{heads} does not exist.", fix=f"python -m training.animated.heads {heads}")
    with np.load(heads) as told:
        among = told["splits"] == split
        return Photos(told["pictures"][among], tuple(str(name) for name in told["identities"][among]))


def all_heads(heads: Path) -> tuple[Bytes, Floats]:
    """Every training head, and what `photo_batch` tells of it."""
    among = photos(heads)
    told = [sketch.numbers(drawn_self(named(name))) for name in among.identities]
    return among.pictures, np.stack(told)


def photo_batch(heads: Path, random: np.random.Generator, size: int) -> tuple[Bytes, Floats]:
    """Realistic heads: uint8 [size, PIXELS, PIXELS, 3], and their drawn selves as numbers [size, NUMBERS]."""
    among = photos(heads)
    taken = random.integers(len(among.pictures), size=size)
    told = [sketch.numbers(drawn_self(named(among.identities[number]))) for number in taken]
    return among.pictures[taken], np.stack(told)


@lru_cache(maxsize=1)
def parameters(speech: Path) -> Floats:
    """What mouths and eyes do in speech: float32 [frames, len(PARAMETERS)], of all training clips."""
    return np.concatenate([clip.parameters for clip in _spoken(speech, "train")])


@lru_cache(maxsize=2)
def _spoken(speech: Path, part: clips.Part) -> list[clips.Clip]:
    return clips.load(speech, part, pictures=False)


def rest(random: np.random.Generator) -> Face:
    """A still's face: mouth shut, eyes open, looking at one."""
    return Face(gaze_x=float(random.normal(0, 0.01)), gaze_y=float(random.normal(0, 0.01)))


def sliders(random: np.random.Generator) -> Floats:
    """Mostly the character as it is, float32 [3]."""
    drawn = random.uniform(-1, 1, 3) * (random.random(3) < 0.4)
    return drawn.astype(np.float32)


def face(row: Floats, moved: Floats) -> Face:
    """What a row of `PARAMETERS` shows with sliders [3]."""
    lid, gaze_x, gaze_y, brow = (float(row[column]) for column in _COLUMNS)
    smile, raised, eyes = (float(value) for value in moved)
    mouth = tuple(float(v) for v in row[:MOUTH_CONTROLS])
    return Face(mouth, lid, gaze_x, gaze_y, brow, smile=smile, brows=raised, eyes=eyes)


def told(row: Floats) -> tuple[Floats, Floats]:
    """A row of `PARAMETERS` as the generator is told it: mouth [6] and scaled controls [4]."""
    return row[:MOUTH_CONTROLS].astype(np.float32), (row[_COLUMNS] * _SCALE).astype(np.float32)


def doing(among: Floats, random: np.random.Generator) -> Floats:
    """A row to learn a single picture from: of speech, or any mouth; blinks more than in life."""
    row: Floats = among[int(random.integers(len(among)))].copy()
    if random.random() < 0.25:
        row[:MOUTH_CONTROLS] = random.uniform(LOWEST, HIGHEST) * (random.random(MOUTH_CONTROLS) < 0.6)
    if random.random() < 0.15:
        row[PARAMETERS.index("lid")] = random.choice((0.28, 0.55, 0.62, 1.0))
    return row


@dataclass(frozen=True)
class Source:
    """Where material comes from, and how large pictures are.

    Attributes:
        speech: Folder of speech with mouth targets.
        heads: File of realistic heads.
        pixels: Of drawings.
        frames: Of a spoken window.
        seed: Of everything that is drawn.
        avatars: Share of the default avatars.
    """

    speech: Path
    heads: Path
    pixels: int
    frames: int
    seed: int
    avatars: float = characters.AVATAR_SHARE


def _recent(step: int, size: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Which drawings a step takes: of those of the last steps, each about `USES` times before it is gone."""
    fresh = max(size // USES, 1)
    return fresh * step + random.integers(fresh * KEPT_STEPS, size=size)


@dataclass(frozen=True)
class Poses:
    """N characters at rest and doing K things.

    Attributes:
        still: uint8 [N, n, n, 3], mouth shut.
        video: uint8 [N, K, n, n, 3], doing them.
        mouth: float32 [N, K, 6].
        controls: float32 [N, K, 4], scaled.
        sliders: float32 [N, K, 3].
    """

    still: Bytes
    video: Bytes
    mouth: Floats
    controls: Floats
    sliders: Floats


@lru_cache(maxsize=160)
def _poses(source: Source, index: int) -> tuple[NDArray[np.generic], ...]:
    """Character number `index` and what it does, the same on any machine; the fields of `Poses`."""
    random = np.random.default_rng([source.seed, index, 0xD2A])
    who, pictures, done = characters.trained(random, source.avatars), [], []
    for _ in range(POSES):
        row, moved = doing(parameters(source.speech), random), sliders(random)
        pictures.append(drawing.draw(who, face(row, moved), source.pixels))
        done.append((*told(row), moved))
    still = drawing.draw(who, rest(random), source.pixels)
    return still, np.stack(pictures), *(np.stack(part) for part in zip(*done, strict=True))


def poses(source: Source, size: int, step: int, random: np.random.Generator) -> Poses:
    """A batch of training characters, each of which does several things."""
    drawn = [_poses(source, int(index)) for index in _recent(step, size, random)]
    return Poses(*(np.stack(column) for column in zip(*drawn, strict=True)))


def stills(source: Source, size: int, step: int, random: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Characters at rest, the last of them drawn after photos.

    Returns:
        uint8 [size, n, n, 3]; uint8 [p, PIXELS, PIXELS, 3] of the last p.
    """
    paired = round(size * PAIRS)
    drawn = [_poses(source, int(index))[0] for index in _recent(step, size - paired, random)]
    among = photos(source.heads)
    taken = random.integers(len(among.pictures), size=paired)
    for number in taken:
        drawn.append(drawing.draw(drawn_self(named(among.identities[number])), Face(), source.pixels))
    return np.stack(drawn).astype(np.uint8), among.pictures[taken]


@dataclass(frozen=True)
class Spoken:
    """Drawn characters that speak. B clips of T frames.

    Attributes:
        still: uint8 [B, n, n, 3].
        video: uint8 [B, T, n, n, 3].
        mel: float32 [B, T, MELS, CONTEXT].
        wrong: Likewise, out of step with the video.
        mouth: float32 [B, T, 6].
        controls: float32 [B, T, 4], scaled.
        sliders: float32 [B, 3].
    """

    still: Bytes
    video: Bytes
    mel: Floats
    wrong: Floats
    mouth: Floats
    controls: Floats
    sliders: Floats


@dataclass(frozen=True)
class Window:
    """A drawn character in a stretch of a clip; see `Spoken`."""

    clip: clips.Clip
    first: int
    off: int
    still: Bytes
    video: Bytes
    rows: Floats
    sliders: Floats


@lru_cache(maxsize=96)
def _window(source: Source, index: int) -> Window:
    """Window number `index`: the same on any machine."""
    random, frames = np.random.default_rng([source.seed, index, 0x59E]), source.frames
    among = _spoken(source.speech, "train")
    clip = among[int(random.integers(len(among)))]
    first = int(random.integers(max(len(clip) - frames, 1)))
    rows = clip.parameters[first : first + frames].copy()
    if random.random() < 0.25:
        rows[:, PARAMETERS.index("lid")] = _blink(frames, random)
    who, moved = characters.trained(random, source.avatars), sliders(random)
    off = int(random.integers(3, clips.FARTHEST)) * int(random.choice((-1, 1)))
    video = np.stack([drawing.draw(who, face(row, moved), source.pixels) for row in rows])
    return Window(clip, first, off, drawing.draw(who, rest(random), source.pixels), video, rows, moved)


def spoken(source: Source, size: int, step: int, random: np.random.Generator) -> Spoken:
    """A batch of windows of speech, each drawn as a training character; what is heard is spoilt anew."""
    columns: list[tuple[NDArray[np.generic], ...]] = []
    for index in _recent(step, size, random):
        window = _window(source, int(index))
        columns.append(
            (
                window.still,
                window.video,
                window.clip.heard(window.first, source.frames, random),
                window.clip.heard(window.first + window.off, source.frames, random),
                window.rows[:, :MOUTH_CONTROLS],
                window.rows[:, _COLUMNS] * _SCALE,
                window.sliders,
            )
        )
    return Spoken(*(np.stack(column) for column in zip(*columns, strict=True)))


def _blink(frames: int, random: np.random.Generator) -> Floats:
    lids = np.zeros(frames, np.float32)
    first = int(random.integers(-3, frames - 2))
    for index, lid in enumerate(BLINK):
        if 0 <= first + index < frames:
            lids[first + index] = lid
    return lids


def held_out(speech: Path, count: int) -> list[tuple[Character, clips.Clip]]:
    """Held-out characters, each with a held-out sentence in a held-out voice."""
    among = _spoken(speech, "test")
    return [
        (characters.held_out(index), among[index * len(among) // count % len(among)])
        for index in range(count)
    ]
