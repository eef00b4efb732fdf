"""The simple way: an avatar in this process, without Redis, without gRPC, with the same engines and chain.

async with Avatar.load("mira") as avatar:
    answer = await avatar.answer("What is a nebula?")
    answer.save("answer.mp4")
"""

import asyncio
import importlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.avatars import DEFAULT_AVATAR, load_avatar
from parley.chain.interface import Stage
from parley.chain.memory import MemoryChain
from parley.chain.worker import Handle, run_worker
from parley.conversation.events import (
    Activity,
    ActivityChanged,
    ConversationEvent,
    Problem,
    ReplyAudio,
    ReplyDone,
    ReplyStarted,
    ReplyStatus,
    ReplyVideo,
    TurnLatency,
    UserTranscript,
)
from parley.conversation.interface import ConversationConfig, Ears, TurnDetection
from parley.conversation.session import Session
from parley.engines import Picture
from parley.errors import ParleyError
from parley.media.audio import float_to_pcm16, pcm16_to_float, resample
from parley.media.clock import BYTES_PER_SAMPLE, FPS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.video import VideoDecoder
from parley.provenance.recording import write_answer
from parley.settings import Settings
from proto.parley.v1 import chain_pb2 as pb

Audio = NDArray[np.float32]
Sound = bytes | Audio
"""Mono: s16le bytes, or float32 [n] in -1…1."""

_CHUNK_BYTES = SAMPLE_RATE_HZ // 10 * BYTES_PER_SAMPLE
_QUIET_S = 1.0
_REPLIES_AT_ONCE = 2
_CODEC = "jpeg"  # every frame for itself, so that any frame can be looked at


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture, RGB uint8 [height, width, 3], and the instant that it shows, in samples at 24 000 Hz."""

    pts_samples: int
    picture: Picture


@dataclass(frozen=True, slots=True)
class Answer:
    """One spoken answer.

    Attributes:
        heard: What was understood of a spoken question; empty for a written one.
        text: What the avatar says.
        audio: float32 [n] at 24 000 Hz.
        frames: The face, 25 a second; empty without a face.
        latency_ms: As in `parley.conversation.events.TurnLatency`, for spoken questions.
        avatar: Who answers.
    """

    heard: str
    text: str
    audio: Audio
    frames: list[Frame]
    latency_ms: dict[str, float] = field(default_factory=dict)
    avatar: str = ""

    def save(self, path: str | Path) -> None:
        """Writes a playable mp4 that says what it is: see `parley.provenance.recording`.

        Raises:
            ConfigError: There is no key to sign it with, and none can be made.
            MediaError: There is no face, or the file cannot be written.
        """
        pictures = ((frame.pts_samples, frame.picture) for frame in self.frames)
        write_answer(Path(path), pictures, float_to_pcm16(self.audio), avatar=self.avatar)


class Avatar:
    """One avatar and one conversation with it. Use as an async context manager."""

    def __init__(
        self,
        name: str = DEFAULT_AVATAR,
        *,
        asr: str = "",
        llm: str = "",
        tts: str = "",
        sda: str = "",
        avatars_dir: Path | None = None,
    ) -> None:
        """Prepares; engines are loaded when the context is entered.

        Args:
            name: The avatar's folder.
            asr: Engine of the ears, as in PARLEY_ASR_ENGINE; empty: as the environment says.
            llm: Engine of the mind.
            tts: Engine of the voice.
            sda: Engine of the face; "none": no face.
            avatars_dir: Where avatars are; None: as the environment says.

        Raises:
            UnknownAvatar: No avatar of that name is installed.
        """
        self._avatars_dir = avatars_dir or Settings().avatars_dir
        self.manifest = load_avatar(self._avatars_dir, name)
        self._engines = {"asr": asr, "llm": llm, "tts": tts, "sda": sda}
        # Without a size the face comes in its own.
        self._video = None if sda == "none" else pb.VideoFormat(codec=_CODEC, fps=FPS)
        self._chain = MemoryChain()
        self._stop = asyncio.Event()
        self._turn = asyncio.Lock()
        self._exits = AsyncExitStack()
        self._session: Session | None = None
        self._toolbox: AbstractAsyncContextManager[Any] | None = None

    @classmethod
    def load(cls, name: str = DEFAULT_AVATAR, **options: Any) -> "Avatar":
        """An avatar by name; `options` as in the constructor."""
        return cls(name, **options)

    async def __aenter__(self) -> "Avatar":
        """Loads the engines.

        Raises:
            EngineUnavailable: One cannot run here; the message names the fix.
        """
        async with AsyncExitStack() as opened:
            ears, workers = await asyncio.to_thread(self._load, opened)
            if self._toolbox is not None:
                await opened.enter_async_context(self._toolbox)
            opened.push_async_callback(self._chain.close)
            await self._chain.start()
            tasks = await opened.enter_async_context(asyncio.TaskGroup())
            opened.callback(self._stop.set)
            for stage, handle in workers.items():
                tasks.create_task(
                    run_worker(
                        self._chain,
                        stage,
                        handle,
                        consumer="local",
                        capacity=_REPLIES_AT_ONCE,
                        drain_s=1,
                        stop=self._stop,
                    )
                )
            self._session = await opened.enter_async_context(
                Session(avatar=self.manifest, chain=self._chain, ears=ears, config=self._config())
            )
            self._exits = opened.pop_all()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._session = None
        await self._exits.__aexit__(*exc)

    @property
    def conversation(self) -> Session:
        """The conversation itself, for all that `answer` and `talk` do not offer."""
        if self._session is None:
            raise ParleyError(
                "The avatar is not there yet.", fix="Use `async with Avatar.load(…) as avatar`."
            )
        return self._session

    async def answer(self, question: str | Sound, *, rate_hz: int = SAMPLE_RATE_HZ) -> Answer:
        """Asks, and waits for the whole answer, as fast as this machine can.

        Args:
            question: Text, or speech.
            rate_hz: Of the speech.

        Raises:
            ParleyError: Nothing was understood, or the answer failed; `code` says what.
            MediaError: Half a sample.
        """
        async with self._turn:
            talk = self.conversation
            await talk.configure(self._config(by_hand=True))
            if isinstance(question, str):
                await talk.add_message("user", question)
            else:
                pcm = _pcm(question, rate_hz)
                for start in range(0, len(pcm), _CHUNK_BYTES):
                    await talk.hear(pcm[start : start + _CHUNK_BYTES])
                await talk.commit()
            await talk.respond()
            return await self._collect(talk)

    async def talk(
        self, microphone: AsyncIterable[Sound] | Iterable[Sound]
    ) -> AsyncIterator[ConversationEvent]:
        """Listens to `microphone` and tells all that happens, replies with timed audio and frames included.

        Replies are made as fast as they would be played. Ends when the microphone has ended and the avatar
        has finished speaking. `picture` decodes the frames.

        Args:
            microphone: Chunks of mono audio at 24 000 Hz, at the pace of real time.
        """
        async with self._turn, aclosing(self.conversation.events()) as events:
            await self.conversation.configure(self._config())
            feeding = asyncio.create_task(self._feed(microphone))
            coming: asyncio.Task[ConversationEvent] | None = None
            activity = Activity.LISTENING
            try:
                while True:
                    coming = coming or asyncio.create_task(anext(events))
                    await asyncio.wait({coming}, timeout=_QUIET_S)
                    if coming.done():
                        event, coming = coming.result(), None
                        if isinstance(event, ActivityChanged):
                            activity = event.activity
                        yield event
                    elif feeding.done() and activity is Activity.LISTENING:
                        feeding.result()
                        return
            finally:
                leftover = [task for task in (feeding, coming) if task is not None]
                for task in leftover:
                    task.cancel()
                await asyncio.wait(leftover)

    @staticmethod
    def picture(frame: ReplyVideo) -> Frame:
        """Decodes a frame of `talk`; takes a millisecond or two."""
        return Frame(frame.pts_samples, VideoDecoder(_CODEC).decode(frame.data)[0])

    # ---- inside ----------------------------------------------------------------------------------------

    def _config(self, *, by_hand: bool = False) -> ConversationConfig:
        return ConversationConfig(
            turn_detection=TurnDetection(enabled=not by_hand),
            video=self._video,
            reports_playback=by_hand,
        )

    async def _feed(self, microphone: AsyncIterable[Sound] | Iterable[Sound]) -> None:
        if isinstance(microphone, AsyncIterable):
            async for sound in microphone:
                await self.conversation.hear(_pcm(sound, SAMPLE_RATE_HZ))
        else:
            for sound in microphone:
                await self.conversation.hear(_pcm(sound, SAMPLE_RATE_HZ))

    async def _collect(self, talk: Session) -> Answer:
        """The reply that was just asked for. What has come counts as played, so that more is made at once."""
        heard, generation, latency = "", 0, {}
        audio: list[bytes] = []
        frames: list[ReplyVideo] = []
        faceless = self._video is None
        async with aclosing(talk.events()) as events:
            async for event in events:
                match event:
                    case UserTranscript(_, text, _):
                        heard = text
                    case ReplyStarted():
                        generation = event.generation
                    case ReplyAudio() if event.generation == generation:
                        audio.append(event.pcm)
                        if faceless:
                            await talk.played(
                                generation, event.pts_samples + len(event.pcm) // BYTES_PER_SAMPLE
                            )
                    case ReplyVideo() if event.generation == generation:
                        frames.append(event)
                        await talk.played(generation, event.pts_samples + FRAME_SAMPLES)
                    case Problem(code, message) if not generation:
                        raise ParleyError(message, code=code)
                    case Problem():
                        faceless = True  # what does not end a reply is a lost face, or an apology
                        await talk.played(generation, sum(map(len, audio)) // BYTES_PER_SAMPLE)
                    case TurnLatency():
                        latency = event.ms
                    case ReplyDone() if event.generation == generation:
                        if event.status is not ReplyStatus.COMPLETED:
                            raise ParleyError(
                                event.error_message or "The answer was cancelled.", code=event.error_code
                            )
                        pcm = b"".join(audio)
                        await talk.played(generation, len(pcm) // BYTES_PER_SAMPLE)
                        pictures = await asyncio.to_thread(lambda: [self.picture(frame) for frame in frames])
                        sound, name = pcm16_to_float(pcm), self.manifest.name
                        return Answer(heard, event.text, sound, pictures, latency, name)
                    case _:
                        pass
        raise ParleyError("The conversation ended before the answer did.")

    def _load(self, opened: AsyncExitStack) -> tuple[Ears, dict[Stage, Handle]]:
        """Loads the engines, and puts on `opened` what must be closed. Takes seconds: run in a thread."""
        workers: dict[Stage, Handle] = {Stage.LLM: self._llm(), Stage.TTS: self._tts(opened)}
        if self._video is not None:
            workers[Stage.SDA] = self._sda(opened)
        return self._asr(opened), workers

    def _settings(self, service: str) -> Any:
        """The service's settings, with this avatar's folder and the engine asked for."""
        config = importlib.import_module(f"services.{service}.config")
        chosen = {"engine": self._engines[service]} if self._engines[service] else {}
        return getattr(config, f"{service.capitalize()}Settings")(avatars_dir=self._avatars_dir, **chosen)

    def _engine(self, service: str, settings: Any) -> Any:
        return _from(f"services.{service}.engines", "load")(settings.engine, settings)

    def _asr(self, opened: AsyncExitStack) -> Ears:
        settings = self._settings("asr")
        ears = _from("services.asr.inprocess", "LocalEars")(
            self._engine("asr", settings), avatars_dir=self._avatars_dir, threshold=settings.vad_threshold
        )
        opened.callback(ears.close)
        return ears  # type: ignore[no-any-return]

    def _llm(self) -> Handle:
        settings = self._settings("llm")
        if settings.tools is not None:
            self._toolbox = _from("services.llm.tools.mcp", "load_toolbox")(settings.tools)
        engine = self._engine("llm", settings)
        worker = _from("services.llm.worker", "Worker")(engine, self._avatars_dir, self._toolbox)
        return worker.handle  # type: ignore[no-any-return]

    def _tts(self, opened: AsyncExitStack) -> Handle:
        settings = self._settings("tts")
        engine = self._engine("tts", settings)
        opened.callback(engine.close)
        threads = opened.enter_context(ThreadPoolExecutor(_REPLIES_AT_ONCE, "tts"))
        casting = _from("services.tts.voices", "Casting")(
            engine, self._avatars_dir, watermark=settings.watermark
        )
        casting.speaker(self.manifest.name)
        worker = _from("services.tts.worker", "Worker")(casting, threads, ahead_ms=settings.ahead_ms)
        return worker.handle  # type: ignore[no-any-return]

    def _sda(self, opened: AsyncExitStack) -> Handle:
        settings = self._settings("sda")
        faces = _from("services.sda.engines", "Faces")(settings)
        faces.engine(self.manifest.name)
        studio = _from("services.sda.drawing", "Studio")(faces, threads=settings.threads)
        opened.callback(studio.close)
        return _from("services.sda.worker", "Worker")(studio, ahead_ms=settings.ahead_ms).handle  # type: ignore[no-any-return]


def _from(module: str, name: str) -> Callable[..., Any]:
    """Something of a service: imported late, so that `parley` alone needs no service."""
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _pcm(sound: Sound, rate_hz: int) -> bytes:
    """s16le at 24 000 Hz."""
    if isinstance(sound, bytes) and rate_hz == SAMPLE_RATE_HZ:
        return sound
    audio = pcm16_to_float(sound) if isinstance(sound, bytes) else np.asarray(sound, np.float32)
    return float_to_pcm16(resample(audio, rate_hz, SAMPLE_RATE_HZ))
