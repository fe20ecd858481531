"""The processes that a benchmark measures in: one for each configuration, so that memory and crashes are its own."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

TIMEOUT_S = 1800.0
"""TensorRT compiles a network for minutes on a small board; nothing takes longer than that."""
STOP_TIMEOUT_S = 5.0
CHECK_S = 0.2
"""How long whoever wants to end a measurement waits for it to notice."""


class WorkerFailed(Exception):
    """A configuration can't be measured: one line that says why. `runtime.bench` makes a row's error of it."""


class Worker:
    """A process of `runtime.bench_worker`, for one configuration; ends with the `with` block."""

    def __init__(self, log: Path, timeout_s: float = TIMEOUT_S, check: Callable[[], object] = lambda: None) -> None:
        """Starts it.

        Args:
            log: takes its standard error.
            timeout_s: for each job.
            check: called every CHECK_S while a job is waited for; what it raises, `ask` raises.
        """
        self._log, self._timeout_s, self._check = log, timeout_s, check
        self._answers: queue.Queue[bytes] = queue.Queue()
        with log.open("wb") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "runtime.bench_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Ctrl-C in a terminal is for the process that started it, which ends it in order.
                start_new_session=True,
            )
        # A thread, because a pipe can't be waited for with a time-out on every system.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, job: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a job.

        Raises:
            WorkerFailed: it could not be done, the process ended, or it did not answer in time.
        """
        assert self._popen.stdin is not None
        with suppress(OSError):  # it has ended: its last line says so
            self._popen.stdin.write(json.dumps({job: arguments}).encode() + b"\n")
            self._popen.stdin.flush()
        line = self._answer()
        if not line:
            raise WorkerFailed(self._end())
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise WorkerFailed(told["error"])
        return told

    def _answer(self) -> bytes:
        """The next line, b"" at the end of them."""
        give_up = monotonic() + self._timeout_s
        while monotonic() < give_up:
            self._check()
            with suppress(queue.Empty):
                return self._answers.get(timeout=CHECK_S)
        raise WorkerFailed(f"no answer within {self._timeout_s:g} s")

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self._answers.put(line)
        self._answers.put(b"")

    def _end(self) -> str:
        """How the process ended, and the last that it said."""
        status = self._popen.wait()
        try:
            how = f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        except ValueError:
            how = f"ended by signal {-status}"
        said = self._log.read_text(errors="replace").strip().splitlines()
        return f"the process {how}{f': {said[-1].strip()}' if said else ''}"

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        with suppress(OSError):  # it ended before it had read everything
            self._popen.stdin.close()
        try:
            # Its input has ended: it ends by itself, unless it is at work or hangs.
            self._popen.wait(0 if kind else STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join()
        self._popen.stdout.close()
