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
MOST_NAMES = len(COLORS)


def draw(points: Sequence[Point], pillow_ms: float, title: str) -> bytes:
    """A PNG with a panel for each data set.

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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _panel(axes: Any, points: Sequence[Point], data: str, pillow_ms: float) -> None:
    colors = dict(zip(dict.fromkeys(point.name for point in points), COLORS, strict=False))
    for name, color in colors.items():
        of_name = sorted((p for p in points if p.name == name), key=lambda p: p.median_ms)
        there = [(p.median_ms, p.mean_iou[data], p.precision) for p in of_name if p.mean_iou[data] is not None]
        axes.plot([ms for ms, _, _ in there], [iou for _, iou, _ in there], color=color, linewidth=1.2, zorder=2)
        for ms, iou, precision in there:
            axes.plot(ms, iou, MARKERS.get(precision, "D"), color=color, markersize=8, zorder=3)
            axes.annotate(
                f"{name} {precision}\n{iou:.3f}, {ms:.3g} ms",
                (ms, iou),
                textcoords="offset points",
                xytext=(0, 8),
                ha="center",
                va="bottom",
                fontsize=9,
                color=color,
            )
    axes.axvline(pillow_ms, color="0.5", linestyle="--", linewidth=1)
    axes.annotate(
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
