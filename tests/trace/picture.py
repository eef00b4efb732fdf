"""A trace as a picture: one bar a span, inline SVG."""

from collections.abc import Callable, Sequence
from html import escape

from tests.trace.receiver import Span

WIDTH, ROW, LEFT, RIGHT, TOP = 980, 24, 268, 70, 46
COLOURS = {
    "parley-gateway": "#2f81b7",
    "parley-llm": "#8a5fb0",
    "parley-tts": "#d1842c",
    "parley-sda": "#4c8c4a",
}


def picture(spans: Sequence[Span], *, title: str) -> str:
    """The SVG of one trace.

    Args:
        spans: Of one trace, its root among them.
        title: Above it.
    """
    began = min(span.start_ns for span in spans)
    length = max(span.end_ns for span in spans) - began
    rows = sorted(spans, key=lambda span: (bool(span.parent), span.start_ns, span.end_ns))

    def across(at_ns: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at_ns - began) / length

    height = TOP + ROW * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        f' font-size="12"><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="12" y="22" font-size="15" fill="#24292f">{escape(title)}</text>'
    ]
    for second in range(length // 1_000_000_000 + 1):
        x = across(began + second * 1_000_000_000)
        parts.append(f'<path d="M{x:.1f} {TOP - 8}V{height - 24}" stroke="#e1e4e8"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{height - 8}" fill="#57606a" text-anchor="middle">{second} s</text>'
        )
    for number, span in enumerate(rows):
        parts.append(_row(span, TOP + ROW * number, across, began))
    return "".join(parts) + "</svg>\n"


def _row(span: Span, y: int, across: Callable[[int], float], began: int) -> str:
    colour = COLOURS.get(span.service, "#5b6670")
    x, end = across(span.start_ns), across(span.end_ns)
    service = span.service.removeprefix("parley-")
    name = service if span.name == service else f"{service}: {span.name}"
    marks = "".join(
        f'<path d="M{across(at):.1f} {y + 2}v16" stroke="#24292f" stroke-width="2">'
        f"<title>{escape(event)}</title></path>"
        for at, event in span.events
    )
    first = f", first piece {_ms(span.events[0][0] - began)}" if span.events else ""
    return (
        f'<text x="12" y="{y + 14}" fill="#24292f">{escape(name)}</text>'
        f'<rect x="{x:.1f}" y="{y + 3}" width="{max(end - x, 1.5):.1f}" height="14" fill="{colour}"/>{marks}'
        f'<text x="{min(end + 5, WIDTH - 66):.1f}" y="{y + 14}" fill="#57606a">'
        f"{_ms(span.end_ns - span.start_ns)}{first if end < WIDTH / 2 else ''}</text>"
    )


def _ms(ns: int) -> str:
    return f"{ns / 1e9:.2f} s" if ns >= 1e9 else f"{ns / 1e6:.0f} ms"
