"""Interruptions: from the onset of speech to silence at the client; what still comes afterwards."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from parley.bench.questions import questions
from parley.bench.stats import summary
from parley.client import TalkClient, speech_bounds
from parley.media.audio import float_to_pcm16
from parley.media.clock import SAMPLE_RATE_HZ

TIMEOUT_S = 30.0
LISTEN_S = 0.6  # how much of an answer is heard before it is interrupted
WATCH_S = 0.3  # how long stale media are waited for after a flush


async def measure_barge_in(
    url: str, avatar: str, *, interruptions: int, key: str = "", progress: Callable[[str], None] = print
) -> dict[str, Any]:
    """Interrupts `interruptions` answers, each with the next question.

    Returns:
        `silence_ms`: onset of speech to the client's silence. `flush_ms`: onset to the flush. `stale`: media
        messages of flushed generations that came after their flush; must be 0.
    """
    silence, flush, missed = [], [], 0
    async with TalkClient.open(url, avatar, key=key) as client:
        asked = questions(human=False)
        client.microphone.say(float_to_pcm16(next(asked)[1]))
        for number in range(1, interruptions + 1):
            await client.wait_until(lambda: client.player.playing(time.monotonic()), timeout_s=TIMEOUT_S)
            await asyncio.sleep(LISTEN_S)
            if not client.player.playing(time.monotonic()):
                missed += 1  # the answer was shorter than that: ask again
                client.microphone.say(float_to_pcm16(next(asked)[1]))
                continue
            question = next(asked)[1]
            before = max(client.flushed_at, default=0)
            onset = (
                client.microphone.say(float_to_pcm16(question)) + speech_bounds(question)[0] / SAMPLE_RATE_HZ
            )
            await client.wait_until(lambda: max(client.flushed_at, default=0) > before, timeout_s=TIMEOUT_S)  # noqa: B023
            flushed_at = client.flushed_at[max(client.flushed_at)]
            silent_at = min([t for t in client.paused_at if t >= onset] + [flushed_at])
            silence.append((silent_at - onset) * 1000)
            flush.append((flushed_at - onset) * 1000)
            progress(f"{number}/{interruptions} silent after {silence[-1]:.0f} ms")
            await asyncio.sleep(client.microphone.pending_s + WATCH_S)
        stale = client.stale_messages
    return {"silence_ms": summary(silence), "flush_ms": summary(flush), "stale": stale, "too_short": missed}
