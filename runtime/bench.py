"""How fast a model is on each piece of hardware at hand, and how far its masks are from the reference's.

Each configuration has a process of its own, so its memory is its own and its crash is one line of the table. All stay
alive, and are asked in turn, round by round: whatever slows the machine down for a while slows all of them.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bench_processes import Worker, WorkerFailed
from runtime.contract import PRECISIONS
from runtime.errors import ModelInvalid
from runtime.frames import Frame, Mask
from runtime.metrics import Confusion

Notify = Callable[[str], None]
"""Told what has just been done, once for each of `steps`."""


@dataclass(frozen=True)
class Configuration:
    """What is measured: a model file on hardware."""

    providers: str
    """A provider list as on a command line: `openvino,cpu`."""
    path: Path
    """The `.onnx` file."""
    threads: int
    """For operators on the CPU."""

    @property
    def precision(self) -> str:
        """As the file is named: one of PRECISIONS, or "" where its name tells none."""
        said = self.path.stem.rpartition("-")[2]
        return said if said in PRECISIONS else ""

    def __str__(self) -> str:
        return f"{self.path.stem} on {self.providers}, {self.threads} thread{'s' if self.threads > 1 else ''}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that `percent` % of them do not exceed (nearest rank: never an invented value).

    Raises:
        ValueError: no values, or a percentage that is not above 0 and at most 100.
    """
    if not values or not 0 < percent <= 100:
        raise ValueError(f"percentile {percent} of {len(values)} values can't be told")
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@dataclass
class Row:
    """What was found out of a configuration; figures that could not be told are None."""

    configuration: Configuration
    told_precision: str = ""
    """What the file's contract says, once it is loaded."""
    load_ms: float | None = None
    """From the file to a session; onnxruntime itself was imported before."""
    first_ms: float | None = None
    """The first inference: allocates, and on some hardware compiles."""
    rounds_ms: list[list[float]] = field(default_factory=list)
    """A list for each round: milliseconds of `Segmenter.infer`, one for each frame."""
    rss_mb: float | None = None
    """Resident memory of the whole process in MiB, after the last round; memory of a device is not in it."""
    nodes: dict[str, int] | None = None
    """How many nodes each provider runs, by short name."""
    inputs: tuple[str, ...] = ()
    """The network's input sizes, WIDTHxHEIGHT."""
    differs: float | None = None
    """Share (0..1) of the pixels of all masks that are not as in the reference."""
    iou: dict[str, float | None] | None = None
    """IoU (0..1) by category of the masks with the reference's; None for a category that neither has."""
    error: str | None = None
    """One line that says why it could not be measured."""

    @property
    def precision(self) -> str:
        """As the contract says, else as the file is named; "" where neither tells."""
        return self.told_precision or self.configuration.precision

    @property
    def times_ms(self) -> list[float]:
        """Of all rounds."""
        return [ms for times in self.rounds_ms for ms in times]

    @property
    def median_ms(self) -> float | None:
        """Of all inferences but the first."""
        return statistics.median(self.times_ms) if self.rounds_ms else None

    @property
    def mean_iou(self) -> float | None:
        """Over the categories that have an IoU."""
        there = [value for value in (self.iou or {}).values() if value is not None]
        return statistics.fmean(there) if there else None

    def as_dict(self) -> dict[str, Any]:
        """The row of the JSON answer."""
        times, asked = self.times_ms, self.configuration
        return {
            "providers": asked.providers,
            "precision": self.precision or None,
            "threads": asked.threads,
            "load_ms": self.load_ms,
            "first_ms": self.first_ms,
            "median_ms": self.median_ms,
            "p90_ms": percentile(times, 90) if times else None,
            "p99_ms": percentile(times, 99) if times else None,
            "frames_per_s": 1000 * len(times) / sum(times) if times else None,
            "rss_mb": self.rss_mb,
            "nodes": self.nodes,
            "differs": self.differs,
            "iou": self.iou,
            "error": self.error,
        }


def steps(configurations: int, rounds: int) -> int:
    """How often `measure` notifies: the reference, each load, each round."""
    return 1 + configurations + rounds


def measure(
    configurations: Sequence[Configuration],
    shots: Sequence[Frame],
    reference: Configuration,
    rounds: int,
    notify: Notify = lambda _done: None,
    *,
    hopeless: float = math.inf,
    check: Callable[[], object] = lambda: None,
) -> list[Row]:
    """A row for each configuration, in their order.

    Args:
        configurations: what is measured; one that can't be is a row with an error.
        shots: the frames, uint8 H x W x 3 RGB, at least one; fitted before the clock runs.
        reference: its masks are what the others' are held against.
        rounds: how often each configuration is timed on each frame.
        notify: told of each step.
        hopeless: a configuration that took more than this many times the first one's time in each of two rounds is
            timed no more, and its memory isn't told.
        check: called several times a second; what it raises ends the measurement and every process of it.

    Raises:
        ModelInvalid: the reference can't be run.
    """
    rows = [Row(configuration) for configuration in configurations]
    with tempfile.TemporaryDirectory(prefix="roadmask-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        files = _saved(shots, folder)
        expected = _reference(reference, files, folder, check)
        notify(f"reference: {reference}")
        alive: list[tuple[Row, Worker]] = []
        for number, row in enumerate(rows):
            worker = stack.enter_context(Worker(folder / f"log{number}.txt", check=check))
            if _prepare(row, worker, files, expected, folder):
                alive.append((row, worker))
            notify(f"loaded {row.configuration}")
        for done in range(rounds):
            alive = [
                (row, worker) for row, worker in alive if _is_hopeful(row, rows[0], hopeless) and _time(row, worker)
            ]
            notify(f"round {done + 1} of {rounds}")
        for row, worker in alive:
            _weigh(row, worker)
    return rows


def _saved(shots: Sequence[Frame], folder: Path) -> list[str]:
    files = [str(folder / f"frame{i}.npy") for i in range(len(shots))]
    for file, shot in zip(files, shots, strict=True):
        np.save(file, shot)
    return files


def _load(configuration: Configuration, worker: Worker, files: list[str]) -> dict[str, Any]:
    asked = configuration
    return worker.ask("load", path=str(asked.path), providers=asked.providers, threads=asked.threads, frames=files)


def _masks(worker: Worker, count: int, folder: Path) -> list[Mask]:
    files = [folder / f"mask{i}.npy" for i in range(count)]
    worker.ask("masks", files=[str(file) for file in files])
    return [np.load(file) for file in files]


def _reference(configuration: Configuration, files: list[str], folder: Path, check: Callable[[], object]) -> list[Mask]:
    with Worker(folder / "reference.txt", check=check) as worker:
        try:
            _load(configuration, worker, files)
            return _masks(worker, len(files), folder)
        except WorkerFailed as error:
            raise ModelInvalid(str(error)) from error


def _prepare(row: Row, worker: Worker, files: list[str], expected: list[Mask], folder: Path) -> bool:
    """Load, run once and hold the masks against the reference's; whether that went well."""
    try:
        told = _load(row.configuration, worker, files)
        row.told_precision, row.load_ms, row.first_ms = told["precision"], told["load_ms"], told["first_ms"]
        row.nodes, row.inputs = told["nodes"], tuple(told["inputs"])
        masks = _masks(worker, len(files), folder)
    except WorkerFailed as error:
        row.error = str(error)
        return False
    row.differs, row.iou = compare(expected, masks)
    return True


def compare(expected: Sequence[Mask], masks: Sequence[Mask]) -> tuple[float, dict[str, float | None]]:
    """Share (0..1) of differing pixels over all masks together, and IoU by category of the two sets of masks."""
    confusion = Confusion()
    for truth, mask in zip(expected, masks, strict=True):
        confusion.add(truth, mask)
    same, total = int(np.trace(confusion.matrix)), int(confusion.matrix.sum())
    return (total - same) / total, confusion.iou()


def ratio(row: Row, first: Row) -> float:
    """The time that a row takes, as a share of the first's: the median over the rounds that both have, timed in turn.

    Raises:
        ValueError: there is no such round.
    """
    both = zip(row.rounds_ms, first.rounds_ms, strict=False)
    return statistics.median_low(statistics.median(mine) / statistics.median(its) for mine, its in both)


def _is_hopeful(row: Row, first: Row, hopeless: float) -> bool:
    # Of two rounds `ratio` is the lower one: one that was disturbed decides nothing.
    return min(len(row.rounds_ms), len(first.rounds_ms)) < 2 or ratio(row, first) <= hopeless


def _time(row: Row, worker: Worker) -> bool:
    try:
        row.rounds_ms.append(worker.ask("time")["ms"])
    except WorkerFailed as error:
        row.error = str(error)
        return False
    return True


def _weigh(row: Row, worker: Worker) -> None:
    try:
        row.rss_mb = worker.ask("memory")["rss_mb"]
    except WorkerFailed as error:
        row.error = str(error)
