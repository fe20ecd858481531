"""What every scenario needs: the plan, the frames, the processes on their cores, and where the figures go."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import workload
from figures import OK, Measured, Results, Sample, rate_of
from processes import BenchmarkFailed, Helper, Listening
from rich.progress import Progress

from runtime import model_files

HERE = Path(__file__).parent

SETTLING = 2
"""Samples at the start of a round that don't count: a new connection, and caches that another process has filled."""

TOOL_SHARE = 0.8
"""Of its core. Above it the load tool itself may be what limits."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    frames: int = 4
    """Different ones, sent in turn."""
    latency_rounds: int = 8
    latency_requests: int = 30
    """In each round: 8 x 30 let p99 be the third largest of 240."""
    throughput_rounds: int = 5
    throughput_s: float = 4.0
    overload_s: float = 20.0
    unloaded_requests: int = 100
    memory_first: int = 200
    memory_all: int = 2000
    cpu_frames: int = 24
    peer_rounds: int = 3
    peer_s: float = 3.0


QUICK = Plan(
    frames=2,
    latency_rounds=3,
    latency_requests=10,
    throughput_rounds=2,
    throughput_s=2.0,
    overload_s=5.0,
    unloaded_requests=20,
    memory_first=100,
    memory_all=300,
    cpu_frames=8,
    peer_rounds=1,
    peer_s=1.5,
)
"""Shows that everything works; its figures are rough."""


@dataclass
class Bench:
    """One run."""

    plan: Plan
    folder: Path
    """Temporary: frames, logs."""
    server_cores: set[int]
    """Of server, peer and reference, one at a time at work."""
    load_cores: set[int]
    progress: Progress
    results: Results
    frames: dict[str, list[str]]
    """Paths by kind."""
    load: Helper
    reference: Helper

    def __post_init__(self) -> None:
        self._logs = itertools.count()

    def log(self, name: str) -> Path:
        """A new file for a process's standard error."""
        return self.folder / f"{name}{next(self._logs)}.log"

    def server(self, *arguments: str, all_cores: bool = False, queue_size: int | None = None) -> Listening:
        """Our server with its defaults, on one core and with one thread unless it may have all cores."""
        command = ["-m", "api", "--port", "0", *([] if all_cores else ["--threads", "1"]), *arguments]
        told = {} if queue_size is None else {"ROADMASK_QUEUE_SIZE": str(queue_size)}
        return Listening(command, self._cores(all_cores), self.log("server"), told)

    def peer(self, all_cores: bool = False) -> Listening:
        """The FastAPI server, with the same file on the same core, or on all with as many threads."""
        command = [str(HERE / "peer.py"), str(model_files.find(model_files.DEFAULT))]
        told = {"ORT_DISABLE_TELEMETRY": "1"}
        cores = self._cores(all_cores)
        return Listening([*command, "--threads", str(len(cores))], cores, self.log("peer"), told)

    def _cores(self, all_of_them: bool) -> set[int]:
        return self.server_cores | self.load_cores if all_of_them else self.server_cores

    def floor(self) -> Listening:
        """The trivial endpoint, on the same core."""
        return Listening([str(HERE / "floor.py")], self.server_cores, self.log("floor"))

    def rounds(self, name: str, count: int) -> Iterator[int]:
        """0 to count - 1, shown in the progress bar."""
        task = self.progress.add_task(name, total=count)
        for i in range(count):
            yield i
            self.progress.advance(task)

    def send(self, url: str, kind: str, users: int, **amount: Any) -> tuple[list[Sample], float]:
        """Load on a server; amount is requests= or seconds=, and rate= where it is to be constant.

        Returns:
            The samples in the order of their start, and when the clients stopped to start new ones.
        """
        bodies, media_type = self.frames[kind], workload.KINDS[kind]
        told = self.load.ask(url=url, bodies=bodies, media_type=media_type, users=users, **amount)
        if told["cpu"] > TOOL_SHARE:
            self.results.warnings.append(f"the load tool took {told['cpu']:.0%} of its core: it may have held back")
        return _samples(told), told["until_s"]

    def work(self, kind: str, **amount: Any) -> list[Sample]:
        """The reference at work; amount is requests= or seconds=."""
        return _samples(self.reference.ask(do="loop", bodies=self.frames[kind], **amount))

    def note_latency(self, row: Measured, samples: Sequence[Sample]) -> None:
        """Take a round's samples into a row, the settling ones aside.

        Raises:
            BenchmarkFailed: the server refused one of them.
        """
        row.rounds_ms.append([sample.ms for sample in all_ok(samples, row.subject)[SETTLING:]])

    def note_rate(self, row: Measured, samples: Sequence[Sample], until_s: float) -> None:
        """Take a round's rate and latencies into a row. Raises as `note_latency`, and where no rate can be told."""
        try:
            row.rates.append(rate_of(all_ok(samples, row.subject), until_s))
        except ValueError as error:
            raise BenchmarkFailed(f"{row.subject}, {row.frames}: {error}") from error
        row.rounds_ms.append([sample.ms for sample in samples])

    def in_turn(self, number: int, *works: Callable[[], None]) -> None:
        """Do all of them, in the other order every second round: what drifts hits each alike."""
        for work in works if number % 2 == 0 else reversed(works):
            work()


def _samples(told: dict[str, Any]) -> list[Sample]:
    return sorted((Sample(*sample) for sample in told["samples"]), key=lambda sample: sample.start_s)


def all_ok(samples: Sequence[Sample], subject: str) -> Sequence[Sample]:
    """The same samples.

    Raises:
        BenchmarkFailed: one of them has another status than 200, or there are none.
    """
    other = sorted({sample.status for sample in samples if sample.status != OK})
    if other or not samples:
        raise BenchmarkFailed(f"{subject} answered {other or 'nothing'} where each request should have got a mask")
    return samples


def helper(script: str, cores: set[int], log: Path) -> Helper:
    """`load.py` or `reference.py`."""
    return processes.Helper([str(HERE / script)], cores, log)
