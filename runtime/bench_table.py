"""A benchmark's rows for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from runtime import categories
from runtime.bench import Row

WIDTH = 150
"""Columns that the widest table takes: a pipe, which has none of its own, gets these."""


def _figure(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _nodes(row: Row) -> str:
    return " + ".join(f"{name} {count}" for name, count in (row.nodes or {}).items() if count) or "-"


def _made(title: str, words: Sequence[str], figures: Sequence[str]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for heading in words:
        made.add_column(heading, overflow="fold")
    for heading in figures:
        made.add_column(heading, justify="right", no_wrap=True)
    return made


def speed(rows: Sequence[Row]) -> Table:
    """Times in milliseconds, memory, nodes, and how many pixels differ from the reference in percent."""
    made = _made(
        "Speed",
        ("providers", "precision", "threads"),
        ("load ms", "first ms", "median ms", "p90 ms", "p99 ms", "frames/s", "MiB", "nodes", "differs %"),
    )
    for row in rows:
        told, asked = row.as_dict(), row.configuration
        made.add_row(
            Text(asked.providers, "red" if row.error else ""),
            row.precision or "-",
            str(asked.threads),
            *(_figure(told[key]) for key in ("load_ms", "first_ms", "median_ms", "p90_ms", "p99_ms", "frames_per_s")),
            _figure(row.rss_mb, 0),
            _nodes(row),
            _figure(None if row.differs is None else 100 * row.differs, 3),
        )
    return made


def agreement(rows: Sequence[Row]) -> Table:
    """IoU by category with the reference's masks, in percent; what differs in threads alone is told once."""
    names = [categories.NAMES[i] for i in categories.SCORED]
    made = _made("IoU with the reference's masks, %", ("providers", "precision"), (*names, "mean"))
    lines = []
    for row in rows:
        if row.iou is not None:
            values = [*(row.iou[name] for name in names), row.mean_iou]
            shares = [_figure(None if value is None else 100 * value, 2) for value in values]
            lines.append((row.configuration.providers, row.precision or "-", *shares))
    for line in dict.fromkeys(lines):
        made.add_row(*line)
    return made


def errors(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each configuration that could not be measured."""
    return (f"{row.configuration}: {row.error}" for row in rows if row.error is not None)
