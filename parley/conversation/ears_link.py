"""Keeps a listening stream open, and audio and requests on it in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from parley.aio import Signal
from parley.conversation.interface import Ears, EarStream
from parley.errors import ParleyError, ServiceUnavailable
from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from proto.parley.v1 import asr_pb2

log = logging.getLogger(__name__)

MAX_WAITING_SAMPLES = 5 * SAMPLE_RATE_HZ
_FIRST_RETRY_S = 0.2
_LAST_RETRY_S = 3.0
_OPEN_TIMEOUT_S = 10.0
_LAST_ANSWER_S = 2.0
_SUCCESSOR_S = 2.0
_SUCCESSOR_RETRY_S = 0.05
_REPEATED_SAMPLES = SAMPLE_RATE_HZ * 400 // 1000


class _Reopen(Exception):
    """Another stream is wanted: the configuration changed, or the ears leave this one in a rest."""


class EarsLink:
    """Talks to the ears; opens a new stream when one is lost or the configuration changes."""

    def __init__(
        self,
        ears: Ears,
        config: asr_pb2.ListenConfig,
        *,
        on_event: Callable[[asr_pb2.ListenEvent, int], None],
        on_lost: Callable[[ParleyError], None],
    ) -> None:
        """Makes an unconnected link; `run` connects it.

        Args:
            ears: Who listens.
            config: What they are told first.
            on_event: Gets each event, and the conversation's input clock at which its stream began.
            on_lost: Called once per outage.
        """
        self._ears = ears
        self._config = self._wanted = config
        self._on_event = on_event
        self._on_lost = on_lost
        # A config in it marks where the present stream ends and another begins.
        self._waiting: deque[asr_pb2.ListenRequest | asr_pb2.ListenConfig] = deque()
        self._waiting_samples = 0
        self._unanswered: set[int] = set()
        self._recent: deque[asr_pb2.ListenRequest] = deque()  # sent since the last turn was over, its end
        self._recent_samples = 0
        self._successor_until = 0.0  # until then ears that left in peace may have a successor
        self._samples = 0
        self._accepting = True  # until the ears are lost: what comes while connecting is kept for them
        self._changed = Signal()

    async def hear(self, pcm: bytes) -> None:
        """Passes audio on; waits while the ears are far behind. Lost while nobody listens."""
        samples = len(pcm) // BYTES_PER_SAMPLE
        self._samples += samples
        if self._accepting:
            self._waiting_samples += samples
            self._put(asr_pb2.ListenRequest(pcm=pcm))
            await self._changed.wait_for(lambda: self._waiting_samples < MAX_WAITING_SAMPLES)

    def finalize(self, number: int) -> None:
        """Asks for the transcript of the turn so far."""
        self._put(asr_pb2.ListenRequest(finalize=asr_pb2.Finalize(id=number)))

    def reset(self) -> None:
        """Has the ears forget the turn."""
        self._put(asr_pb2.ListenRequest(reset=asr_pb2.Reset()))

    def answered(self, number: int) -> None:
        """The transcript that `finalize` asked for has come."""
        self._unanswered.discard(number)
        self._changed.notify()

    def configure(self, config: asr_pb2.ListenConfig) -> bool:
        """Listens in another way, as soon as no transcript is outstanding.

        Returns:
            Whether that is another way: then what was heard of a turn is forgotten.
        """
        if config == self._wanted:
            return False
        self._wanted = config
        self._put(config)
        return True

    async def run(self) -> None:
        """Listens until cancelled."""
        retry_s, told = _FIRST_RETRY_S, False
        while True:
            try:
                async with asyncio.timeout(_OPEN_TIMEOUT_S):
                    stream = await self._ears.open(self._config)
                retry_s, told = _FIRST_RETRY_S, False
                await self._listen(stream)
            except _Reopen:
                self._repeat()
                continue
            except (ParleyError, TimeoutError) as error:
                if asyncio.get_running_loop().time() < self._successor_until:
                    self._repeat()
                    await asyncio.sleep(_SUCCESSOR_RETRY_S)
                    continue
                lost = error if isinstance(error, ParleyError) else _silent()
                log.warning("ears lost", extra={"error": lost.message})
                self._forget()
                if not told:
                    self._on_lost(lost)
                    told = True
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, _LAST_RETRY_S)

    async def _listen(self, stream: EarStream) -> None:
        began_at = self._samples - self._waiting_samples
        self._accepting = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(stream, began_at))
                tasks.create_task(self._write(stream))
        except* _Reopen:
            raise _Reopen from None
        except* ParleyError as errors:
            raise _first(errors) from errors
        finally:
            await stream.close()

    def _forget(self) -> None:
        """Nobody listens: what waits is too old once somebody does."""
        self._accepting = False
        self._config = self._wanted
        self._waiting.clear()
        self._unanswered.clear()
        self._remember(None)
        self._waiting_samples = 0
        self._changed.notify()

    async def _read(self, stream: EarStream, began_at: int) -> None:
        async for event in stream.events():
            if event.HasField("leaving"):
                self._successor_until = asyncio.get_running_loop().time() + _SUCCESSOR_S
                raise _Reopen
            self._on_event(event, began_at)
        raise ServiceUnavailable("The ears closed the stream.")

    async def _write(self, stream: EarStream) -> None:
        while True:
            await self._changed.wait_for(lambda: bool(self._waiting))
            request = self._waiting.popleft()
            if isinstance(request, asr_pb2.ListenConfig):
                self._config = request
                self._remember(None)
                await self._last_answers()
                raise _Reopen
            self._waiting_samples -= len(request.pcm) // BYTES_PER_SAMPLE
            if request.HasField("finalize"):
                self._unanswered.add(request.finalize.id)
            self._remember(request)
            await stream.send(request)
            self._changed.notify()

    async def _last_answers(self) -> None:
        try:
            async with asyncio.timeout(_LAST_ANSWER_S):
                await self._changed.wait_for(lambda: not self._unanswered)
        except TimeoutError:
            log.warning("transcript lost", extra={"requests": sorted(self._unanswered)})
            self._unanswered.clear()

    def _repeat(self) -> None:
        """What was on its way to ears that left, and the breath before it, is for those who come after."""
        self._waiting.extendleft(reversed(self._recent))
        self._waiting_samples += self._recent_samples
        self._remember(None)

    def _remember(self, request: asr_pb2.ListenRequest | None) -> None:
        """Keeps what was sent last, but nothing from before a turn's end; None: forgets it all."""
        if request is None or request.HasField("reset"):
            self._recent.clear()
            self._recent_samples = 0
        if request is not None:
            self._recent.append(request)
            self._recent_samples += len(request.pcm) // BYTES_PER_SAMPLE
        while self._recent_samples > _REPEATED_SAMPLES:
            self._recent_samples -= len(self._recent.popleft().pcm) // BYTES_PER_SAMPLE

    def _put(self, request: asr_pb2.ListenRequest | asr_pb2.ListenConfig) -> None:
        if self._accepting:
            self._waiting.append(request)
            self._changed.notify()
        elif isinstance(request, asr_pb2.ListenConfig):
            self._config = request


def _silent() -> ServiceUnavailable:
    return ServiceUnavailable("The ears do not answer.", fix="Look at the asr service.")


def _first(errors: BaseExceptionGroup[ParleyError]) -> ParleyError:
    error: ParleyError | BaseExceptionGroup[ParleyError] = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
