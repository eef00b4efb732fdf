"""The report as one HTML page that needs nothing else: tables, and plots as inline SVG."""

from html import escape

from tests.load.phases import Phase, Report, Sweep
from tests.load.plot import Curve, chart

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #d5dae0; margin-top: 2rem }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr)); gap: 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: right }
th { border-bottom: 1px solid #d5dae0; font-weight: 600 } tr.over td { color: #a4262c }
svg { width: 100%; max-width: 560px; height: auto } svg text { font-size: 11px; fill: #57606a }
.grid { stroke: #e6e9ed } .limit { stroke: #a4262c; stroke-dasharray: 5 4 }
.legend i { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em }
"""
MEDIAN, P95, CORES = "#2f81b7", "#d1842c", "#4c8c4a"


def page(report: Report) -> str:
    """The whole page."""
    sections = "".join(_section(sweep) for sweep in report.sweeps)
    rows = "".join(
        f"<tr><td>{escape(s.what)}</td><td>{knee_in_words(s)}</td><td>{_words(s.budget.measure)}"
        f" ≤ {s.budget.p95_ms:.0f} ms</td><td>{escape(s.engine)}</td></tr>"
        for s in report.sweeps
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Parley under load</title>'
        f"<style>{STYLE}</style></head><body><h1>Parley under load</h1>"
        f"<p>{escape(report.taken)}, {escape(report.machine)}. The clients ran on the same machine.</p>"
        "<table><tr><th></th><th>at once</th><th>with 95 % of</th><th>engine</th></tr>"
        f"{rows}</table>{sections}</body></html>\n"
    )


def knee_in_words(sweep: Sweep) -> str:
    """The knee, or that it was not reached."""
    if sweep.knee_reached:
        return str(sweep.knee)
    return f"{sweep.knee} or more"


def _section(sweep: Sweep) -> str:
    budget = sweep.budget
    measured = [p for p in sweep.phases if "p95" in p.measures.get(budget.measure, {})]
    plots = ""
    if measured:
        curves = [
            Curve(name, [(p.clients, p.measures[budget.measure][key]) for p in measured], colour)
            for name, key, colour in (("median", "median", MEDIAN), ("95 %", "p95", P95))
        ]
        drawn = chart(curves, x_name="clients", y_name=f"{_words(budget.measure)}, ms", limit=budget.p95_ms)
        plots += f"<div>{drawn}</div>"
    cores = [(float(p.clients), p.cores) for p in sweep.phases if p.cores is not None]
    if cores:
        plots += f"<div>{chart([Curve('cores', cores, CORES)], x_name='clients', y_name='cores')}</div>"
    return (
        f"<section><h2>{escape(sweep.what)}: {knee_in_words(sweep)}</h2>"
        f"<p>Each client: {escape(sweep.unit)}, again and again. Budget: 95 % of {_words(budget.measure)}"
        f" within {budget.p95_ms:.0f} ms ({escape(budget.why)}). Engine: {escape(sweep.engine)}.</p>"
        f'<div class="plots">{plots}</div>{_table(sweep)}</section>'
    )


def _table(sweep: Sweep) -> str:
    names = sorted({name for phase in sweep.phases for name in phase.measures})
    heads = "".join(f"<th>{_words(name)}, ms<br>median</th><th>95 %</th>" for name in names)
    rows = "".join(_row(phase, names, sweep) for phase in sweep.phases)
    heads = f"<th>clients</th><th>units</th>{heads}<th>cores</th><th>load</th><th>odd</th>"
    return f"<table><tr>{heads}</tr>{rows}</table>"


def _row(phase: Phase, names: list[str], sweep: Sweep) -> str:
    figures = ""
    for name in names:
        for key in ("median", "p95"):
            value = phase.measures.get(name, {}).get(key)
            figures += f"<td>{'–' if value is None else f'{value:.0f}'}</td>"
    cores = "–" if phase.cores is None else f"{phase.cores:.2f}"
    odd = ", ".join(f"{count} {name}" for name, count in (phase.faults | phase.blemishes).items()) or "–"
    kind = "" if phase.keeps(sweep.budget) else ' class="over"'
    return (
        f"<tr{kind}><td>{phase.clients}</td><td>{phase.units}</td>{figures}<td>{cores}</td>"
        f"<td>{phase.load_average:.1f}</td><td>{escape(odd)}</td></tr>"
    )


def _words(measure: str) -> str:
    return escape(measure.removesuffix("_ms").replace("_", " "))
