"""Voice over gRPC: replies of two clauses, each listened to before the next is asked for."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle

from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from parley.rpc.client import channel, describe
from parley.rpc.errors import translated
from proto.parley.v1 import chain_pb2, tts_pb2, tts_pb2_grpc
from tests.load.phases import Budget, Sample
from tests.load.speech import shares
from tests.load.sweep import Work

ANSWER_WINDOW = "a reply is begun at 230 ms and withheld until 400: what takes longer than the rest is heard"


class TtsLoad:
    """Replies, each in the avatar's own voice."""

    what = "tts"
    unit = "a reply, played to its end"
    processes: tuple[str, ...] = ("tts",)
    stagger_s = 0.7
    budget = Budget(measure="first_audio_ms", p95_ms=150, why=ANSWER_WINDOW)

    def __init__(self, address: str, avatar: str) -> None:
        self._address = address
        self._avatar = avatar
        self._alone: dict[str, bytes] = {}

    async def engine(self) -> str:
        """What runs there."""
        return (await describe(self._address)).engine

    @contextlib.asynccontextmanager
    async def client(self, number: int, clients: int) -> AsyncIterator[Work]:
        """One listener."""
        async with channel(self._address) as link:
            stub = tts_pb2_grpc.TtsStub(link)  # type: ignore[no-untyped-call]
            texts = cycle(prompt.text for prompt in shares(number, clients))
            yield lambda: self._reply(stub, next(texts))

    async def _reply(self, stub: tts_pb2_grpc.TtsStub, text: str) -> Sample:
        asked_at = time.monotonic()
        pcm, first_at, starved_s = b"", 0.0, 0.0
        with translated("tts"):
            async for piece in stub.Speak(self._requests(text)):
                now = time.monotonic()
                first_at = first_at or now
                starved_s = max(starved_s, now - first_at - piece.pts_samples / SAMPLE_RATE_HZ)
                pcm += piece.pcm
        ready_at = time.monotonic()
        # An engine says the same text the same way each time: whatever differs was mixed with a neighbour's.
        faults = Counter[str](leak=int(self._alone.setdefault(text, pcm) != pcm))
        if starved_s > 0:
            faults["gaps in the sound"] += 1
        seconds = len(pcm) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ
        await asyncio.sleep(max(0.0, first_at + seconds - time.monotonic()))
        measures = {
            "first_audio_ms": (first_at - asked_at) * 1000,
            "whole_reply_ms": (ready_at - asked_at) * 1000,
        }
        return Sample(measures, +faults)

    def _requests(self, text: str) -> list[tts_pb2.SpeakRequest]:
        return [
            tts_pb2.SpeakRequest(
                avatar=self._avatar, piece=chain_pb2.TextPiece(text="Let me think about that. ")
            ),
            tts_pb2.SpeakRequest(piece=chain_pb2.TextPiece(text=text, last=True)),
        ]
