"""Processes that are pinned to cores: servers that print their URL first, and helpers that answer JSON lines."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

START_TIMEOUT_S = 90.0
"""A model is loaded and warmed up within a few seconds even where other work holds the cores."""
JOB_TIMEOUT_S = 900.0
"""The longest job, 2,000 requests, takes minutes on a slow machine."""
STOP_TIMEOUT_S = 30.0
"""The server's own grace period is 25 s."""


class BenchmarkFailed(Exception):
    """The benchmark can't go on; one sentence that says why."""


class Process:
    """A Python process on given cores; ends with the `with` block."""

    def __init__(
        self,
        arguments: Sequence[str],
        cores: Collection[int],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it.

        Args:
            arguments: of the Python interpreter that runs the benchmark.
            cores: where it may run; it is born there, so that thread pools are sized by them.
            log: takes its standard error.
            environment: on top of this one's, from which every ROADMASK_* is taken out: defaults are measured.
        """
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ROADMASK_")}
        self._log, self._name = log, " ".join(arguments[:2])
        # A child inherits the affinity of the thread that forks it.
        ours = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            with log.open("wb") as errors:
                self._popen = subprocess.Popen(
                    [sys.executable, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=inherited | dict(environment or {}),
                )
        finally:
            os.sched_setaffinity(0, ours)

    def read_line(self, timeout_s: float) -> str:
        """The next line of its standard output; it writes one at a time, and only when it is waited for.

        Raises:
            BenchmarkFailed: it ended, or the line did not come in time.
        """
        assert self._popen.stdout is not None
        if not select.select([self._popen.stdout], [], [], timeout_s)[0]:
            raise BenchmarkFailed(f"{self._name} said nothing for {timeout_s:g} s")
        line = self._popen.stdout.readline().decode()
        if not line:
            said = self._log.read_text(errors="replace").strip().splitlines()
            raise BenchmarkFailed(f"{self._name} ended: {said[-1] if said else 'no word why'}")
        return line

    def write_line(self, line: str) -> None:
        """A line for its standard input.

        Raises:
            BenchmarkFailed: it ended.
        """
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(line.encode() + b"\n")
            self._popen.stdin.flush()
        except OSError:
            self.read_line(0)  # tells why

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Its resident memory in MiB; VmHWM is the most that it ever was."""
        status = Path(f"/proc/{self._popen.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(f"{what}:"))

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            assert pipe is not None
            pipe.close()


class Listening(Process):
    """A server: its first line begins with its URL, and comes when it is ready."""

    url: str

    def __enter__(self) -> Listening:
        try:
            self.url = self.read_line(START_TIMEOUT_S).split()[0]
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self


class Helper(Process):
    """A process that gets a job as a line of JSON and answers with one."""

    def __enter__(self) -> Helper:
        return self

    def ask(self, **job: Any) -> dict[str, Any]:
        """The answer to a job.

        Raises:
            BenchmarkFailed: it ended, or did not answer in time.
        """
        self.write_line(json.dumps(job))
        answer: dict[str, Any] = json.loads(self.read_line(JOB_TIMEOUT_S))
        return answer
