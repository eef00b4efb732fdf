"""The soak's report: JSON for machines, one HTML page with plots for people."""

from html import escape
from typing import Any

from tests.chaos.soak.slopes import BOUNDS, Growth, Series
from tests.load.page import STYLE
from tests.load.plot import Curve, chart

COLOURS = ("#2f81b7", "#d1842c", "#4c8c4a", "#8a5fb0", "#b5474d", "#5b6670")


def page(about: dict[str, Any], series: list[Series], growths: list[Growth]) -> str:
    """The page.

    Args:
        about: What was run, and how the talks went; shown as it is.
        series: All that was sampled.
        growths: What it did.
    """
    plots = "".join(
        f"<div>{_plot(what, [s for s in series if s.what == what])}</div>"
        for what in BOUNDS
        if any(s.what == what for s in series)
    )
    facts = "".join(f"<tr><td>{escape(k)}</td><td>{escape(str(v))}</td></tr>" for k, v in about.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Parley: soak</title>'
        f"<style>{STYLE}</style></head><body><h1>Soak</h1><table>{facts}</table>{table(growths)}"
        f'<section class="plots">{plots}</section></body></html>\n'
    )


def table(growths: list[Growth]) -> str:
    """What each thing did, as HTML."""
    rows = "".join(
        f'<tr class="{"" if g.flat else "over"}"><td>{g.what}</td><td>{escape(g.of)}</td>'
        f"<td>{g.first:.1f}</td><td>{g.last:.1f}</td><td>{g.an_hour:+.1f}</td><td>{g.allowed:.0f}</td><td>{g.unit}</td></tr>"
        for g in growths
    )
    heads = ("", "of", "first", "last", "an hour", "allowed", "")
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>"


def _plot(what: str, series: list[Series]) -> str:
    curves = [Curve(s.of, s.by_minute(), COLOURS[n % len(COLOURS)]) for n, s in enumerate(series) if s.points]
    return chart(curves, x_name="minutes", y_name=f"{what}, {BOUNDS[what].unit}")
