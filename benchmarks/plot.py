"""Line charts as SVG: a logarithmic axis across, values from nought upwards."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which people with any colour vision tell apart."""


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[tuple[float, float]]
    """Across (above nought) and up."""


def chart(title: str, across: str, lines: Sequence[Line]) -> str:
    xs = [x for line in lines for x, _ in line.points]
    step = tick_step(max(y for line in lines for _, y in line.points))
    top = step * math.ceil(max(y for line in lines for _, y in line.points) / step)
    low, high = math.log10(min(xs)), math.log10(max(xs))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - low) / (high - low or 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    def body() -> Iterable[str]:
        yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        yield _text(LEFT, TOP - 18, title, "start", 'font-weight="bold"')
        for n in range(round(top / step) + 1):
            _, y = place(min(xs), n * step)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            yield _text(LEFT - 8, y + 4, f"{n * step:g}", "end")
        for power in range(math.ceil(low), math.floor(high) + 1):
            yield _text(place(10**power, 0)[0], HEIGHT - BOTTOM + 18, f"{10**power:,}", "middle")
        yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across, "middle")
        for n, line in enumerate(lines):
            colour, places = COLOURS[n % len(COLOURS)], [place(x, y) for x, y in line.points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
            yield _text(WIDTH - RIGHT + 16, TOP + 8 + 20 * n, line.name, "start", f'fill="{colour}"')

    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    font = 'font-family="sans-serif" font-size="12"'
    inside = "\n".join(body())
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">\n{inside}\n</svg>\n'


def tick_step(most: float) -> float:
    """One, two or five times a power of ten, so that there are no more than eight ticks up to the most."""
    power = 10.0 ** math.floor(math.log10(most or 1.0))
    return next(power * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0) if most / (power * factor) <= 8)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
