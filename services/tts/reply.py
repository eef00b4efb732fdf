"""Speaking one reply: text pieces in as they come, speech pieces out. Both doors of the service use this."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import Executor
from functools import partial

from prometheus_client import Counter

from parley.aio import iterate_in_thread
from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from parley.telemetry.metrics import observe_hop
from proto.parley.v1 import chain_pb2 as pb
from services.tts.pacing import Pacer

log = logging.getLogger(__name__)

QUEUED_PIECES = 12  # 2.4 s: speech made ahead of what may be sent
_AUDIO = Counter("parley_tts_audio_seconds_total", "Speech made, in seconds of audio.")
_WORK = Counter("parley_tts_synthesis_seconds_total", "Time spent on making it.")

Texts = AsyncIterator[tuple[int, pb.TextPiece]]


async def speech(pacer: Pacer, texts: Texts, *, executor: Executor) -> AsyncGenerator[pb.SpeechPiece, None]:
    """The pieces of a reply. While the consumer holds one clause, the next is being synthesised.

    An error in place of a text piece ends the speech quietly: whoever reads the text sees it there.

    Args:
        pacer: A fresh one.
        texts: Text pieces with their seq, as they come.
        executor: Threads for the synthesis.

    Raises:
        ParleyError: Whatever `texts` or the engine raise.
    """
    made: asyncio.Queue[pb.SpeechPiece | None] = asyncio.Queue()
    room = asyncio.Semaphore(QUEUED_PIECES)

    async def make() -> None:
        try:
            async for piece in _pieces(pacer, texts, executor):
                await room.acquire()
                made.put_nowait(piece)
        finally:
            made.put_nowait(None)

    maker = asyncio.create_task(make())
    try:
        while (piece := await made.get()) is not None:
            room.release()
            piece.created_unix_ms = time.time_ns() // 1_000_000
            yield piece
        await maker
    finally:
        maker.cancel()
        await asyncio.gather(maker, return_exceptions=True)


async def _pieces(pacer: Pacer, texts: Texts, executor: Executor) -> AsyncIterator[pb.SpeechPiece]:
    """Synthesises clause after clause."""
    began = False
    async for seq, text in texts:
        if text.HasField("error"):
            log.info("the reply's text broke off", extra={"code": text.error.code})
            break
        started = time.monotonic()
        clause = partial(pacer.clause, seq, text.text, last=text.last)
        async for piece in iterate_in_thread(clause, executor=executor):
            took = time.monotonic() - started
            _WORK.inc(took)
            _AUDIO.inc(len(piece.pcm) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ)
            if not began:
                began = True
                observe_hop("tts_first_audio", took)
            yield piece
            started = time.monotonic()
        if text.last:
            break
    for piece in pacer.finish():
        yield piece
