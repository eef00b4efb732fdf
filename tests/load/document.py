"""Writes the knees of a report into a document, between two marks."""

from tests.load.page import knee_in_words
from tests.load.phases import Report

BEGIN = "<!-- knees: written by `python -m tests.load document`, do not edit -->"
END = "<!-- /knees -->"


def with_knees(text: str, report: Report) -> str:
    """`text` with the table between its marks replaced.

    Raises:
        ValueError: The marks are not there.
    """
    head, mark, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"The document needs the lines {BEGIN!r} and {END!r}.")
    return f"{head}{BEGIN}\n{table(report)}{END}{tail}"


def table(report: Report) -> str:
    """The knees as Markdown."""
    lines = [
        f"{report.taken[:10]}, {report.machine}; the clients ran on the same machine.",
        "",
        "| | each client | engine | budget for 95 % | knee | 95 % there | cores there | first beyond |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for sweep in report.sweeps:
        measure = sweep.budget.measure
        at_knee = next((p for p in sweep.phases if p.clients == sweep.knee), None)
        beyond = next((p for p in sweep.phases if p.clients > sweep.knee), None)
        cells = [
            sweep.what,
            sweep.unit,
            sweep.engine,
            f"{measure.removesuffix('_ms').replace('_', ' ')} {sweep.budget.p95_ms:.0f} ms",
            f"**{knee_in_words(sweep)}**",
            "–" if at_knee is None else f"{at_knee.measures[measure]['p95']:.0f} ms of {at_knee.units} units",
            "–" if at_knee is None or at_knee.cores is None else f"{at_knee.cores:.2f}",
            "–"
            if beyond is None
            else f"{beyond.clients}: {_verdict(beyond.measures.get(measure, {}), beyond.faults)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _verdict(figures: dict[str, float], faults: dict[str, int]) -> str:
    told = [f"{figures['p95']:.0f} ms"] if "p95" in figures else []
    return ", ".join(told + [f"{count} {name}" for name, count in faults.items()])
