"""The processes that a benchmark measures in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import bench_processes
from runtime.bench_processes import Worker, WorkerFailed


def test_a_process_that_hangs_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_processes, "STOP_TIMEOUT_S", 0.1)
    with Worker(tmp_path / "log.txt", timeout_s=60) as worker:
        assert worker.ask("memory")["rss_mb"] > 0
        os.kill(worker._popen.pid, signal.SIGSTOP)
        worker._timeout_s = 0.2
        with pytest.raises(WorkerFailed, match=r"no answer within 0\.2 s"):
            worker.ask("memory")
    assert worker._popen.returncode == -signal.SIGKILL


def test_an_unforeseen_failure_is_one_line_and_the_process_goes_on(tmp_path: Path) -> None:
    with Worker(tmp_path / "log.txt") as worker:
        with pytest.raises(WorkerFailed, match=r"^TypeError: .*'surprise'"):
            worker.ask("memory", surprise=1)
        assert worker.ask("memory")["rss_mb"] > 0


def test_a_provider_that_answers_on_standard_output_does_not_disturb(tmp_path: Path) -> None:
    code = (
        "import os, runtime.bench_worker as worker\n"
        "worker.resident_mb = lambda: os.write(1, b'noise\\n') and 5.0\n"
        "worker.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input='{"memory": {}}\n', capture_output=True, text=True, timeout=60
    )
    assert done.stdout == '{"rss_mb": 5.0}\n'
    assert "noise" in done.stderr


def test_whoever_waits_for_a_job_may_give_up(tmp_path: Path) -> None:
    class GivenUp(OSError):
        """Not to be taken for a broken pipe."""

    def check() -> None:
        if stopped:
            raise GivenUp

    stopped: list[bool] = []
    with Worker(tmp_path / "log.txt", check=check) as worker:
        assert worker.ask("memory")["rss_mb"] > 0
        os.kill(worker._popen.pid, signal.SIGSTOP)
        stopped.append(True)
        with pytest.raises(GivenUp):
            worker.ask("memory")
        os.kill(worker._popen.pid, signal.SIGCONT)


def test_a_job_for_a_process_that_has_ended_says_how_it_did(tmp_path: Path) -> None:
    with Worker(tmp_path / "log.txt") as worker:
        os.kill(worker._popen.pid, signal.SIGKILL)
        worker._popen.wait()
        with pytest.raises(WorkerFailed, match="the process ended by SIGKILL"):
            worker.ask("memory")
