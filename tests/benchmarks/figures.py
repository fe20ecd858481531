"""From samples to figures, from figures to verdicts and tables. Nothing here starts a process or reads a clock."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from runtime.bench import percentile

OK = 200


@dataclass(frozen=True)
class Sample:
    """One request, or one frame of the reference."""

    start_s: float
    """By a clock that all samples of one list share."""
    ms: float
    """From the first byte sent to the last byte read; for the reference, from encoded frame to encoded mask."""
    status: int = OK
    """HTTP's; 0 where there was no answer."""

    @property
    def end_s(self) -> float:
        """On the same clock as `start_s`."""
        return self.start_s + self.ms / 1000


def rate_of(samples: Iterable[Sample], until_s: float = math.inf) -> float:
    """Answers with status 200 a second, between the first one that came and the last one that came by `until_s`.

    Counting between two answers leaves out the start, where nothing can have come yet; `until_s` leaves out the end,
    where some clients have stopped already.

    Raises:
        ValueError: fewer than two such answers.
    """
    ends = sorted(sample.end_s for sample in samples if sample.status == OK and sample.end_s <= until_s)
    if len(ends) < 2 or ends[-1] <= ends[0]:
        raise ValueError(f"{len(ends)} answers are too few to tell a rate")
    return (len(ends) - 1) / (ends[-1] - ends[0])


@dataclass
class Measured:
    """One subject on one kind of frames: a line of the first table."""

    scenario: str
    subject: str
    """Who was measured: server, reference, peer, tool + socket."""
    frames: str
    """jpeg or png."""
    clients: str
    """How many at a time, or the constant rate."""
    rounds_ms: list[list[float]] = field(default_factory=list)
    """Latencies of the answers with status 200, a list for each round."""
    rates: list[float] = field(default_factory=list)
    """Answers a second, one for each round."""
    rss_mb: float | None = None

    @property
    def median_ms(self) -> float | None:
        """The median of the rounds' medians."""
        return statistics.median(self.round_medians) if self.rounds_ms else None

    @property
    def round_medians(self) -> list[float]:
        """One for each round: how far they lie apart is the spread."""
        return [statistics.median(values) for values in self.rounds_ms]

    @property
    def p99_ms(self) -> float | None:
        """Over all rounds together: a round alone is too short for it."""
        return percentile([value for values in self.rounds_ms for value in values], 99) if self.rounds_ms else None

    @property
    def per_second(self) -> float | None:
        """The median of the rounds."""
        return statistics.median(self.rates) if self.rates else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every figure, and the spread over the rounds; latencies one by one are left out."""
        told = {key: value for key, value in asdict(self).items() if key != "rounds_ms"}
        told |= {"median_ms": self.median_ms, "p99_ms": self.p99_ms, "per_second": self.per_second}
        return told | {"round_medians_ms": self.round_medians, "samples": sum(map(len, self.rounds_ms))}


@dataclass(frozen=True)
class Target:
    """What a figure has to be."""

    relation: str
    """`<=`, `<` or `>=`."""
    limit: float

    def met_by(self, value: float) -> bool:
        """Whether it holds; never for a NaN."""
        return {"<=": value <= self.limit, "<": value < self.limit, ">=": value >= self.limit}[self.relation]


@dataclass(frozen=True)
class Verdict:
    """One figure that was asked for: a line of the second table."""

    scenario: str
    what: str
    value: float
    unit: str
    target: Target | None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where nothing is asked of the figure."""
        return None if self.target is None else self.target.met_by(self.value)

    @property
    def word(self) -> str:
        """What the table says of it."""
        return {True: "met", False: "MISSED", None: ""}[self.met]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"met": self.met}


@dataclass
class Results:
    """All that a run found out."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Scenarios that could not be measured, and why."""
    measured: list[Measured] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def as_json(self) -> str:
        """Everything; NaN, where a figure could not be told, becomes null."""
        told = asdict(self) | {
            "measured": [row.as_dict() for row in self.measured],
            "verdicts": [row.as_dict() for row in self.verdicts],
        }
        return json.dumps(_without_nan(told), indent=2) + "\n"


def _without_nan(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _without_nan(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_without_nan(value) for value in told]
    return None if isinstance(told, float) and not math.isfinite(told) else told


def number(value: float | None, unit: str = "") -> str:
    """A figure with three digits that count, `-` where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    shown = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{shown} {unit}".rstrip()


MEASURED_HEADER = ("scenario", "subject", "frames", "clients", "median ms", "rounds", "p99 ms", "per second", "RSS MB")
VERDICT_HEADER = ("scenario", "figure", "value", "target", "verdict", "from")


def measured_cells(row: Measured) -> tuple[str, ...]:
    """A line of the first table."""
    medians = row.round_medians
    spread = f"{number(min(medians))} to {number(max(medians))}" if medians else "-"
    figures = (number(row.median_ms), spread, number(row.p99_ms), number(row.per_second), number(row.rss_mb))
    return (row.scenario, row.subject, row.frames, row.clients, *figures)


def verdict_cells(row: Verdict) -> tuple[str, ...]:
    """A line of the second table."""
    target = f"{row.target.relation} {row.target.limit:g} {row.unit}".rstrip() if row.target else ""
    return (row.scenario, row.what, number(row.value, row.unit), target, row.word, row.note)


def tables(results: Results) -> tuple[Table, Table]:
    """Both tables, for a terminal."""
    measured = Table(*MEASURED_HEADER, title="measured", title_justify="left")
    for row in results.measured:
        measured.add_row(*measured_cells(row))
    verdicts = Table(*VERDICT_HEADER, title="asked for", title_justify="left")
    for verdict in results.verdicts:
        style = {True: "green", False: "bold red", None: ""}[verdict.met]
        verdicts.add_row(*verdict_cells(verdict), style=style)
    return measured, verdicts


def markdown(results: Results) -> str:
    """The machine, the warnings and both tables, to be pasted into a README."""
    lines = [machine_line(results.machine), ""]
    for warning in results.warnings + results.failures:
        lines += [f"**{warning}**", ""]
    for header, rows in (
        (VERDICT_HEADER, [verdict_cells(verdict) for verdict in results.verdicts]),
        (MEASURED_HEADER, [measured_cells(row) for row in results.measured]),
    ):
        if rows:
            lines += ["| " + " | ".join(cells) + " |" for cells in (header, ("---",) * len(header), *rows)]
            lines.append("")
    return "\n".join(lines)


def machine_line(machine: dict[str, Any]) -> str:
    """The machine and the versions on one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cpu']}, {machine['cores']} cores; Python {machine['python']}, {versions}"
