"""Runs phases: starts clients one after the other, lets them work, leaves the ramp-up out."""

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from parley.bench.load import cpu_seconds
from parley.errors import ParleyError
from tests.load.phases import Budget, Phase, Sample, Sweep

UNIT_LIMIT_S = 60.0
OPEN_LIMIT_S = 30.0

Work = Callable[[], Awaitable[Sample]]


class Scenario(Protocol):
    """What clients of one service do.

    Attributes:
        what: Name of the service; "talk": the whole.
        unit: What is done again and again, in words.
        processes: Names of the processes whose time is counted.
        stagger_s: Time between the starts of two clients.
    """

    what: str
    unit: str
    budget: Budget
    processes: tuple[str, ...]
    stagger_s: float

    def client(self, number: int, clients: int) -> AbstractAsyncContextManager[Work]:
        """Client `number` of `clients`, connected; what it gives does one unit of work a call.

        Whoever knows both numbers knows what the neighbours say: see `speech.shares`.
        """

    async def engine(self) -> str:
        """What runs there, in words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how far.

    Attributes:
        seconds: Of each phase, without its ramp-up.
        most: Clients at most.
        exactly: These numbers of clients; empty: doubling until it is too many, then halving the interval.
    """

    seconds: float
    most: int
    exactly: tuple[int, ...] = ()

    def next(self, phases: Sequence[Phase], budget: Budget) -> int | None:
        """How many clients the next phase has; None: enough is known."""
        if self.exactly:
            return self.exactly[len(phases)] if len(phases) < len(self.exactly) else None
        bad = min((p.clients for p in phases if not p.keeps(budget)), default=None)
        good = max(
            (p.clients for p in phases if p.keeps(budget) and (bad is None or p.clients < bad)), default=0
        )
        if bad is None:
            following = min(max(1, 2 * good), self.most)
            return following if following > good else None
        return (good + bad) // 2 if bad - good > 1 else None


async def run_phase(scenario: Scenario, clients: int, seconds: float, pids: Iterable[int] | None) -> Phase:
    """One phase, bounded in time whatever the server does.

    Args:
        scenario: What the clients do.
        clients: How many.
        seconds: For how long once all have started.
        pids: Processes whose time is counted; None: not ours to look at.
    """
    samples: list[Sample] = []
    ramp_s = scenario.stagger_s * clients
    began = time.monotonic()
    measured_from = began + ramp_s
    until = measured_from + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(scenario.stagger_s * number)
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(OPEN_LIMIT_S):
                    work = await stack.enter_async_context(scenario.client(number, clients))
            except (ParleyError, TimeoutError, OSError) as error:
                samples.append(failure(error))
                return
            while (now := time.monotonic()) < until:
                try:
                    async with asyncio.timeout(UNIT_LIMIT_S):
                        sample = await work()
                except (ParleyError, TimeoutError) as error:
                    samples.append(failure(error))
                    return
                if now >= measured_from:
                    samples.append(sample)

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(number))
        await asyncio.sleep(ramp_s)
        before = None if pids is None else cpu_seconds(pids)
        await asyncio.sleep(seconds)
        spent = None if pids is None or before is None else (cpu_seconds(pids) - before) / seconds
        busy = os.getloadavg()[0]
    return Phase.of(samples, clients=clients, seconds=seconds, cores=spent, load_average=busy)


def failure(error: BaseException) -> Sample:
    """A unit that came to nothing."""
    return Sample({}, Counter({f"failed: {type(error).__name__}": 1}))


async def run_sweep(
    scenario: Scenario, plan: Plan, *, pids: Iterable[int] | None, progress: Callable[[str], None]
) -> Sweep:
    """Phases with growing numbers of clients, until the plan knows enough."""
    phases: list[Phase] = []
    while (clients := plan.next(phases, scenario.budget)) is not None:
        phase = await run_phase(scenario, clients, plan.seconds, pids)
        phases.append(phase)
        progress(line(scenario, phase))
    return Sweep(
        what=scenario.what,
        unit=scenario.unit,
        engine=await scenario.engine(),
        budget=scenario.budget,
        phases=sorted(phases, key=lambda p: p.clients),
    )


def line(scenario: Scenario, phase: Phase) -> str:
    """A phase in one line of text."""
    figures = phase.measures.get(scenario.budget.measure, {"n": 0})
    told = f"p95 {figures['p95']:.0f} ms" if "p95" in figures else "nothing measured"
    verdict = "kept" if phase.keeps(scenario.budget) else f"over {scenario.budget.p95_ms:.0f} ms or at fault"
    odd = ", ".join(f"{count} {name}" for name, count in (phase.faults | phase.blemishes).items())
    return f"{scenario.what} × {phase.clients}: {told} of {phase.units} ({verdict}) {odd}".rstrip()
