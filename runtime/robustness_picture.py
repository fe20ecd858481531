"""Robustness for people: a table for the terminal, and the heat map of what share of the clean IoU is kept.

matplotlib is an extra, and imported when a picture is asked for, as in `runtime.confusion_picture`.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from runtime import categories
from runtime.confusion_picture import require_matplotlib, titled_figure
from runtime.metrics import Confusion
from runtime.robustness import OTHERS, Row, mean_kept

SHOWN_SEVERITY = 3
"""The one whose categories are drawn; where it was not asked for, the middle one that was."""
CELL_INCHES = (0.72, 0.34)
"""Width and height of a cell."""
DARK = 65.0
"""Percent from which on a cell is so dark that its figure is white."""
NAMES = tuple(categories.NAMES[i] for i in categories.SCORED)
MEAN = "mean of the corruptions"


def _percent(value: float | None, decimals: int = 0) -> str:
    return "-" if value is None else f"{100 * value:.{decimals}f}"


def _figure(value: float | None, decimals: int = 3) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def label(name: str) -> str:
    """A condition's name for people."""
    for start, told in (("size_", "size, "), ("aspect_", "aspect "), ("jpeg_compression", "JPEG"), ("jpeg_", "JPEG q")):
        if name.startswith(start):
            return told + name.removeprefix(start).replace("_", ":")
    return name.replace("_", " ")


def table(clean: Confusion, rows: Sequence[Row], title: str) -> Table:
    """One line a condition: mean IoU, and the percentage of the clean IoU that is kept, in all and by category."""
    # As narrow as can be: it is to fit into 80 columns.
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    shown.add_column("kept, % of clean", no_wrap=True)
    for name in ("IoU", "kept", *NAMES):
        shown.add_column(name.replace("construction", "constr."), justify="right", no_wrap=True)
    shown.add_row("clean (IoU)", _figure(clean.mean_iou()), "", *(_figure(v, 2) for v in clean.iou().values()))
    group = None
    for row in rows:
        if row.condition.group != group:
            shown.add_section()
            group = row.condition.group
        severity = "" if row.condition.severity is None else f" {row.condition.severity}"
        shown.add_row(
            label(row.condition.name) + severity,
            _figure(row.found.mean_iou()),
            _percent(row.kept(), 1),
            *(_percent(value) for value in row.kept_of().values()),
        )
    shown.add_section()
    for severity_of_all, kept in mean_kept(rows).items():
        means = _category_means(rows, severity_of_all)
        shown.add_row(f"mean of severity {severity_of_all}", "", _percent(kept, 1), *map(_percent, means))
    return shown


def _category_means(rows: Sequence[Row], severity: int) -> list[float | None]:
    """The mean share kept of each category over the corruptions of a severity."""
    kept = [row.kept_of() for row in rows if row.condition.severity == severity]
    of_names = [[values[name] for values in kept] for name in NAMES]
    there = [[value for value in values if value is not None] for values in of_names]
    return [sum(values) / len(values) if values else None for values in there]


def draw(results: Mapping[str, Sequence[Row]], title: str) -> bytes:
    """A PNG: for each data set corruption x severity (where there are several), and condition x category.

    Args:
        results: rows by the data set's name, at least one, all of the same conditions.
        title: what was evaluated on what.

    Raises:
        DataInvalid: matplotlib is not installed.
    """
    require_matplotlib()
    first = next(iter(results.values()))
    severities = list(mean_kept(first)) or sorted({r.condition.severity for r in first if r.condition.severity})
    shown = SHOWN_SEVERITY if SHOWN_SEVERITY in severities or not severities else severities[len(severities) // 2]
    parts = [len(severities)] * (len(severities) > 1) + [1 + len(NAMES)]
    count = len({row.condition.name for row in first}) + 1
    width = CELL_INCHES[0] * sum(parts) + 2.3 * len(parts) + 0.5
    height = CELL_INCHES[1] * count + 1.6
    wrapped = textwrap.wrap(title, int(width * 9))
    figure = titled_figure(width, height * len(results) + 1.3, wrapped)
    panels = figure.subplots(len(results), len(parts), squeeze=False, width_ratios=parts)
    for axes, (name, rows) in zip(panels, results.items(), strict=True):
        if len(parts) > 1:
            _panel(axes[0], *_by_severity(rows, severities), f"{name}\ncorruption and severity")
        last = _panel(axes[-1], *_by_category(rows, shown), f"{name}\ncategories, corruptions at severity {shown}")
    bar = figure.colorbar(
        last, ax=panels.ravel().tolist(), shrink=0.6, pad=0.02, aspect=35, format="%d %%", location="bottom"
    )
    bar.set_label("share of the clean IoU that is kept")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


Grid = tuple[list[str], list[str], npt.NDArray[np.float64], list[int]]
"""Names of the rows and of the columns, percent (NaN where there is none), and the rows above which a line is drawn."""


def _grid(rows: list[tuple[str, str, list[float | None]]], columns: list[str]) -> Grid:
    values = np.array([[np.nan if v is None else 100 * v for v in row[2]] for row in rows], np.float64)
    breaks = [i for i in range(1, len(rows)) if rows[i][1] != rows[i - 1][1]]
    return [row[0] for row in rows], columns, values.reshape(len(rows), len(columns)), breaks


def _by_severity(rows: Sequence[Row], severities: Sequence[int]) -> Grid:
    of_name: dict[str, dict[int, Row]] = {}
    for row in rows:
        if row.condition.severity is not None:
            of_name.setdefault(row.condition.name, {})[row.condition.severity] = row
    made = [
        (label(name), by[severities[0]].condition.group, [by[severity].kept() for severity in severities])
        for name, by in of_name.items()
    ]
    means = mean_kept(rows)
    made.append((MEAN, "mean", [means.get(severity) for severity in severities]))
    return _grid(made, [str(severity) for severity in severities])


def _by_category(rows: Sequence[Row], severity: int) -> Grid:
    made = [
        (label(row.condition.name), row.condition.group, [row.kept(), *row.kept_of().values()])
        for row in rows
        if row.condition.severity in (severity, None)
    ]
    mean = mean_kept(rows).get(severity)
    if mean is not None:
        at = sum(row.condition.severity == severity and row.condition.group not in OTHERS for row in rows)
        made.insert(at, (MEAN, "mean", [mean, *_category_means(rows, severity)]))
    return _grid(made, ["mean IoU", *NAMES])


def _panel(axes: Any, names: list[str], columns: list[str], percent: Any, breaks: list[int], title: str) -> Any:
    # The same scale in every panel, and linear from nothing to all: equal colours are equal shares.
    shown = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.set_facecolor("0.9")  # seen where there is no share
    for (row, column), value in np.ndenumerate(percent):
        text = "-" if np.isnan(value) else f"{value:.0f}"
        color = "white" if value >= DARK else "0.15"
        weight = "bold" if columns[column] == "mean IoU" or names[row] == MEAN else "normal"
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color=color, fontweight=weight)
    axes.set_xticks(range(len(columns)), columns, rotation=0 if len(max(columns, key=len)) < 3 else 30, ha="center")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, pad=6)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    for row in breaks:
        axes.axhline(row - 0.5, color="0.25", linewidth=1.5)
    axes.set_title(title, fontsize=11)
    return shown
