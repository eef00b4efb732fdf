"""The model services behind the gateway: one channel each, and the few calls that it makes by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from gateway.config import GatewaySettings
from parley.avatars import version_of
from parley.errors import MediaError, ParleyError, ServiceUnavailable
from parley.media.clock import BYTES_PER_SAMPLE, FPS, FRAME_MS, SAMPLE_RATE_HZ
from parley.media.video import VideoDecoder
from parley.rpc.client import channel
from parley.rpc.errors import translated
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

NAMES = ("asr", "llm", "tts", "sda")
PROBE_S = 1.5
DESCRIBE_FRESH_S = 30.0
IDLE_TIMEOUT_S = 20.0
_SEND_BYTES = SAMPLE_RATE_HZ * BYTES_PER_SAMPLE  # one second of speech a message


@dataclass(frozen=True, slots=True)
class IdleLoop:
    """The silent loop of one avatar in one codec; the first frame is a keyframe. Sizes are in pixels."""

    frames: tuple[chain_pb2.VideoFrame, ...]
    width: int
    height: int

    @property
    def duration_ms(self) -> int:
        """Length of the loop."""
        return len(self.frames) * FRAME_MS


class Services:
    """Calls onto asr, llm, tts and sda. Channels connect when first used and reconnect by themselves."""

    def __init__(self, settings: GatewaySettings, *, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now = now
        key = min(settings.keys(), default="")
        self.channels = {
            name: channel(address, api_key=key) for name, address in settings.addresses().items()
        }
        self._asr: Any = asr_pb2_grpc.AsrStub(self.channels["asr"])  # type: ignore[no-untyped-call]
        self._llm: Any = llm_pb2_grpc.LlmStub(self.channels["llm"])  # type: ignore[no-untyped-call]
        self._tts: Any = tts_pb2_grpc.TtsStub(self.channels["tts"])  # type: ignore[no-untyped-call]
        self._sda: Any = sda_pb2_grpc.SdaStub(self.channels["sda"])  # type: ignore[no-untyped-call]
        self._redis = redis.asyncio.from_url(
            settings.redis_url, socket_timeout=PROBE_S, socket_connect_timeout=PROBE_S
        )
        self._described: dict[str, tuple[float, info_pb2.ServiceInfo]] = {}
        self._idle: dict[tuple[str, str], tuple[int, IdleLoop]] = {}
        self._idle_lock = asyncio.Lock()

    async def close(self) -> None:
        """Closes every connection."""
        await self._redis.aclose()
        for link in self.channels.values():
            await link.close()

    def forget(self, avatar: str) -> None:
        """Keeps nothing of an avatar any more."""
        for key in [key for key in self._idle if key[0] == avatar]:
            del self._idle[key]

    def peer(self, name: str) -> str:
        """The service in words, for messages."""
        return f"{name} at {self._settings.addresses()[name]}"

    async def describe(self, name: str, *, fresh: bool = False) -> info_pb2.ServiceInfo:
        """What runs as `name`; an answer is believed for half a minute unless `fresh`.

        Raises:
            ServiceUnavailable: It does not answer.
        """
        at, known = self._described.get(name, (0.0, None))
        if known is not None and not fresh and self._now() - at < DESCRIBE_FRESH_S:
            return known
        with translated(self.peer(name)):
            stub = info_pb2_grpc.InfoStub(self.channels[name])  # type: ignore[no-untyped-call]
            info: info_pb2.ServiceInfo = await stub.Describe(info_pb2.DescribeRequest(), timeout=PROBE_S)
        self._described[name] = (self._now(), info)
        return info

    async def engines(self) -> dict[str, str]:
        """Engine of each service that answers."""
        found = await asyncio.gather(*(self.describe(name) for name in NAMES), return_exceptions=True)
        known = zip(NAMES, found, strict=True)
        return {n: info.engine for n, info in known if isinstance(info, info_pb2.ServiceInfo)}

    async def calls_tools(self) -> bool | None:
        """Whether the mind in use can call functions; None: it does not answer."""
        try:
            return (await self.describe("llm")).calls_tools
        except ServiceUnavailable:
            return None

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether a conversation could be held now, and the state of everything it needs."""
        found = await asyncio.gather(
            *(self.describe(name, fresh=True) for name in NAMES), return_exceptions=True
        )
        services: dict[str, Any] = {}
        for name, info in zip(NAMES, found, strict=True):
            if isinstance(info, info_pb2.ServiceInfo):
                services[name] = {
                    "ready": True,
                    "engine": info.engine,
                    "model": info.model,
                    "version": info.version,
                }
            elif isinstance(info, ParleyError):
                services[name] = {"ready": False, "engine": None, "error": str(info)}
            else:
                raise info
        chain = await self._redis_state()
        ready = chain["ready"] and all(s["ready"] for s in services.values())
        return ready, {"ready": ready, "services": services, "redis": chain}

    async def _redis_state(self) -> dict[str, Any]:
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            where = self._settings.redis_url.rpartition("@")[2]  # never a password
            return {"ready": False, "error": f"Redis does not answer ({where}): {error}"}
        return {"ready": True}

    async def idle(self, avatar: str, codec: str) -> IdleLoop:
        """The avatar's idle loop; asked for once and kept for as long as the avatar is the same.

        Raises:
            ServiceUnavailable: The face service does not answer.
            MediaError: What it sent is not video.
        """
        key, version = (avatar, codec), version_of(self._settings.avatars_dir, avatar)
        async with self._idle_lock:
            if key not in self._idle or self._idle[key][0] != version:
                video = chain_pb2.VideoFormat(codec=codec, fps=FPS)
                frames: list[chain_pb2.VideoFrame] = []
                with translated(self.peer("sda")):
                    call = self._sda.Idle(
                        sda_pb2.IdleRequest(avatar=avatar, video=video), timeout=IDLE_TIMEOUT_S
                    )
                    async for piece in call:
                        raise_stage_error(piece)
                        frames += piece.frames
                if not frames:
                    raise ServiceUnavailable(f"{self.peer('sda')} sent an empty idle loop.")
                width, height = await asyncio.to_thread(_size, codec, frames[0].data)
                self._idle[key] = version, IdleLoop(tuple(frames), width, height)
            return self._idle[key][1]

    async def transcribe(
        self, pcm: bytes, *, avatar: str = "", language: str = "", hotwords: tuple[str, ...] = ()
    ) -> asr_pb2.Final:
        """Transcribes a whole recording.

        Args:
            pcm: s16le mono 24 kHz.
            avatar: Whose lexicon helps; empty: none.
            language: BCP-47; empty: the engine's default.
            hotwords: Words to expect.

        Raises:
            ServiceUnavailable: The ears do not answer.
            ParleyError: They answer that transcription failed.
        """
        config = asr_pb2.ListenConfig(
            session="transcription", avatar=avatar, language=language, hotwords=hotwords, vad=False
        )

        async def requests() -> AsyncIterator[asr_pb2.ListenRequest]:
            yield asr_pb2.ListenRequest(config=config)
            for at in range(0, len(pcm), _SEND_BYTES):
                yield asr_pb2.ListenRequest(pcm=pcm[at : at + _SEND_BYTES])
            yield asr_pb2.ListenRequest(finalize=asr_pb2.Finalize(id=1))
            await answered.wait()

        answered = asyncio.Event()
        timeout_s = 20 + 2 * len(pcm) / _SEND_BYTES
        with translated(self.peer("asr")):
            call = self._asr.Listen(requests(), timeout=timeout_s)
            try:
                async for event in call:
                    if event.WhichOneof("kind") == "final":
                        if event.final.error:
                            raise ParleyError(event.final.error, code="transcription_failed")
                        final: asr_pb2.Final = event.final
                        return final
            finally:
                answered.set()
                call.cancel()
        raise ServiceUnavailable(f"{self.peer('asr')} ended without a transcript.")

    async def speak(
        self, clauses: list[str], *, avatar: str, voice: str = "", speed: float = 0.0
    ) -> AsyncIterator[bytes]:
        """Speech of `clauses` as it is made, s16le mono 24 kHz.

        Args:
            clauses: Spoken one after the other.
            avatar: Whose voice speaks.
            voice: A voice of the engine instead; empty: the avatar's.
            speed: 0.5…2; 0: the voice's own.

        Raises:
            ParleyError: As the voice service says.
        """

        async def requests() -> AsyncIterator[tts_pb2.SpeakRequest]:
            for number, clause in enumerate(clauses, 1):
                piece = chain_pb2.TextPiece(text=clause, last=number == len(clauses))
                yield tts_pb2.SpeakRequest(avatar=avatar, voice=voice, speed=speed, piece=piece)

        timeout_s = 30 + sum(map(len, clauses)) / 5
        with translated(self.peer("tts")):
            call = self._tts.Speak(requests(), timeout=timeout_s)
            try:
                async for piece in call:
                    raise_stage_error(piece)
                    yield piece.pcm
            finally:
                call.cancel()

    async def generate(
        self, turn: chain_pb2.Turn, *, timeout_s: float = 120.0
    ) -> AsyncIterator[chain_pb2.TextPiece]:
        """The reply to `turn`, clause by clause.

        Raises:
            ParleyError: As the language service says.
        """
        with translated(self.peer("llm")):
            call = self._llm.Generate(turn, timeout=timeout_s)
            try:
                async for piece in call:
                    raise_stage_error(piece)
                    if piece.text or piece.calls:
                        yield piece
            finally:
                call.cancel()


def _size(codec: str, keyframe: bytes) -> tuple[int, int]:
    """Width and height of a frame: the engine that draws decides them."""
    picture = VideoDecoder(codec).decode(keyframe)
    if not picture:
        raise MediaError("The idle loop does not begin with a keyframe.")
    height, width = picture[0].shape[:2]
    return width, height


def raise_stage_error(piece: chain_pb2.TextPiece | chain_pb2.SpeechPiece | chain_pb2.VideoPiece) -> None:
    """Raises the failure that a piece stands for, if it does."""
    if piece.HasField("error"):
        raise ParleyError(piece.error.message, code=piece.error.code or "service_failed")
