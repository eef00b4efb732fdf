"""Order of sending, what a flush removes, and what happens to a slow client."""

import asyncio

import pytest

from gateway.realtime.outbox import Lane, Message, Outbox, SlowClient


async def drained(outbox: Outbox) -> list[str | bytes]:
    sent: list[str | bytes] = []

    async def send(data: str | bytes) -> None:
        sent.append(data)

    outbox.end()
    await outbox.run(send)
    return sent


async def test_cancel_audio_video_text_idle() -> None:
    outbox = Outbox()
    outbox.put(Lane.BULK, Message(b"idle"))
    outbox.put(Lane.TEXT, Message("text"))
    outbox.put(Lane.VIDEO, Message(b"video", generation=1, keyframe=True))
    outbox.put(Lane.AUDIO, Message(b"audio 1", generation=1))
    outbox.put(Lane.AUDIO, Message(b"audio 2", generation=1))
    outbox.put(Lane.URGENT, Message("flush"))
    assert await drained(outbox) == ["flush", b"audio 1", b"audio 2", b"video", "text", b"idle"]


async def test_media_does_not_overtake_its_announcement() -> None:
    outbox = Outbox()
    outbox.put(Lane.TEXT, Message("earlier"))
    outbox.put(Lane.TEXT, Message("reply 2 starts", opens=2))
    outbox.put(Lane.TEXT, Message("later"))
    outbox.put(Lane.AUDIO, Message(b"audio of 1", generation=1))
    outbox.put(Lane.AUDIO, Message(b"audio of 2", generation=2))
    assert await drained(outbox) == [b"audio of 1", "earlier", "reply 2 starts", b"audio of 2", "later"]


async def test_a_flush_leaves_nothing_stale() -> None:
    outbox = Outbox()
    outbox.put(Lane.AUDIO, Message(b"old", generation=1))
    outbox.put(Lane.TEXT, Message("old delta", generation=1))
    outbox.put(Lane.TEXT, Message("fact"))
    outbox.put(Lane.AUDIO, Message(b"new", generation=2))
    outbox.void_below(2)
    outbox.put(Lane.VIDEO, Message(b"late", generation=1, keyframe=True))
    assert await drained(outbox) == [b"new", "fact"]


async def test_late_video_goes_until_the_next_keyframe() -> None:
    now = [0.0]
    outbox = Outbox(video_deadline_s=1.0, now=lambda: now[0])
    outbox.put(Lane.VIDEO, Message(b"key 1", generation=1, keyframe=True))
    outbox.put(Lane.VIDEO, Message(b"delta 2", generation=1))
    outbox.put(Lane.AUDIO, Message(b"audio", generation=1))
    now[0] = 1.5
    outbox.put(Lane.VIDEO, Message(b"delta 3", generation=1))
    outbox.put(Lane.VIDEO, Message(b"delta 4", generation=1))
    outbox.put(Lane.VIDEO, Message(b"key 5", generation=1, keyframe=True))
    outbox.put(Lane.VIDEO, Message(b"delta 6", generation=1))
    assert await drained(outbox) == [b"audio", b"key 5", b"delta 6"]


async def test_audio_is_never_dropped_but_a_slow_client_is_cut() -> None:
    now = [0.0]
    outbox = Outbox(slow_client_s=5.0, now=lambda: now[0])
    outbox.put(Lane.AUDIO, Message(b"audio", generation=1))
    now[0] = 6.0
    outbox.put(Lane.AUDIO, Message(b"more", generation=1))
    with pytest.raises(SlowClient, match="too slowly"):
        await drained(outbox)


async def test_too_much_queued_is_cut_too() -> None:
    outbox = Outbox(max_bytes=10)
    outbox.put(Lane.AUDIO, Message(b"x" * 11, generation=1))
    with pytest.raises(SlowClient):
        await drained(outbox)


async def test_a_client_that_stopped_reading_is_cut() -> None:
    outbox = Outbox(slow_client_s=0.01)
    outbox.put(Lane.AUDIO, Message(b"audio", generation=1))

    async def stuck(data: str | bytes) -> None:
        await asyncio.Event().wait()

    with pytest.raises(SlowClient, match="stopped"):
        await outbox.run(stuck)
