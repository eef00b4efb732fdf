"""The `visemes` engine: plays a bank of rendered faces by phone times, or by ear where there are none."""

import hashlib
from functools import partial
from pathlib import Path

from parley.avatars import load_avatar, version_of
from parley.engines import Audio, FaceInput, Picture, Wanted, all_wanted
from parley.media.clock import FRAME_SAMPLES
from services.sda.engines.intake import AHEAD, Intake
from services.sda.engines.kept import Kept
from services.sda.face import bank as banks
from services.sda.face.bank import Bank
from services.sda.face.controls import REST, Control, Mouth
from services.sda.face.curves import LOOKAHEAD, PhoneTrack
from services.sda.face.life import IDLE_FRAMES, Life, idle
from services.sda.face.listener import Hearing, Listener
from services.sda.face.motion import Pose, Upper, liveliness

BANKS_HELD = 8  # about 60 MB each


class VisemesEngine:
    """Draws the avatars that have a bank. Banks are loaded when first asked for, and shared.

    Args:
        avatars_dir: Folder of avatars.
    """

    name = "visemes"
    model = "rendered bank, phone times or a mel network"
    width = height = 256
    lookahead_samples = LOOKAHEAD

    def __init__(self, avatars_dir: Path) -> None:
        self._avatars_dir = avatars_dir
        self._listener = Listener()
        self.bank = Kept(self._load, BANKS_HELD, partial(version_of, avatars_dir))

    def _load(self, avatar: str) -> Bank:
        """The avatar's bank.

        Raises:
            UnknownAvatar: No such avatar.
            EngineUnavailable: It has no bank; the message says how to render it.
        """
        about = load_avatar(self._avatars_dir, avatar)
        return banks.load(about.folder / about.face.bank, avatar=avatar)

    def open(self, avatar: str, *, seed: int, half: bool = False) -> "VisemesStream":
        """See `FaceEngine.open`; a bank has one size, and playing it costs little."""
        return VisemesStream(self.bank(avatar), self._listener, seed)

    def idle(self, avatar: str) -> list[Picture]:
        """See `FaceEngine.idle`: 6 s, with two blinks, a glance and breath."""
        bank, seed = self.bank(avatar), _stable_seed(avatar)
        return [bank.draw(REST, *idle(t, seed)) for t in range(IDLE_FRAMES)]


class VisemesStream:
    """One reply.

    By ear, frame t is drawn once speech up to its end + 80 ms is in. By phones, also the phone that sounds at
    that instant must be known, and a phone is known when it ends: so frames may come up to that phone's
    length later (voices give a clause's speech much faster than it plays).
    """

    def __init__(self, bank: Bank, listener: Listener, seed: int) -> None:
        self._bank, self._listener = bank, listener
        self._phones: PhoneTrack | None = None
        self._hearing: Hearing | None = None
        self._life, self._intake = Life(seed), Intake()
        self._drawn = 0

    def push(self, step: FaceInput, wanted: Wanted = all_wanted) -> list[Picture | None]:
        """See `FaceStream.push`.

        Raises:
            BadRequest: Audio is not a whole number of video frames.
        """
        first = self._drawn
        return [
            self._bank.draw(*parts) if wanted(number) else None
            for number, parts in enumerate(self.plan(step), first)
        ]

    def plan(self, step: FaceInput) -> list[tuple[Mouth, Upper, Pose]]:
        """What the frames that can be drawn now show."""
        if self._phones is None and self._hearing is None:
            if step.has_phones:
                self._phones = PhoneTrack()
            else:
                self._hearing = Hearing(self._listener)
        if self._phones is not None:
            self._phones.add(step.phones)
        self._intake.take(step, self._hearing.add if self._hearing is not None else _deaf)
        frames = []
        while self._ready(self._intake.end):
            frames.append(self._next(self._intake.end))
        return frames

    def _ready(self, end: int | None) -> bool:
        if end is not None:
            return self._drawn < end
        heard = self._intake.heard
        if self._drawn + 1 + AHEAD > heard:
            return False
        return self._phones is None or self._phones.knows(self._drawn, heard * FRAME_SAMPLES)

    def _next(self, end: int | None) -> tuple[Mouth, Upper, Pose]:
        frame = self._drawn
        loud, coming = self._intake.next_levels()
        mouth = self._phones.mouth(frame) if self._phones is not None else self._listen()
        if mouth[Control.OPEN] > 0:  # louder is wider
            mouth[Control.OPEN] *= 0.72 + 0.36 * loud**0.5
        upper, pose = self._life.step(loud, coming)
        alive = liveliness(frame, end)
        self._drawn += 1
        return mouth * alive, upper.eased(alive), pose.eased(alive)

    def _listen(self) -> Mouth:
        assert self._hearing is not None
        return self._hearing.mouth()


def _deaf(audio: Audio) -> None:
    """Where phone times tell the mouth, speech itself is not needed."""


def _stable_seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
