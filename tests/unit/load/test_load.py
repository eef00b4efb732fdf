"""The load test itself: which phases are run, what counts, what the report says."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from parley.errors import ServiceUnavailable
from tests.load.document import BEGIN, END, with_knees
from tests.load.page import page
from tests.load.phases import Budget, Phase, Report, Sample, Sweep, joined
from tests.load.sweep import Plan, Work, run_phase, run_sweep

BUDGET = Budget(measure="first_ms", p95_ms=100, why="said so")


def phase(clients: int, ms: float, **faults: int) -> Phase:
    sample = Sample({"first_ms": ms}, Counter(faults))
    return Phase.of([sample], clients=clients, seconds=10, cores=0.1 * clients, load_average=1.0)


def sweep(*phases: Phase) -> Sweep:
    return Sweep(what="voice <1>", unit="a reply", engine="fake", budget=BUDGET, phases=list(phases))


class Clients:
    """Clients whose work takes 10 ms and is too slow when there are more than `good`."""

    what, unit, processes, stagger_s, budget = "voice", "a reply", ("tts",), 0.02, BUDGET

    def __init__(self, good: int = 3) -> None:
        self.good = good
        self.started: list[tuple[int, int]] = []

    async def engine(self) -> str:
        return "fake"

    @contextlib.asynccontextmanager
    async def client(self, number: int, clients: int) -> AsyncIterator[Work]:
        self.started.append((number, clients))

        async def work() -> Sample:
            await asyncio.sleep(0.01)
            if self.good < 0:
                raise ServiceUnavailable("Gone.")
            return Sample({"first_ms": 50 if clients <= self.good else 500})

        yield work


def test_numbers_double_and_then_close_in() -> None:
    plan, tried = Plan(seconds=1, most=16), list[Phase]()
    while (clients := plan.next(tried, BUDGET)) is not None:
        tried.append(phase(clients, 50 if clients <= 5 else 500))
    assert [p.clients for p in tried] == [1, 2, 4, 8, 6, 5]
    assert (sweep(*tried).knee, sweep(*tried).knee_reached) == (5, True)


def test_a_sweep_ends_at_the_most_clients() -> None:
    plan, tried = Plan(seconds=1, most=6), list[Phase]()
    while (clients := plan.next(tried, BUDGET)) is not None:
        tried.append(phase(clients, 50))
    assert [p.clients for p in tried] == [1, 2, 4, 6]
    assert (sweep(*tried).knee, sweep(*tried).knee_reached) == (6, False)


def test_one_leak_is_over_any_budget() -> None:
    assert sweep(phase(1, 50), phase(2, 50, leak=1), phase(4, 50)).knee == 1


async def test_what_comes_before_all_have_started_is_left_out() -> None:
    clients = Clients()
    measured = await run_phase(clients, 3, 0.1, None)
    assert clients.started == [(0, 3), (1, 3), (2, 3)]
    # Three clients, ten units each in 100 ms at the very most; the first ones had 40 ms of a head start.
    assert 3 <= measured.units <= 33
    assert measured.measures["first_ms"]["p95"] == 50 and not measured.faults


async def test_a_service_that_is_gone_is_a_fault_and_no_hang() -> None:
    found = await run_sweep(Clients(good=-1), Plan(0.05, most=4), pids=None, progress=lambda _: None)
    assert found.knee == 0 and found.knee_reached
    assert found.phases[0].faults == {"failed: ServiceUnavailable": 1}


async def test_the_report_as_page_and_as_table() -> None:
    found = await run_sweep(Clients(good=2), Plan(0.05, most=4), pids=None, progress=lambda _: None)
    report = Report(taken="2026-01-02T03:04:05+00:00", machine="2 cores", sweeps=[found, sweep(phase(1, 50))])
    again = Report.model_validate_json(report.model_dump_json(), extra="ignore")
    assert again == report and found.knee == 2

    html = page(report)
    assert html.count("<svg") == 3  # latency of both, cores of the one that was ours
    assert "voice &lt;1&gt;" in html and "voice <1>" not in html
    assert "<script" not in html and "http" not in html

    text = with_knees(f"before\n{BEGIN}\nold\n{END}\nafter\n", report)
    assert text.startswith("before\n") and text.endswith(f"{END}\nafter\n") and "old" not in text
    assert "| **2** | 50 ms of " in text and "| 3: 500 ms |" in text and "**1 or more**" in text
    with pytest.raises(ValueError, match="needs the lines"):
        with_knees("no marks", report)


def test_a_later_run_of_one_service_replaces_its_sweep() -> None:
    talk = sweep(phase(1, 50)).model_copy(update={"what": "talk"})
    first = Report(taken="1", machine="", sweeps=[sweep(phase(1, 500)), talk])
    second = Report(taken="2", machine="", sweeps=[sweep(phase(1, 50))])
    both = joined([first, second])
    assert both.taken == "2" and [(s.what, s.knee) for s in both.sweeps] == [("voice <1>", 1), ("talk", 1)]
