"""The microphone without a sound card, on virtual time."""

import asyncio
import contextlib

from parley.client import Microphone
from tests.virtual import virtual


@virtual
async def test_streams_speech_in_its_place_and_silence_around_it() -> None:
    sent: list[bytes] = []

    async def send(pcm: bytes, number: int) -> None:
        assert number == len(sent) + 1
        sent.append(pcm)

    microphone = Microphone(send, chunk_ms=40)
    microphone.switch_on()
    task = asyncio.create_task(microphone.run())
    await asyncio.sleep(0.1)
    begins = microphone.say(b"\1\0" * 960)
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert [len(pcm) for pcm in sent] == [1920] * len(sent)
    spoken = [number for number, pcm in enumerate(sent) if any(pcm)]
    assert len(spoken) == 1
    assert begins == microphone.time_of(960 * spoken[0])
    assert microphone.pending_s == 0
