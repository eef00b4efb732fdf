"""What a load test reports: a phase for each number of clients, a sweep for each service."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, computed_field

from parley.bench.stats import summary


@dataclass(frozen=True, slots=True)
class Sample:
    """One unit of work: a sentence heard, a reply spoken, a turn of a talk.

    Attributes:
        measures: Milliseconds by name.
        faults: What must not be, by name and how often: "leak", "gaps in the sound", ….
        blemishes: What a strained server may do, by name and how often: "late frames", ….
    """

    measures: dict[str, float]
    faults: Counter[str] = field(default_factory=Counter)
    blemishes: Counter[str] = field(default_factory=Counter)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Budget(_Strict):
    """What a service is held to.

    Attributes:
        measure: Name of the measure.
        p95_ms: 95 % of the units are quicker than this.
        why: Where the figure comes from.
    """

    measure: str
    p95_ms: float
    why: str


class Phase(_Strict):
    """A time in which the same number of clients worked.

    Attributes:
        clients: How many.
        seconds: Measured time, without the ramp-up.
        units: Units of work in it.
        measures: Summary by measure: n, min, median, p95, p99, max, in milliseconds.
        faults: How often what must not be; with any, the budget is not kept.
        blemishes: How often what a strained server may do.
        cores: Processor seconds a second that the measured processes took; None: not ours to look at.
        load_average: Of the whole machine at the end: says how busy others kept it.
    """

    clients: int
    seconds: float
    units: int
    measures: dict[str, dict[str, float]]
    faults: dict[str, int]
    blemishes: dict[str, int]
    cores: float | None
    load_average: float

    @classmethod
    def of(
        cls,
        samples: Sequence[Sample],
        *,
        clients: int,
        seconds: float,
        cores: float | None,
        load_average: float,
    ) -> "Phase":
        """Sums a phase's samples up."""
        names = sorted({name for sample in samples for name in sample.measures})
        return cls(
            clients=clients,
            seconds=round(seconds, 1),
            units=len(samples),
            measures={n: summary([s.measures[n] for s in samples if n in s.measures]) for n in names},
            faults=dict(sum((s.faults for s in samples), Counter())),
            blemishes=dict(sum((s.blemishes for s in samples), Counter())),
            cores=None if cores is None else round(cores, 3),
            load_average=round(load_average, 1),
        )

    def keeps(self, budget: Budget) -> bool:
        """Whether the phase stays within the budget, without a fault."""
        p95 = self.measures.get(budget.measure, {}).get("p95")
        return p95 is not None and p95 <= budget.p95_ms and not self.faults


class Sweep(_Strict):
    """One service, or the whole, with growing numbers of clients.

    Attributes:
        what: "asr", "tts", "sda", … or "talk": the whole.
        unit: What a client does again and again, in words.
        engine: What ran, as the service says.
    """

    what: str
    unit: str
    engine: str
    budget: Budget
    phases: list[Phase]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def knee(self) -> int:
        """The most clients with which the budget was kept, by all smaller numbers too; 0: not by one."""
        best = 0
        for phase in sorted(self.phases, key=lambda p: p.clients):
            if not phase.keeps(self.budget):
                break
            best = phase.clients
        return best

    @property
    def knee_reached(self) -> bool:
        """Whether some number of clients was too many; else the knee lies beyond what was tried."""
        return any(not phase.keeps(self.budget) for phase in self.phases)


class Report(_Strict):
    """One run of the load test.

    Attributes:
        taken: When, UTC, ISO 8601.
        machine: Cores and processor, in words.
    """

    taken: str
    machine: str
    sweeps: list[Sweep]


def joined(reports: Sequence[Report]) -> Report:
    """One report of several runs; of two sweeps of the same service the later one counts."""
    latest = {sweep.what: sweep for report in reports for sweep in report.sweeps}
    return reports[-1].model_copy(update={"sweeps": list(latest.values())})
