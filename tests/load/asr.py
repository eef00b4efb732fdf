"""Ears over gRPC: speech in real time, a transcript asked for at each pause, as in a conversation."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle

from parley.client import Microphone, speech_bounds
from parley.errors import ServiceUnavailable
from parley.media.audio import float_to_pcm16
from parley.media.clock import SAMPLE_RATE_HZ, samples_to_ms
from parley.rpc.client import describe
from parley.rpc.ears import GrpcEars
from proto.parley.v1 import asr_pb2 as pb
from tests.load.phases import Budget, Sample
from tests.load.speech import Prompt, leaked, shares
from tests.load.sweep import Work

ASK_AFTER_MS = 160
ANSWER_S = 15.0
SETTLE_S = 0.6  # this long after a sentence no more of its pauses is noticed
LOOK_EVERY_S = 0.02


class AsrLoad:
    """Sentences, one after the other on one stream."""

    what = "asr"
    unit = "a sentence in real time"
    processes: tuple[str, ...] = ("asr",)
    stagger_s = 0.7
    budget = Budget(
        measure="transcript_ms",
        p95_ms=400,
        why="from the last sample of speech to the final transcript: the shortest pause that ends a turn",
    )

    def __init__(self, address: str, *, human: bool = True) -> None:
        self._address = address
        self._human = human

    async def engine(self) -> str:
        """What runs there."""
        return (await describe(self._address)).engine

    @contextlib.asynccontextmanager
    async def client(self, number: int, clients: int) -> AsyncIterator[Work]:
        """One person with one stream."""
        ears = GrpcEars(self._address)
        try:
            listener = Listener(ears, f"load-{clients}-{number}", human=self._human)
            said = cycle(shares(number, clients, human=self._human))
            async with listener.running():
                yield lambda: listener.hear(next(said))
        finally:
            await ears.close()


class Listener:
    """One stream: sends what the microphone gives, and reads."""

    def __init__(self, ears: GrpcEars, session: str, *, human: bool) -> None:
        self._ears = ears
        self._human = human
        self._session = session
        self._microphone = Microphone(self._send, chunk_ms=20)
        self._final: tuple[float, pb.Final] | None = None
        self._writing = asyncio.Lock()
        self._asked_at: dict[int, float] = {}
        self._asked_for_samples = 0
        self._stopped_at: tuple[float, int] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps the stream open."""
        self._stream = await self._ears.open(pb.ListenConfig(session=self._session, vad=True))
        self._microphone.switch_on()
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._microphone.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stream.close()

    async def hear(self, prompt: Prompt) -> Sample:
        """Says a sentence and waits for the transcript of all of it.

        Raises:
            ServiceUnavailable: None came.
        """
        first_at = self._microphone.say(float_to_pcm16(prompt.audio))
        ended_at = first_at + speech_bounds(prompt.audio)[1] / SAMPLE_RATE_HZ
        limit_s = len(prompt.audio) / SAMPLE_RATE_HZ + ANSWER_S
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.sleep(ended_at + SETTLE_S - time.monotonic())
                while (answer := self._answer()) is None:
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError as error:
            raise ServiceUnavailable(f"No transcript of {prompt.text!r} came.") from error
        await self._request(pb.ListenRequest(reset=pb.Reset()))
        self._final = None
        at, final = answer
        faults = Counter[str]()
        if leaked(final.text, prompt.text, human=self._human):
            faults["leak"] += 1
        if final.error:
            faults["failed: transcription"] += 1
        measures = {
            "transcript_ms": (at - ended_at) * 1000,
            "finalize_ms": (at - self._asked_at[final.id]) * 1000,
        }
        if self._stopped_at is not None:
            measures["pause_noticed_ms"] = (self._stopped_at[0] - ended_at) * 1000
        return Sample(measures, faults)

    def _answer(self) -> tuple[float, pb.Final] | None:
        """The transcript of all that was said so far, once nobody speaks and it is there."""
        answered = self._final is not None and self._final[1].id == len(self._asked_at)
        asked = self._stopped_at is not None and self._asked_for_samples == self._stopped_at[1]
        return self._final if answered and asked else None

    async def _send(self, pcm: bytes, number: int) -> None:
        await self._request(pb.ListenRequest(pcm=pcm))

    async def _request(self, request: pb.ListenRequest) -> None:
        async with self._writing:  # gRPC breaks a stream that two write to at once
            await self._stream.send(request)

    async def _read(self) -> None:
        async for event in self._stream.events():
            match event.WhichOneof("kind"):
                case "speech_started":
                    self._stopped_at = None
                case "speech_stopped":
                    self._stopped_at = (time.monotonic(), event.speech_stopped.at_samples)
                    self._asked_for_samples = 0
                case "pause":
                    await self._on_pause(event.pause.heard_samples)
                case "final":
                    self._final = (time.monotonic(), event.final)

    async def _on_pause(self, heard_samples: int) -> None:
        if self._stopped_at is None or self._asked_for_samples == self._stopped_at[1]:
            return
        if samples_to_ms(heard_samples - self._stopped_at[1]) >= ASK_AFTER_MS:
            self._asked_for_samples = self._stopped_at[1]
            number = len(self._asked_at) + 1
            self._asked_at[number] = time.monotonic()
            await self._request(pb.ListenRequest(finalize=pb.Finalize(id=number)))
