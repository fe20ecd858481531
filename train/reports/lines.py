"""Line charts as inline SVG: their colours are the page's, so they follow its light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from train.reports.markup import Html

WIDTH, HEIGHT = 420, 260
"""Of the view box: about a phone's width, so that text is as large as the page's there, too."""
LEFT, RIGHT, TOP, BOTTOM = 60, 10, 12, 38
COLORS = 8
"""Of the page's style: `--line0` to `--line7`; with dashes and markers, more lines than that can be told apart."""
DASHES = ("", "6 3", "2 3")
MARKERS = 3

Points = Sequence[tuple[float, float]]
Place = Callable[[float, float], tuple[float, float]]
"""From a value to where it is drawn."""


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) inside low..high."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.8)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def span(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest, with a little room."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def chart(
    lines: Mapping[str, Points],
    *,
    x_name: str,
    y_name: str,
    x_span: tuple[float, float] | None = None,
    y_span: tuple[float, float] | None = None,
    is_diagonal_shown: bool = False,
) -> Html:
    """The lines by name, with a legend below; empty where no line has a point.

    Args:
        lines: a line's points, in order.
        x_name: of the axis.
        y_name: of the axis.
        x_span: what the axis covers; as the points need it if not given.
        y_span: likewise.
        is_diagonal_shown: draw y = x.
    """
    drawn = {name: points for name, points in lines.items() if points}
    if not drawn:
        return Html("")
    x_low, x_high = x_span or span([x for points in drawn.values() for x, _ in points])
    y_low, y_high = y_span or span([y for points in drawn.values() for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        up = (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    parts = _axes(ticks(x_low, x_high), ticks(y_low, y_high), place(x_low, y_low), place)
    if is_diagonal_shown:
        (x1, y1), (x2, y2) = place(x_low, x_low), place(x_high, x_high)
        parts.append(f'<line class="diagonal" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    parts += [_line(index, [place(*point) for point in points]) for index, points in enumerate(drawn.values())]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}" class="middle">{escape(x_name)}</text>')
    parts.append(f'<text transform="translate(11 {middle}) rotate(-90)" class="middle">{escape(y_name)}</text>')
    legend = "".join(
        f'<span><svg viewBox="0 0 34 12" aria-hidden="true">{_line(i, [(2, 6), (32, 6)])}</svg>{escape(name)}</span>'
        for i, name in enumerate(drawn)
    )
    label = escape(f"{y_name} by {x_name}: {', '.join(drawn)}", quote=True)
    return Html(
        f'<div class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f'{"".join(parts)}</svg><div class="legend">{legend}</div></div>'
    )


def _axes(x_ticks: Sequence[float], y_ticks: Sequence[float], origin: tuple[float, float], place: Place) -> list[str]:
    parts = []
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in y_ticks:
        y = place(0.0, value)[1]
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4}" class="end">{value:g}</text>')
    for value in x_ticks:
        x = place(value, 0.0)[0]
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 15}" class="middle">{value:g}</text>')
    x, y = origin
    parts.append(f'<path class="axis" d="M{x} {TOP}V{y}H{right}"/>')
    return parts


def _line(index: int, points: Sequence[tuple[float, float]]) -> str:
    style = f'style="--line:var(--line{index % COLORS})"'
    dash = DASHES[index // COLORS % len(DASHES)]
    path = " ".join(f"{x},{y}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    # Markers on every point of a long curve would hide it.
    marks = "".join(_marker(index, x, y) for x, y in points[:: max(1, len(points) // 12)])
    return f'<g class="line" {style}><polyline points="{path}"{dashes}/>{marks}</g>'


def _marker(index: int, x: float, y: float) -> str:
    kind = index % MARKERS
    if kind == 0:
        return f'<circle cx="{x}" cy="{y}" r="3"/>'
    if kind == 1:
        return f'<rect x="{x - 2.7:.1f}" y="{y - 2.7:.1f}" width="5.4" height="5.4"/>'
    return f'<path d="M{x} {y - 3.6:.1f}L{x + 3.4:.1f} {y + 2.6:.1f}H{x - 3.4:.1f}Z"/>'
