"""The figure of mean IoU against time. Needs matplotlib, which is asked for when a picture is."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table

from runtime.confusion_picture import require_matplotlib, titled_figure
from runtime.contract import PRECISIONS
from runtime.tradeoff import Point

PANEL_INCHES = (7.0, 4.8)
TITLE_WIDTH = 78
"""Characters of a title's line on one panel."""
MARKERS = dict(zip(PRECISIONS, ("s", "^", "o"), strict=True))
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind readers tell apart; the black one and the yellow one left out."""
PLACES = (
    (0, 8, "center", "bottom"),
    (0, -8, "center", "top"),
    (9, 0, "left", "center"),
    (-9, 0, "right", "center"),
    (5, 6, "left", "bottom"),
    (-5, 6, "right", "bottom"),
    (5, -6, "left", "top"),
    (-5, -6, "right", "top"),
)
"""Where a label may stand beside its point, in points of 1/72 inch, the best first."""
MOST_NAMES = len(COLORS)


def draw(points: Sequence[Point], pillow_ms: float, title: str) -> bytes:
    """`plot`'s figure as a PNG; its arguments and errors."""
    buffer = io.BytesIO()
    plot(points, pillow_ms, title).savefig(buffer, format="png")
    return buffer.getvalue()


def plot(points: Sequence[Point], pillow_ms: float, title: str) -> Any:
    """A matplotlib figure with a panel for each data set.

    Args:
        points: at least one, all scored on the same data sets, of at most MOST_NAMES names.
        pillow_ms: median of Pillow's decoding, drawn as a line.
        title: what was measured on what.

    Raises:
        DataInvalid: matplotlib is not installed.
    """
    require_matplotlib()
    sets = list(points[0].mean_iou)
    width, height = PANEL_INCHES
    lines = textwrap.wrap(title, TITLE_WIDTH * len(sets))
    figure = titled_figure(width * len(sets), height + 0.3 + 0.25 * len(lines), lines)
    for axes, name in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets, strict=True):
        _panel(axes, points, name, pillow_ms)
    return figure


def _panel(axes: Any, points: Sequence[Point], data: str, pillow_ms: float) -> None:
    colors = dict(zip(dict.fromkeys(point.name for point in points), COLORS, strict=False))
    labels = []
    for name, color in colors.items():
        of_name = sorted((p for p in points if p.name == name), key=lambda p: p.median_ms)
        there = [(p.median_ms, p.mean_iou[data], p.precision) for p in of_name if p.mean_iou[data] is not None]
        axes.plot([ms for ms, _, _ in there], [iou for _, iou, _ in there], color=color, linewidth=1.2, zorder=2)
        for ms, iou, precision in there:
            axes.plot(ms, iou, MARKERS.get(precision, "D"), color=color, markersize=8, zorder=3)
            told = f"{name} {precision}\n{iou:.3f}, {ms:.3g} ms"
            labels.append(axes.annotate(told, (ms, iou), (0, 0), textcoords="offset points", fontsize=9, color=color))
    axes.axvline(pillow_ms, color="0.5", linestyle="--", linewidth=1)
    decoding = axes.annotate(
        f"Pillow decodes the frame's PNG: {pillow_ms:.3g} ms",
        (pillow_ms, 0.02),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        xytext=(-4, 0),
        rotation=90,
        ha="right",
        va="bottom",
        fontsize=8,
        color="0.4",
    )
    _scales(axes, points, data, pillow_ms)
    _keep_apart(labels, decoding)


def _keep_apart(labels: Sequence[Any], other: Any) -> None:
    """Move each label to where it covers fewest points and texts; in turn, and once more with all of them standing."""
    if not labels:
        return
    axes = labels[0].axes
    renderer = axes.figure.canvas.get_renderer()
    whole = axes.get_window_extent(renderer)
    taken = [other.get_window_extent(renderer)]
    taken += [line.get_window_extent(renderer) for line in axes.lines if line.get_marker() != "None"]
    standing: dict[Any, Any] = {}

    def stand(label: Any, place: tuple[float, float, str, str]) -> Any:
        label.xyann = place[:2]
        label.set(ha=place[2], va=place[3])
        return label.get_window_extent(renderer)

    def covered(label: Any, place: tuple[float, float, str, str]) -> int:
        box = stand(label, place)
        others = [*taken, *(its for one, its in standing.items() if one is not label)]
        is_outside = bool(box.x0 < whole.x0 or box.x1 > whole.x1 or box.y0 < whole.y0 or box.y1 > whole.y1)
        return sum(map(bool, map(box.overlaps, others))) + 2 * is_outside

    for label in [*labels, *labels]:
        standing[label] = stand(label, min(PLACES, key=lambda place: covered(label, place)))


def _scales(axes: Any, points: Sequence[Point], data: str, pillow_ms: float) -> None:
    times = [pillow_ms, *(point.median_ms for point in points)]
    values = [value for point in points if (value := point.mean_iou[data]) is not None]
    axes.set_xscale("log")
    # Room for half a label at either side.
    axes.set_xlim(min(times) * 0.7, max(times) * 1.45)
    room = max(0.02, 0.18 * (max(values, default=0) - min(values, default=0)))
    # Twice the room above, where the labels stand.
    axes.set_ylim(max(0, min(values, default=0) - room), min(1, max(values, default=1) + 2 * room))
    axes.set_title(data, fontsize=11)
    axes.set(xlabel="milliseconds an inference (median, logarithmic)", ylabel="mean category IoU")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="both", labelsize=8, pad=4, length=3)
    axes.grid(visible=True, which="both", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def table(points: Sequence[Point], pillow_ms: float) -> Table:
    """The same for people at a terminal: fastest first."""
    sets = list(points[0].mean_iou)
    shown = Table(box=box.SIMPLE)
    shown.add_column("model", no_wrap=True)
    for heading in ("GMAC", "median ms", "of Pillow's PNG", *(f"IoU {name}" for name in sets)):
        shown.add_column(heading, justify="right")
    for point in sorted(points, key=lambda p: p.median_ms):
        scores = [point.mean_iou[name] for name in sets]
        shown.add_row(
            f"{point.name} {point.precision}",
            "-" if point.gmac is None else f"{point.gmac:.2f}",
            f"{point.median_ms:.1f}",
            f"{point.median_ms / pillow_ms:.2f} x",
            *("-" if score is None else f"{score:.4f}" for score in scores),
        )
    shown.add_section()
    shown.add_row("Pillow decodes the PNG", "", f"{pillow_ms:.1f}", "1.00 x", *("" for _ in sets))
    return shown
