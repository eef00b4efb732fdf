"""A line chart as inline SVG: nothing to download, nothing to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 32, 40
TICKS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: In the legend.
        points: (x, y), x growing.
        colour: As in CSS.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: str


def chart(curves: Sequence[Curve], *, x_name: str, y_name: str, limit: float | None = None) -> str:
    """The chart.

    Args:
        curves: At least one point among them.
        x_name: What grows to the right.
        y_name: What grows upwards, with its unit.
        limit: A dashed line across at this height.
    """
    xs = sorted({x for c in curves for x, _ in c.points})
    top = 1.08 * max([y for c in curves for _, y in c.points] + ([limit] if limit is not None else [])) or 1.0

    def across(x: float) -> float:
        span = (xs[-1] - xs[0]) or 1.0
        return LEFT + (WIDTH - LEFT - RIGHT) * ((x - xs[0]) / span if len(xs) > 1 else 0.5)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / top

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_name)} by {escape(x_name)}">'
    ]
    for tick in range(TICKS + 1):
        y = top * tick / TICKS
        parts.append(f'<path class="grid" d="M{LEFT} {up(y):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{_short(y)}</text>')
    for x in xs:
        parts.append(
            f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:g}</text>'
        )
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(x_name)}</text>')
    parts.append(f'<text x="4" y="{TOP - 16}">{escape(y_name)}</text>')
    if limit is not None:
        parts.append(f'<path class="limit" d="M{LEFT} {up(limit):.1f}H{WIDTH - RIGHT}"/>')
    for curve in curves:
        line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in curve.points)
        parts.append(f'<polyline fill="none" stroke="{curve.colour}" stroke-width="2" points="{line}"/>')
        for x, y in curve.points:
            label = f"<title>{escape(curve.name)}: {_short(y)} at {x:g}</title>"
            parts.append(
                f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{curve.colour}">{label}</circle>'
            )
    legend = "".join(f'<i style="background:{c.colour}"></i>{escape(c.name)} ' for c in curves)
    return "".join(parts) + f'</svg><p class="legend">{legend}</p>'


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
