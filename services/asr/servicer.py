"""The gRPC door: one Listen stream per session."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc.aio
from prometheus_client import Counter, Gauge, Histogram

from parley.engines import AsrEngine
from parley.errors import BadRequest, ParleyError
from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from parley.telemetry import logs
from proto.parley.v1 import asr_pb2 as pb
from proto.parley.v1 import asr_pb2_grpc
from services.asr.config import AsrSettings
from services.asr.session import ListenSession, open_session

_SESSIONS = Gauge("parley_asr_sessions", "Listening streams that are open.")
_AUDIO = Counter("parley_asr_audio_seconds_total", "Audio received.")
_FINALS = Histogram(
    "parley_asr_final_seconds",
    "From Finalize to Final.",
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.0, 5.0),
)
_CONFIG_TIMEOUT_S: Final = 10.0
_REST_CHECK_S: Final = 0.04
_BYTES_PER_S: Final = SAMPLE_RATE_HZ * BYTES_PER_SAMPLE


class AsrServicer(asr_pb2_grpc.AsrServicer):
    """Listens for any number of sessions with one engine."""

    def __init__(self, engine: AsrEngine, settings: AsrSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="asr")
        self._retired = asyncio.Event()

    def retire(self) -> None:
        """From now on every stream is left as soon as no turn is open on it."""
        self._retired.set()

    async def Listen(
        self, requests: AsyncIterator[pb.ListenRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ListenEvent]:
        """One session's stream. See `asr.proto`."""
        config = await self._config(requests)
        with logs.bind(session=config.session), _SESSIONS.track_inprogress():
            session = await open_session(
                self._engine,
                config,
                executor=self._executor,
                avatars_dir=self._settings.avatars_dir,
                threshold=self._settings.vad_threshold,
            )
            feeding = asyncio.create_task(_feed(session, requests), name="feed")
            retiring = asyncio.create_task(self._retire(session), name="retire")
            try:
                async for event in session.events():
                    if event.HasField("final"):
                        _FINALS.observe(event.final.decode_ms / 1000)
                    yield event
            finally:
                feeding.cancel()
                retiring.cancel()
                await asyncio.wait([feeding, retiring])
                await session.close()

    async def _retire(self, session: ListenSession) -> None:
        """Leaves a session in its next rest once the service is to stop."""
        await self._retired.wait()
        while not session.resting:
            await asyncio.sleep(_REST_CHECK_S)
        session.leave()

    async def _config(self, requests: AsyncIterator[pb.ListenRequest]) -> pb.ListenConfig:
        try:
            async with asyncio.timeout(_CONFIG_TIMEOUT_S):
                first = await anext(aiter(requests), None)
        except TimeoutError:
            first = None
        if first is None or not first.HasField("config"):
            raise BadRequest(
                "The first request of a Listen stream must carry `config`.", fix="Send ListenConfig first."
            )
        return first.config


async def _feed(session: ListenSession, requests: AsyncIterator[pb.ListenRequest]) -> None:
    """Hands the client's requests on; what is wrong with one ends the stream with that error."""
    try:
        async for request in requests:
            _AUDIO.inc(len(request.pcm) / _BYTES_PER_S)
            await session.send(request)
        session.finish()
    except ParleyError as error:
        session.fail(error)
