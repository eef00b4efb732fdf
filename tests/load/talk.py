"""The whole over the public websocket: people who ask, listen to the answer, and ask on."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle

import httpx

from parley.bench.load import late_frames
from parley.client import TalkClient, ask
from parley.media.clock import BYTES_PER_SAMPLE, FRAME_SAMPLES
from tests.load.phases import Budget, Sample
from tests.load.speech import Prompt, leaked, shares
from tests.load.sweep import Work


class TalkLoad:
    """Turns of conversations."""

    what = "talk"
    unit = "a question and its answer"
    processes: tuple[str, ...] = ("asr", "llm", "tts", "sda", "gateway", "redis")
    stagger_s = 1.5
    budget = Budget(
        measure="first_audio_ms",
        p95_ms=1000,
        why="from the last sample of the question to the first of the answer: later, people ask again",
    )

    def __init__(self, url: str, avatar: str, key: str) -> None:
        self._url = url
        self._avatar = avatar
        self._key = key

    async def engine(self) -> str:
        """The engine of every service."""
        async with httpx.AsyncClient(timeout=10) as http:
            services = (await http.get(f"{self._url}/readyz")).json()["services"]
        return ", ".join(f"{name} {about['engine']}" for name, about in sorted(services.items()))

    @contextlib.asynccontextmanager
    async def client(self, number: int, clients: int) -> AsyncIterator[Work]:
        """One person at the websocket."""
        async with TalkClient.open(self._url, self._avatar, key=self._key) as talking:
            asked = cycle(shares(number, clients))
            yield lambda: turn(talking, next(asked))


async def turn(talking: TalkClient, prompt: Prompt) -> Sample:
    """Asks one question and looks at the answer."""
    gaps = talking.player.underruns
    reply, row = await ask(talking, prompt.audio)
    faults = Counter[str]()
    if leaked(row["transcript"], prompt.text, human=False):
        faults["leak"] += 1
    starts = [message.pts_samples for message in reply.audio]
    lengths = [len(message.payload) // BYTES_PER_SAMPLE for message in reply.audio]
    if starts != [sum(lengths[:n]) for n in range(len(lengths))]:
        faults["sound out of order"] += 1
    faults["gaps in the sound"] += talking.player.underruns - gaps
    blemishes = Counter[str](
        {
            "missing frames": sum(lengths) // FRAME_SAMPLES - len(reply.video),
            "late frames": late_frames(talking, reply.generation),
        }
    )
    measures = {
        name: row["latency_ms"][name] for name in ("first_audio", "first_video") if name in row["latency_ms"]
    }
    return Sample({f"{name}_ms": ms for name, ms in measures.items()}, +faults, +blemishes)
