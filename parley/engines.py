"""What an engine is: arrays in, arrays out. No network, no Redis, no gRPC, no asyncio (llm excepted) inside.

Audio is float32 mono in -1…1 at the rate named; `pts`/`end` are samples at 24 000 Hz unless said otherwise.
Methods are synchronous and may take long: the shells run them in a thread. Shared model, per-call state:
an engine is built once per process and is safe to open many streams on; a stream belongs to one session.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from proto.parley.v1 import chain_pb2 as pb

Audio = NDArray[np.float32]
Picture = NDArray[np.uint8]


# ---- ears ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A recognised word; times in samples of the audio given to `accept` since `reset` (engine's rate)."""

    text: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the engine believes was said in the turn so far.

    `stable_chars`: that many characters at the front will not change in later hypotheses of this turn.
    """

    text: str
    stable_chars: int = 0
    words: Sequence[HeardWord] = ()
    confidence: float = 0.0


class AsrStream(Protocol):
    """One listener's turn. Calls come one at a time."""

    def accept(self, audio: Audio) -> None:
        """Takes more speech (engine's sample rate)."""

    def partial(self) -> Hypothesis:
        """The hypothesis now; cheap enough to be called every 200 ms of speech."""

    def finalize(self) -> Hypothesis:
        """The authoritative hypothesis of the turn so far; `accept` may follow."""

    def reset(self) -> None:
        """Forgets the turn."""


class AsrEngine(Protocol):
    """Speech recogniser."""

    name: str
    model: str
    sample_rate_hz: int

    def open(
        self, *, language: str, hotwords: Sequence[str], lexicon: Mapping[str, str] | None = None
    ) -> AsrStream:
        """Starts listening for one session.

        Args:
            language: BCP-47; empty: the engine's own.
            hotwords: Words and phrases to expect.
            lexicon: The same, with ARPAbet pronunciations ("" = by rule).

        Raises:
            EngineUnavailable: What the session needs is not installed.
            BadRequest: A language or a pronunciation that the engine does not have.
        """


# ---- mind ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A stretch of the reply, any length, with its own spacing; or, at its end, what it calls."""

    text: str
    citations: Sequence[str] = ()
    calls: Sequence[pb.ToolCall] = ()


class LlmEngine(Protocol):
    """Answers a conversation. The one engine that is async, since it may wait for a server.

    Attributes:
        calls_tools: Whether it heeds `tools` of a turn; if not, it never sees calls or their results either.
    """

    name: str
    model: str
    calls_tools: bool

    def generate(self, turn: pb.Turn, *, spoken: str = "") -> AsyncGenerator[TextDelta, None]:
        """Streams the reply to `turn`. Closing the iterator stops the model.

        Args:
            turn: The conversation; `turn.history[-1]` is what the person just said, or the result of a call.
            spoken: Text of this reply that was already sent by a worker that died: go on after it.
        """


# ---- voice ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimedPhone:
    """Lower-case ARPAbet without stress, "pau" for silence; `end` in samples from the clause's first."""

    symbol: str
    end: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """Consecutive stretch of a clause's speech: audio float32 [n] at 24 000 Hz; phones that end in it."""

    audio: Audio
    phones: Sequence[TimedPhone] = ()


class TtsEngine(Protocol):
    """Speaks one clause at a time, deterministically (same input, same samples)."""

    name: str
    model: str
    has_phones: bool

    def voices(self) -> Sequence[str]:
        """Names that `synthesize` takes."""

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speech of one clause, as early as it can be had."""


# ---- face ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FaceInput:
    """One step of speech: audio float32 [n * 960] at 24 000 Hz; phones with `end` on the media clock."""

    audio: Audio
    phones: Sequence[TimedPhone] = field(default=())
    has_phones: bool = False
    last: bool = False


Wanted = Callable[[int], bool]


def all_wanted(frame: int) -> bool:
    """Every frame is to be drawn."""
    return True


class FaceStream(Protocol):
    """One reply's face. Causal: emits frame t once audio up to its end + the engine's look-ahead is in."""

    def push(self, step: FaceInput, wanted: Wanted = all_wanted) -> list[Picture | None]:
        """Frames that can be drawn now, in order, RGB uint8 [height, width, 3]; all the rest when `last`.

        Args:
            step: More speech.
            wanted: Asked for each frame, by number, just before it is drawn. An unwanted one costs no drawing
                and is None; what comes after it does not depend on the answer.
        """


def pictures(stream: FaceStream, step: FaceInput) -> list[Picture]:
    """All frames that a step lets draw."""
    return [picture for picture in stream.push(step) if picture is not None]


class FaceEngine(Protocol):
    """Draws a talking face from speech."""

    name: str
    model: str
    width: int
    height: int
    lookahead_samples: int

    def open(self, avatar: str, *, seed: int, half: bool = False) -> FaceStream:
        """Starts one reply; deterministic in `seed`, so that a take-over redraws the same frames.

        Args:
            avatar: Whom to draw.
            seed: Of all that is left to chance.
            half: Draw at half the width and height, to save time. An engine may leave it out: the pictures
                say how large they are.
        """

    def idle(self, avatar: str) -> list[Picture]:
        """The silent loop, 4 to 10 s at 25 fps; its last frame leads seamlessly into its first, and a
        reply begins and ends in the pose of frame 0."""
