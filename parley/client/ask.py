"""Asking a question with a recording, and measuring the answer."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.client.client import ReplyRecord, TalkClient
from parley.errors import ServiceUnavailable
from parley.media.audio import float_to_pcm16
from parley.media.clock import SAMPLE_RATE_HZ, samples_to_ms

SPEECH_RANGE_DB = -40.0  # below the loudest 10 ms: silence in a clean recording
ABOVE_FLOOR_DB = 10.0  # above the quietest tenth: speech in a noisy one
ANSWER_TIMEOUT_S = 60.0


def speech_bounds(audio: NDArray[np.float32]) -> tuple[int, int]:
    """Where speech begins and ends in float32 [n] at 24 kHz.

    Speech is what is louder than −40 dB below the loudest 10 ms and 10 dB above the noise floor. Where noise
    hides the last of a word this finds the end too early: latency is then told too high, not too low.

    Returns:
        First sample, and the one after the last.
    """
    step = SAMPLE_RATE_HZ // 100
    power = (audio[: len(audio) // step * step].reshape(-1, step) ** 2).mean(axis=1) + 1e-12
    level = 10 * np.log10(power / power.max())
    floor = float(np.percentile(level, 10))
    loud = np.flatnonzero(level > max(SPEECH_RANGE_DB, floor + ABOVE_FLOOR_DB))
    return int(loud[0]) * step, int(loud[-1] + 1) * step


async def ask(client: TalkClient, audio: NDArray[np.float32]) -> tuple[ReplyRecord, dict[str, Any]]:
    """Speaks float32 [n] at 24 kHz, waits until the answer has been played, and measures.

    Returns:
        The reply and a dict with `transcript`, `reply`, and `latency_ms` by stage, all from the true last
        sample of the question's speech.

    Raises:
        ServiceUnavailable: No answer came in a minute, or the connection was closed.
    """
    asked = time.monotonic()
    before = max(client.replies, default=0)
    first_sample_at = client.microphone.say(float_to_pcm16(audio))
    ended_at = first_sample_at + speech_bounds(audio)[1] / SAMPLE_RATE_HZ
    question_s = len(audio) / SAMPLE_RATE_HZ

    def answered() -> bool:
        return any(g > before and r.first_audio_at for g, r in client.replies.items())

    try:
        await client.wait_until(answered, timeout_s=question_s + ANSWER_TIMEOUT_S)
    except TimeoutError as error:
        raise ServiceUnavailable(
            f"No answer came within {ANSWER_TIMEOUT_S:.0f} s.", fix="Is there speech in the recording?"
        ) from error
    if not answered():
        raise ServiceUnavailable("The connection was closed before an answer came.")
    generation = max(g for g, r in client.replies.items() if r.first_audio_at)
    await client.wait_played(generation, timeout_s=ANSWER_TIMEOUT_S)
    await client.wait_event(
        lambda e: e["type"] == "response.done",
        timeout_s=ANSWER_TIMEOUT_S,
        since=client.replies[generation].first_audio_at or 0,
    )
    reply = client.replies[generation]
    heard = [
        e["transcript"]
        for at, e in client.events
        if at > asked and e["type"] == "conversation.item.input_audio_transcription.completed"
    ]
    latency = dict(reply.latency_ms)
    latency["first_audio"] = ((reply.first_audio_at or ended_at) - ended_at) * 1000
    if reply.first_video_at:
        latency["first_video"] = (reply.first_video_at - ended_at) * 1000
    return reply, {
        "transcript": " ".join(heard),
        "reply": reply.text,
        "generation": generation,
        "audio_ms": samples_to_ms(len(reply.pcm) // 2),
        "frames": len(reply.video),
        "latency_ms": {k: round(v, 1) for k, v in latency.items()},
    }
