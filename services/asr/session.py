"""One listening session on asyncio: voice activity on the loop, recognition in a thread, both in order.

Both doors (the gRPC servicer and the in-process ears) are thin fronts of this.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from parley.avatars import load_avatar
from parley.engines import AsrEngine
from parley.errors import BadRequest, ParleyError, ServiceUnavailable
from proto.parley.v1 import asr_pb2 as pb
from services.asr.listener import Ask, Forget, Job, Listener, Speech
from services.asr.resample import EAR_RATE_HZ
from services.asr.transcriber import Transcriber
from services.asr.vad import load_vad

log = logging.getLogger(__name__)

# Voice activity of 100 ms of audio takes half a millisecond of the loop.
_SLICE_BYTES: Final = 4_800
# At most this much speech is decoded in one go, so that a Reset does not wait long.
_BATCH_SAMPLES: Final = EAR_RATE_HZ * 400 // 1000
# Behind by more than this, `send` waits: whoever sends faster than real time is slowed, nothing is dropped.
_BACKLOG_SAMPLES: Final = EAR_RATE_HZ * 30
_EVENTS: Final = 4_096


class ListenSession:
    """Implements `parley.conversation.interface.EarStream`. Made by `open_session`."""

    def __init__(
        self, engine: AsrEngine, listener: Listener, transcriber: Transcriber, executor: Executor
    ) -> None:
        self._listener = listener
        self._transcriber = transcriber
        self._executor = executor
        self._events: asyncio.Queue[pb.ListenEvent | Exception | None] = asyncio.Queue(_EVENTS)
        self._wanted = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._turn = 0
        self._closed = False
        self._finished = False
        self._left = False
        self._tell([pb.ListenEvent(ready=pb.Ready(engine=engine.name, model=engine.model))])
        self._pump = asyncio.create_task(self._recognise(), name="recognise")

    @property
    def resting(self) -> bool:
        """Whether no turn is open: then the session can be ended, and another opened, without loss."""
        return self._listener.resting

    async def send(self, request: pb.ListenRequest) -> None:
        """Takes a request; waits when the recogniser is half a minute behind.

        Raises:
            BadRequest: A second config, an empty request.
            MediaError: Half a sample.
            ServiceUnavailable: The session was closed.
        """
        if self._closed:
            raise ServiceUnavailable("This listening session was closed.", fix="Open another.")
        match request.WhichOneof("kind"):
            case _ if self._left:
                return
            case "pcm":
                await self._hear(request.pcm)
            case "finalize":
                self._listener.finalize(request.finalize.id)
                self._wanted.set()
            case "reset":
                self._turn += 1
                self._tell(self._listener.reset())
                self._wanted.set()
            case "config":
                raise BadRequest("A listening session is configured once.", fix="Open another stream.")
            case _:
                raise BadRequest("An empty request.", fix="Send pcm, finalize or reset.")

    async def events(self) -> AsyncIterator[pb.ListenEvent]:
        """What is heard, until the session is closed.

        Raises:
            ServiceUnavailable: The events were not read for two minutes of audio.
        """
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def finish(self) -> None:
        """Nothing more will be sent: `events` ends once all that was asked for is answered."""
        self._finished = True
        self._wanted.set()

    def leave(self) -> None:
        """Says that this session listens no more; whoever speaks to it opens another."""
        self._left = True
        self._tell([pb.ListenEvent(leaving=pb.Leaving())])

    def fail(self, error: ParleyError) -> None:
        """Ends `events` with `error`, at once."""
        self._end(error)

    async def close(self) -> None:
        """Stops listening; waits for the piece of audio that is being decoded."""
        if self._closed:
            return
        self._closed = True
        self._pump.cancel()
        await asyncio.wait([self._pump])
        # At once, not when the collector finds the cycle that a cancelled task makes: a decoder is 90 MB.
        self._transcriber.release()
        self._end(None)

    async def _hear(self, pcm: bytes) -> None:
        if len(pcm) % 2:
            raise BadRequest(f"16 bit audio cannot have {len(pcm)} bytes.", fix="Send whole samples.")
        for start in range(0, len(pcm), _SLICE_BYTES):
            self._tell(self._listener.push(pcm[start : start + _SLICE_BYTES]))
            if self._listener.jobs:
                self._wanted.set()
            if start:
                await asyncio.sleep(0)
            while self._listener.backlog_samples > _BACKLOG_SAMPLES and not self._pump.done():
                self._caught_up.clear()
                await self._caught_up.wait()

    async def _recognise(self) -> None:
        """Does the jobs, in order, one batch at a time."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                while batch := self._batch():
                    turn = self._turn
                    doing = loop.run_in_executor(self._executor, self._transcriber.work, batch)
                    try:
                        events = await asyncio.shield(doing)
                    except asyncio.CancelledError:
                        # The stream must not be given to another session while a thread is in it.
                        await asyncio.wait([doing])
                        raise
                    self._caught_up.set()
                    fresh = turn == self._turn
                    self._tell([e for e in events if fresh or e.HasField("final")])
                if self._finished:
                    self._end(None)
                    return
        except Exception as error:  # the top level of the session's task
            log.exception("listening failed")
            self._end(error)
        finally:
            self._caught_up.set()

    def _batch(self) -> list[Job]:
        """The next jobs: some speech and what directly follows it."""
        jobs, taken, samples = self._listener.jobs, [], 0
        while jobs and samples < _BATCH_SAMPLES:
            job = jobs.popleft()
            taken.append(job)
            if isinstance(job, Speech):
                samples += len(job.audio)
            if isinstance(job, Ask | Forget):
                break
        return taken

    def _tell(self, events: list[pb.ListenEvent]) -> None:
        for event in events:
            if self._events.full():
                self._end(
                    ServiceUnavailable(
                        "The events of this listening session were not read.", fix="Read them."
                    )
                )
                return
            self._events.put_nowait(event)

    def _end(self, reason: Exception | None) -> None:
        """Ends `events`, even if nobody read them."""
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(reason)


async def open_session(
    engine: AsrEngine, config: pb.ListenConfig, *, executor: Executor, avatars_dir: Path, threshold: float
) -> ListenSession:
    """Starts listening.

    Args:
        engine: The recogniser.
        config: The stream's first request.
        executor: Threads for recognition.
        avatars_dir: Where the avatar's lexicon is.
        threshold: The detector's, where `config` names none.

    Raises:
        BadRequest: A threshold outside 0…1, a language that the engine does not have.
        UnknownAvatar: No such avatar.
        EngineUnavailable: Something that the session needs is not installed.
    """
    if not 0 <= config.vad_threshold < 1:
        raise BadRequest(f"vad_threshold {config.vad_threshold} is not between 0 and 1.")

    def prepare() -> tuple[Listener, Transcriber]:
        avatar = load_avatar(avatars_dir, config.avatar) if config.avatar else None
        stream = engine.open(
            language=config.language or (avatar.language if avatar else ""),
            hotwords=list(config.hotwords),
            lexicon=avatar.lexicon if avatar else None,
        )
        vad = load_vad() if config.vad else None
        return Listener(vad, threshold=config.vad_threshold or threshold), Transcriber(stream)

    listener, transcriber = await asyncio.get_running_loop().run_in_executor(executor, prepare)
    return ListenSession(engine, listener, transcriber, executor)
