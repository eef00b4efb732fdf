"""Face over gRPC: speech in real time, H.264 back; each frame is timed against the sound that it shows."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle

import numpy as np

from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ, ms_to_samples
from parley.rpc.client import channel, describe
from parley.rpc.errors import translated
from proto.parley.v1 import chain_pb2, sda_pb2, sda_pb2_grpc
from tests.load.phases import Budget, Sample
from tests.load.speech import Prompt, shares
from tests.load.sweep import Work
from tests.load.tts import ANSWER_WINDOW

PIECE_SAMPLES = 5 * FRAME_SAMPLES
LOOKAHEAD_SAMPLES = ms_to_samples(80)  # no face may need more sound ahead than this


class SdaLoad:
    """Replies, spoken in real time."""

    what = "sda"
    unit = "a reply's face, in H.264 and in real time"
    processes: tuple[str, ...] = ("sda",)
    stagger_s = 0.7
    budget = Budget(measure="first_frame_ms", p95_ms=150, why=ANSWER_WINDOW)

    def __init__(self, address: str, avatar: str) -> None:
        self._address = address
        self._avatar = avatar

    async def engine(self) -> str:
        """What runs there."""
        return (await describe(self._address)).engine

    @contextlib.asynccontextmanager
    async def client(self, number: int, clients: int) -> AsyncIterator[Work]:
        """One viewer."""
        async with channel(self._address) as link:
            stub = sda_pb2_grpc.SdaStub(link)  # type: ignore[no-untyped-call]
            said = cycle(shares(number, clients))
            yield lambda: self._reply(stub, next(said))

    async def _reply(self, stub: sda_pb2_grpc.SdaStub, prompt: Prompt) -> Sample:
        given: list[float] = []  # when each piece of speech was given
        shown: dict[int, float] = {}  # pts of a frame: when it came
        with translated("sda"):
            async for piece in stub.Animate(self._requests(prompt, given)):
                now = time.monotonic()
                shown |= {frame.pts_samples: now for frame in piece.frames}
        frames = len(prompt.frames) // FRAME_SAMPLES
        missing = Counter({"missing frames": frames - len(shown)})
        behind = [
            (at - given[min((pts + LOOKAHEAD_SAMPLES) // PIECE_SAMPLES, len(given) - 1)]) * 1000
            for pts, at in shown.items()
        ]
        return Sample(
            {
                "first_frame_ms": behind[0],
                "frame_ms": float(np.percentile(behind, 95)),
            },
            blemishes=+missing,
        )

    async def _requests(self, prompt: Prompt, given: list[float]) -> AsyncIterator[sda_pb2.AnimateRequest]:
        """The speech, each piece at the moment when its last sample would have been spoken."""
        yield sda_pb2.AnimateRequest(avatar=self._avatar, video=chain_pb2.VideoFormat(codec="h264"))
        began = time.monotonic()
        for start in range(0, len(prompt.frames), PIECE_SAMPLES):
            part = prompt.frames[start : start + PIECE_SAMPLES]
            await asyncio.sleep(max(0.0, began + (start + len(part)) / SAMPLE_RATE_HZ - time.monotonic()))
            given.append(time.monotonic())
            last = start + len(part) == len(prompt.frames)
            piece = chain_pb2.SpeechPiece(pts_samples=start, pcm=float_to_pcm16(part), last=last)
            yield sda_pb2.AnimateRequest(piece=piece)
