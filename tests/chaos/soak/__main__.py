"""`python -m tests.chaos.soak`: some people talk for half an hour, and nothing may grow.

Real speech in real time against real processes. The first keeps one conversation throughout; the others hang
up after some turns and call again. Ends by itself; exit status 1 when something grows faster than
`slopes.BOUNDS` allows, a process died, or a turn went wrong.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.errors import ParleyError
from parley.supervisor import Ports, Stack
from tests.chaos.soak.report import page
from tests.chaos.soak.sampling import Sampler
from tests.chaos.soak.slopes import Growth, growth
from tests.load.phases import Sample
from tests.load.speech import prompts
from tests.load.talk import TalkLoad

TURNS_A_CALL = 6
TURN_LIMIT_S = 90.0
WARM_UP = 0.4  # pools of decoders, threads and pages fill once; a leak goes on
STAGGER_S = 2.0
BAD_TURNS = 0.02  # more than one in fifty is not the machine's moods any more

app = typer.Typer(help=__doc__, add_completion=False)
say = Console(stderr=True).print


@dataclass
class Talked:
    """How the talks went. `first_audio_ms`: of each turn."""

    turns: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    first_audio_ms: list[float] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Counts a turn."""
        self.turns += 1
        self.faults += sample.faults
        self.first_audio_ms += [v for k, v in sample.measures.items() if k == "first_audio_ms"]


async def person(load: TalkLoad, number: int, people: int, talked: Talked) -> None:
    """Talks until cancelled."""
    await asyncio.sleep(STAGGER_S * number)
    while True:
        try:
            async with load.client(number, people) as turn:
                talked.calls += 1
                spoken = 0
                while number == 0 or spoken < TURNS_A_CALL:
                    async with asyncio.timeout(TURN_LIMIT_S):
                        talked.add(await turn())
                    spoken += 1
        except (ParleyError, TimeoutError) as error:
            talked.turns += 1
            talked.faults[f"no answer: {error or 'timeout'}"[:120]] += 1
            await asyncio.sleep(1)


async def soak(stack: Stack, minutes: float, people: int) -> tuple[Talked, Sampler]:
    """Lets people talk and looks on."""
    talked = Talked()
    load = TalkLoad(stack.url, "mira", "")

    def pids() -> dict[str, int]:
        return {c.name: c.process.pid for c in stack.children.values() if c.process is not None}

    sampler = Sampler(pids, stack.redis_url)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(minutes * 60), asyncio.TaskGroup() as tasks:
            tasks.create_task(sampler.run())
            for number in range(people):
                tasks.create_task(person(load, number, people, talked))
    return talked, sampler


def verdict(talked: Talked, growths: list[Growth], died: dict[str, int]) -> list[str]:
    """What is wrong, in words; empty: nothing."""
    wrong = [
        f"{g.what} of {g.of} grows by {g.an_hour:.1f} {g.unit} an hour, {g.allowed:.0f} are allowed"
        for g in growths
        if not g.flat
    ]
    wrong += [f"{name} died {times} times" for name, times in died.items() if times]
    bad = sum(n for fault, n in talked.faults.items() if fault.startswith("no answer"))
    if not talked.turns or bad > BAD_TURNS * talked.turns:
        wrong.append(f"{bad} of {talked.turns} turns had no answer")
    if talked.faults["leak"]:
        wrong.append(f"{talked.faults['leak']} turns were heard by a neighbour's conversation")
    return wrong


@app.command()
def main(
    minutes: Annotated[float, typer.Option(help="How long people talk.", min=5.0)] = 30.0,
    sessions: Annotated[int, typer.Option(help="How many talk at once.", min=1)] = 3,
    out: Annotated[Path, typer.Option(help="Folder for soak.json and soak.html.")] = Path("artifacts/soak"),
) -> None:
    """Runs the soak and writes the report."""
    out.mkdir(parents=True, exist_ok=True)
    prompts(human=False)
    began = time.monotonic()

    async def run() -> tuple[Talked, Sampler, dict[str, int]]:
        env = {"PARLEY_REDIS_URL": ""}
        async with Stack(Ports.free(), env=env, log_dir=out / "logs", say=say, maker=False) as stack:
            await stack.wait_ready()
            say(f"{sessions} people talk for {minutes:g} minutes.")
            talked, sampler = await soak(stack, minutes, sessions)
            return talked, sampler, {name: child.restarts for name, child in stack.children.items()}

    talked, sampler, died = asyncio.run(run())
    series = sampler.series()
    growths = [growth(one, warm_up_min=WARM_UP * minutes) for one in series]
    wrong = verdict(talked, growths, died)
    heard = sorted(talked.first_audio_ms)
    about = {
        "taken": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "minutes": minutes,
        "people": sessions,
        "calls": talked.calls,
        "turns": talked.turns,
        "first sound, median ms": round(heard[len(heard) // 2]) if heard else None,
        "first sound, 95 % ms": round(heard[int(0.95 * len(heard))]) if heard else None,
        "faults": dict(talked.faults),
        "load of the machine at the end": round(os.getloadavg()[1], 1),
        "left out at the start, minutes": WARM_UP * minutes,
        "wrong": wrong,
    }
    (out / "soak.html").write_text(page(about, series, growths))
    (out / "soak.json").write_text(
        json.dumps(
            {
                **about,
                "growth": [g.row() for g in growths],
                "by minute": {f"{s.what} of {s.of}": [round(v, 1) for _, v in s.by_minute()] for s in series},
            },
            ensure_ascii=False,
        )
        + "\n"
    )
    for g in growths:
        say(f"{g.what:13} {g.of:8} {g.first:8.1f} → {g.last:8.1f} {g.an_hour:+8.1f} {g.unit} an hour")
    say(f"{talked.turns} turns in {time.monotonic() - began:.0f} s, faults {dict(talked.faults)}; {out}")
    for what in wrong:
        say(f"wrong: {what}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    app()
