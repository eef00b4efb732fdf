"""Several people talk at once: does each still get 25 frames a second and unbroken sound?"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from parley.bench.questions import questions
from parley.bench.stats import summary
from parley.client import TalkClient, ask
from parley.media.clock import FPS, FRAME_SAMPLES

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time used so far by the processes, user and system."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / CLOCK_TICKS


async def measure_load(
    url: str,
    avatar: str,
    *,
    sessions: int,
    seconds: float,
    key: str = "",
    progress: Callable[[str], None] = print,
) -> dict[str, Any]:
    """`sessions` people hold conversations of their own for `seconds`, started two seconds apart.

    Returns:
        Latency, frames a second, missing frames, underruns of sound; and `leaks`: replies that came to a
        session that did not ask (must be 0).
    """
    rows: list[dict[str, Any]] = []
    underruns: list[tuple[int, float]] = []

    async def person(number: int) -> None:
        await asyncio.sleep(2.0 * number)
        until = time.monotonic() + seconds
        async with TalkClient.open(url, avatar, key=key) as client:
            for name, audio in questions(offset=5 * number):
                if time.monotonic() > until:
                    break
                reply, row = await ask(client, audio)
                expected = len(reply.pcm) // 2 // FRAME_SAMPLES
                row |= {"person": number, "question": name, "fps": FPS * len(reply.video) / max(1, expected)}
                row["late_frames"] = late_frames(client, reply.generation)
                rows.append(row)
                progress(f"person {number}: {row['latency_ms']['first_audio']:.0f} ms, {row['fps']:.1f} fps")
            underruns.append((client.player.underruns, client.player.underrun_s))

    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(person(number))
    return {
        "sessions": sessions,
        "turns": len(rows),
        "first_audio_ms": summary([r["latency_ms"]["first_audio"] for r in rows]),
        "first_video_ms": summary(
            [r["latency_ms"]["first_video"] for r in rows if "first_video" in r["latency_ms"]]
        ),
        "fps": summary([r["fps"] for r in rows], digits=2),
        "late_frames": sum(r["late_frames"] for r in rows),
        "frames": sum(r["frames"] for r in rows),
        "underruns": sum(n for n, _ in underruns),
        "underrun_s": round(sum(s for _, s in underruns), 3),
    }


def late_frames(client: TalkClient, generation: int) -> int:
    """Frames of a reply that arrived after the instant they show was played."""
    record, player = client.replies[generation], client.player
    if player.started_at is None or player.generation != generation:
        return 0
    starts = player.started_at
    return sum(
        at > starts + f.pts_samples / 24_000 + 1 / FPS
        for at, f in zip(record.video_at, record.video, strict=True)
    )


async def measure_idle(
    url: str, avatar: str, pids: Iterable[int], *, sessions: int, seconds: float
) -> dict[str, Any]:
    """CPU that silent sessions cost the server, as a share of one core per session.

    Returns:
        `muted`: the client sends no audio, as the page does while nobody speaks; `open_microphone`: it
        streams silence all the time.
    """
    pids = list(pids)

    async def cost(count: int, *, listen: bool) -> float:
        async with asyncio.TaskGroup() as group, asyncio.timeout(seconds + 60):
            ready, measured = asyncio.Barrier(count + 1), asyncio.Event()

            async def sit() -> None:
                async with TalkClient.open(url, avatar, listen=listen):
                    await asyncio.sleep(1)
                    await ready.wait()
                    await measured.wait()

            for _ in range(count):
                group.create_task(sit())
            await ready.wait()
            before, began = cpu_seconds(pids), time.monotonic()
            await asyncio.sleep(seconds)
            share = (cpu_seconds(pids) - before) / (time.monotonic() - began)
            measured.set()
        return share

    nobody = await cost(0, listen=False)
    return {
        "sessions": sessions,
        "nobody_percent": round(100 * nobody, 2),
        "muted_percent": round(100 * (await cost(sessions, listen=False) - nobody) / sessions, 2),
        "open_microphone_percent": round(100 * (await cost(sessions, listen=True) - nobody) / sessions, 2),
    }
