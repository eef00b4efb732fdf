"""The `gan` engine: our own speech-driven generator draws the face, from sound alone."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from parley.avatars import Avatar, load_avatar, version_of
from parley.engines import FaceInput, Picture, Wanted, all_wanted
from parley.media.clock import FRAME_SAMPLES
from services.sda.engines.intake import AHEAD, Intake
from services.sda.engines.kept import Kept
from services.sda.face import portrait
from services.sda.face.generator import WEIGHTS, Floats, Generator, Identity, Memory
from services.sda.face.life import IDLE_FRAMES, Life, idle
from services.sda.face.mel import LOOKAHEAD_SAMPLES, MelStream
from services.sda.face.motion import Pose, Upper, liveliness
from services.sda.face.portrait import Portrait

SETTLED = 25  # frames of silence after which the memory stands still
AVATARS_HELD = 64  # about 3 MB each


@dataclass(frozen=True, slots=True)
class Sitter:
    """An avatar, ready: computed once, shared by all streams.

    Attributes:
        portrait: What the face is put into.
        small: The same at half the size.
        who: What the decoder needs of it.
        calm: Memory after a while of silence.
        rest: Latent of the silent, open-eyed face.
    """

    portrait: Portrait
    small: Portrait
    who: Identity
    calm: Memory
    rest: Floats


class GanEngine:
    """Draws the avatars that have a still.

    Args:
        avatars_dir: Folder of avatars.
        weights: Exported generator.
        batch: See `Generator`.

    Raises:
        EngineUnavailable: The generator is missing or damaged.
    """

    name = "gan"
    kind = "speech-driven GAN"
    stills_by = "training.sda.still"
    width = height = 256
    lookahead_samples = LOOKAHEAD_SAMPLES

    def __init__(self, avatars_dir: Path, weights: Path = WEIGHTS, *, batch: int = 0) -> None:
        self._avatars_dir = avatars_dir
        self.generator = self._load(weights, batch)
        size, provider = self.generator.size, self.generator.provider.removesuffix("ExecutionProvider")
        self.model = f"{self.kind}, {size}x{size}, {provider}"
        self.sitter = Kept(self._sit, AVATARS_HELD, partial(version_of, avatars_dir))

    def _load(self, weights: Path, batch: int) -> Generator:
        return Generator(weights, batch=batch)

    def _sit(self, avatar: str) -> Sitter:
        """The avatar, ready to be drawn.

        Raises:
            UnknownAvatar: No such avatar.
            EngineUnavailable: It has no still; the message says how to make it.
        """
        about, generator = load_avatar(self._avatars_dir, avatar), self.generator
        path = about.folder / about.face.still
        still = portrait.load(path, avatar=avatar, output=self.width, made_by=self.stills_by)
        who = self._who(about, still.aligned(generator.size))
        silence, memory = _silence(), generator.memory()
        for _ in range(SETTLED):
            generator.latent(silence, Upper(), who, memory)
        rest = generator.latent(silence, Upper(), who, memory.copy())
        return Sitter(still, still.halved(), who, memory, rest)

    def _who(self, about: Avatar, face: Picture) -> Identity:
        """What the decoder needs of an avatar, from its aligned still."""
        return self.generator.identity(face)

    def open(self, avatar: str, *, seed: int, half: bool = False) -> "GanStream":
        """See `FaceEngine.open`; half the size takes two thirds of the time, encoding included."""
        sitter = self.sitter(avatar)
        return GanStream(self.generator, sitter, sitter.small if half else sitter.portrait, seed)

    def idle(self, avatar: str) -> list[Picture]:
        """See `FaceEngine.idle`: 6 s of the same generator hearing silence."""
        sitter, silence = self.sitter(avatar), _silence()
        seed = int.from_bytes(hashlib.sha256(avatar.encode()).digest()[:4], "little")
        frames = []
        for t in range(IDLE_FRAMES):
            upper, pose = idle(t, seed)
            latent = self.generator.latent(silence, upper, sitter.who, sitter.calm.copy())
            (face,) = self.generator.draw([latent], sitter.who)
            frames.append(sitter.portrait.draw(face, pose))
        return frames


class GanStream:
    """One reply: frame t is drawn once speech up to its end + 80 ms is in. Phones are not needed."""

    def __init__(self, generator: Generator, sitter: Sitter, portrait: Portrait, seed: int) -> None:
        self._generator, self._sitter, self._portrait = generator, sitter, portrait
        self._memory, self._mel = sitter.calm.copy(), MelStream()
        self._random = np.random.default_rng([seed, 0x6A4])
        self._life, self._intake = Life(seed), Intake()
        self._drawn = 0

    def push(self, step: FaceInput, wanted: Wanted = all_wanted) -> list[Picture | None]:
        """See `FaceStream.push`.

        Raises:
            BadRequest: Audio is not a whole number of video frames.
        """
        self._intake.take(step, self._mel.add)
        heard, end = self._intake.heard, self._intake.end
        ready = heard - AHEAD if end is None else end
        planned = [self._next(end, wanted) for _ in range(self._drawn, ready)]
        shown = [frame for frame in planned if frame is not None]
        faces = iter(self._generator.draw([latent for latent, _ in shown], self._sitter.who))
        return [None if frame is None else self._portrait.draw(next(faces), frame[1]) for frame in planned]

    def _next(self, end: int | None, wanted: Wanted) -> tuple[Floats, Pose] | None:
        """Latent and pose of the next frame, or None if it is not to be drawn."""
        generator, sitter, frame = self._generator, self._sitter, self._drawn
        upper, pose = self._life.step(*self._intake.next_levels())
        latent = generator.latent(
            self._mel.context(), upper, sitter.who, self._memory, generator.noise(self._random)
        )
        self._drawn += 1
        if not wanted(frame):
            return None
        alive = liveliness(frame, end)
        if alive < 1:
            latent = (sitter.rest + alive * (latent - sitter.rest)).astype(np.float32)
        return latent, pose.eased(alive)


def _silence() -> Floats:
    """What is heard of a silent frame."""
    stream = MelStream()
    for _ in range(1 + AHEAD):
        stream.add(np.zeros(FRAME_SAMPLES, np.float32))
    return stream.context()
