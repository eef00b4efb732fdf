"""A scripted conversation and in-process services, for the gateway's tests."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc.aio
import numpy as np

from gateway.realtime.vault import Parked
from parley.aio import Signal
from parley.avatars import Avatar
from parley.conversation import events as happened
from parley.conversation.events import ConversationEvent, ReplyStatus
from parley.conversation.interface import ConversationConfig
from parley.errors import BadRequest, ParleyError
from parley.jobs.board import JobEnded, MakerAbilities
from parley.jobs.job import Job, UnknownJob
from parley.media.video import VideoEncoder
from proto.parley.v1 import (
    asr_pb2,
    asr_pb2_grpc,
    chain_pb2,
    info_pb2,
    info_pb2_grpc,
    llm_pb2_grpc,
    sda_pb2,
    sda_pb2_grpc,
    tts_pb2,
    tts_pb2_grpc,
)

FRAME = 960
IDLE_FRAMES = 5
PCM = b"\x01\x00" * FRAME


class ScriptedConversation:
    """Does nothing by itself: a test calls `tell`, or lets `respond` run a short reply."""

    def __init__(self, avatar: Avatar, session: str, config: ConversationConfig) -> None:
        self.avatar = avatar
        self.session = session
        self.config = config
        self.heard = b""
        self.calls: list[tuple[Any, ...]] = []
        self.messages: list[tuple[str, str, str]] = []
        self.closed = False
        self.auto_finish = True
        self.overtaken = False
        self.fail_start: ParleyError | None = None
        self._queue: asyncio.Queue[ConversationEvent | None] = asyncio.Queue()
        self._generation = itertools.count(1)
        self._running: tuple[str, str, int] | None = None
        self.called = asyncio.Event()

    def tell(self, *events: ConversationEvent) -> None:
        for event in events:
            self._queue.put_nowait(event)

    async def until_called(self, name: str) -> tuple[Any, ...]:
        async with asyncio.timeout(5):
            while True:
                for call in self.calls:
                    if call[0] == name:
                        return call
                self.called.clear()
                await self.called.wait()

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        self.called.set()

    async def start(self) -> None:
        if self.fail_start:
            raise self.fail_start
        self._note("start")

    async def close(self) -> None:
        self.closed = True
        self._queue.put_nowait(None)

    async def configure(self, config: ConversationConfig) -> None:
        self.config = config
        self._note("configure", config)

    async def hear(self, pcm: bytes) -> None:
        self.heard += pcm
        self._note("hear", len(pcm))

    async def commit(self) -> str:
        if not self.heard:
            raise BadRequest("Nothing was heard since the last turn.")
        self.heard = b""
        self.tell(
            happened.UserTurnCommitted("item_user"), happened.UserTranscript("item_user", "hello there")
        )
        return "item_user"

    async def clear_input(self) -> None:
        self.heard = b""
        self._note("clear_input")

    async def add_message(self, role: str, text: str, *, item_id: str | None = None) -> str:
        assert item_id is not None
        self.messages.append((role, text, item_id))
        return item_id

    async def add_call(self, call: chain_pb2.ToolCall, *, item_id: str | None = None) -> str:
        assert item_id is not None
        self.messages.append(("call", call.id, item_id))
        return item_id

    async def add_result(self, call_id: str, output: str, *, item_id: str | None = None) -> str:
        assert item_id is not None
        if self.overtaken:
            raise BadRequest("The result is dropped.", code="stale_tool_call")
        self.messages.append((f"result of {call_id}", output, item_id))
        return item_id

    async def delete_item(self, item_id: str) -> None:
        kept = [m for m in self.messages if m[2] != item_id]
        if len(kept) == len(self.messages):
            raise BadRequest(f"There is no item {item_id!r}.")
        self.messages = kept

    async def respond(self, *, instructions: str = "", verbatim: str = "") -> None:
        self._note("respond", instructions, verbatim)
        self.reply(verbatim or "Hello. I am Mira.")

    def reply(self, text: str = "Hello. I am Mira.", *, finish: bool | None = None) -> int:
        """Starts a reply of two pieces of speech and video; finishes it unless told otherwise."""
        generation = next(self._generation)
        response, item = f"resp_{generation}", f"item_reply_{generation}"
        self._running = (response, item, generation)
        head, _, tail = text.partition(" ")
        finish = self.auto_finish if finish is None else finish
        self.tell(
            happened.ActivityChanged(happened.Activity.THINKING),
            happened.ReplyStarted(response, item, generation, None),
            happened.ReplyText(generation, head + " "),
        )
        if self.config.want_audio:
            self.tell(happened.ReplyAudio(generation, 1, 0, PCM, False))
            if self.config.video is not None:
                self.tell(happened.ReplyVideo(generation, 1, 0, b"\0\0\0\1key", True, False))
        self.tell(happened.ReplyText(generation, tail))
        if finish:
            self.finish(text)
        return generation

    def call(self, name: str, arguments: str, *, text: str = "") -> None:
        """A reply that calls a function, after the words `text`, and then ends."""
        generation = next(self._generation)
        response, item = f"resp_{generation}", f"item_reply_{generation}"
        self.tell(happened.ReplyStarted(response, item, generation, None))
        if text:
            self.tell(happened.ReplyText(generation, text))
        call = happened.ReplyCall(
            generation, f"item_call_{generation}", f"call_{generation}", name, arguments
        )
        done = happened.ReplyDone(response, item, generation, ReplyStatus.COMPLETED, text, text)
        self.tell(call, done)

    def finish(self, text: str = "Hello. I am Mira.") -> None:
        assert self._running
        response, item, generation = self._running
        self._running = None
        if self.config.want_audio:
            self.tell(happened.ReplyAudio(generation, 2, FRAME, PCM, True))
            if self.config.video is not None:
                self.tell(happened.ReplyVideo(generation, 2, FRAME, b"\0\0\0\1delta", False, True))
        self.tell(
            happened.TurnLatency(generation, {"endpoint": 400.0, "first_audio_sent": 612.5}),
            happened.ReplyDone(response, item, generation, ReplyStatus.COMPLETED, text, text),
        )

    async def interrupt(self) -> None:
        self._note("interrupt")
        if self._running is None:
            return
        response, item, generation = self._running
        self._running = None
        self.tell(
            happened.Flushed(generation + 1),
            happened.ItemTruncated(item, 20, "Hello."),
            happened.ReplyDone(response, item, generation, ReplyStatus.CANCELLED, "Hello. I", "Hello."),
        )

    async def played(self, generation: int, samples: int) -> None:
        self._note("played", generation, samples)

    async def events(self) -> AsyncIterator[ConversationEvent]:
        while (event := await self._queue.get()) is not None:
            yield event


class FakeServices(
    asr_pb2_grpc.AsrServicer, llm_pb2_grpc.LlmServicer, tts_pb2_grpc.TtsServicer, sda_pb2_grpc.SdaServicer
):
    """All four services and their Info behind one port."""

    def __init__(self) -> None:
        self.heard_bytes = 0
        self.spoken: list[tuple[str, str, float, str]] = []
        self.turns: list[chain_pb2.Turn] = []
        self.idle_calls = 0
        self.calls_tools = True
        self.calls: list[chain_pb2.ToolCall] = []
        self.hold: asyncio.Event | None = None
        self.error: chain_pb2.StageError | None = None
        self.server = grpc.aio.server()
        asr_pb2_grpc.add_AsrServicer_to_server(self, self.server)
        llm_pb2_grpc.add_LlmServicer_to_server(self, self.server)
        tts_pb2_grpc.add_TtsServicer_to_server(self, self.server)
        sda_pb2_grpc.add_SdaServicer_to_server(self, self.server)
        info_pb2_grpc.add_InfoServicer_to_server(_Info(self), self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def Listen(self, requests: Any, context: Any) -> AsyncIterator[asr_pb2.ListenEvent]:
        async for request in requests:
            self.heard_bytes += len(request.pcm)
            if request.WhichOneof("kind") == "finalize":
                word = chain_pb2.Word(text="hello", start_samples=0, end_samples=12_000, confidence=1.0)
                error = self.error.message if self.error else ""
                yield asr_pb2.ListenEvent(
                    final=asr_pb2.Final(id=1, text="hello world", words=[word], error=error)
                )

    async def Generate(self, turn: chain_pb2.Turn, context: Any) -> AsyncIterator[chain_pb2.TextPiece]:
        self.turns.append(turn)
        if self.error:
            yield chain_pb2.TextPiece(error=self.error)
            return
        if self.calls:
            yield chain_pb2.TextPiece(last=True, calls=self.calls)
            return
        yield chain_pb2.TextPiece(text="I am ")
        if self.hold:
            await self.hold.wait()
        yield chain_pb2.TextPiece(text="a face.", last=True)

    async def Speak(self, requests: Any, context: Any) -> AsyncIterator[chain_pb2.SpeechPiece]:
        async for request in requests:
            self.spoken.append((request.avatar, request.voice, request.speed, request.piece.text))
            if self.error:
                yield chain_pb2.SpeechPiece(error=self.error)
                return
            yield chain_pb2.SpeechPiece(pcm=PCM * 10, last=request.piece.last)

    async def Idle(self, request: sda_pb2.IdleRequest, context: Any) -> AsyncIterator[chain_pb2.VideoPiece]:
        self.idle_calls += 1
        with VideoEncoder(request.video.codec, 64, 48) as encoder:
            for number in range(IDLE_FRAMES):
                black = np.zeros((48, 64, 3), np.uint8)
                data = encoder.encode(black, number * FRAME, keyframe=number == 0)
                frame = chain_pb2.VideoFrame(pts_samples=number * FRAME, keyframe=number == 0, data=data)
                last = number == IDLE_FRAMES - 1
                yield chain_pb2.VideoPiece(frames=[frame], last=last, codec=request.video.codec)


class _Info(info_pb2_grpc.InfoServicer):
    def __init__(self, services: FakeServices) -> None:
        self._services = services

    async def Describe(self, request: Any, context: Any) -> info_pb2.ServiceInfo:
        return info_pb2.ServiceInfo(
            name="any",
            engine="fake",
            model="scripted",
            version="0.1.0",
            calls_tools=self._services.calls_tools,
        )


__all__ = ["FRAME", "IDLE_FRAMES", "PCM", "FakeServices", "ScriptedConversation", "tts_pb2"]


class DictVault:
    """What gateways leave to each other, without Redis."""

    def __init__(self) -> None:
        self.announced: list[str] = []
        self.parked: dict[str, Parked] = {}

    async def announce(self, session: str) -> None:
        self.announced.append(session)

    async def put(self, parked: Parked) -> None:
        self.parked[parked.session] = parked

    async def take(self, session: str, avatar: str) -> Parked | None:
        return self.parked.pop(session, None)


class FakeBoard:
    """Jobs in memory; a test moves them on with `tell`."""

    def __init__(self) -> None:
        self.able: MakerAbilities | None = MakerAbilities()
        self.jobs: dict[str, Job] = {}
        self.refuse: ParleyError | None = None
        self._changed = Signal()

    async def maker(self) -> MakerAbilities | None:
        return self.able

    async def post(self, job: Job) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.tell(job)

    async def get(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise UnknownJob(job_id)
        return self.jobs[job_id]

    async def watch(self, job_id: str) -> AsyncGenerator[Job, None]:
        job = await self.get(job_id)
        yield job
        while not job.ended:
            await self._changed.wait_for(lambda seen=job: self.jobs.get(job_id) != seen)  # type: ignore[misc]
            job = await self.get(job_id)
            yield job

    async def cancel(self, job_id: str) -> Job:
        job = await self.get(job_id)
        if job.ended:
            raise JobEnded("The job has ended.")
        self.tell(job.model_copy(update={"status": "cancelled"}))
        return self.jobs[job_id]

    async def close(self) -> None:
        pass

    def tell(self, job: Job) -> None:
        self.jobs[job.id] = job
        self._changed.notify()

    def forget(self, job_id: str) -> None:
        del self.jobs[job_id]
        self._changed.notify()
