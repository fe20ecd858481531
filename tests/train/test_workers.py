"""Several processes that train one network, and one machine with several devices, against one that does it alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("one_worker.py")
TOLERANCE = 2e-6
"""Of weights, moments and loss after a few steps: float32 sums in another order. Batch norm by each worker's own
moments differs by a thousand times as much, a mean of the workers' losses by fifty times."""
PATIENCE = 600
"""Seconds until a process counts as stuck: far above what a loaded machine takes."""

Start = Callable[..., list[subprocess.Popen[bytes]]]


@pytest.fixture(scope="module")
def start(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts the command in so many processes; each one's output goes to OUT/INDEX.txt, its state to OUT/INDEX.npz."""
    with ExitStack() as running:

        def begin(out: Path, workers: int, *arguments: str) -> list[subprocess.Popen[bytes]]:
            with ExitStack() as held:
                sockets = [held.enter_context(socket.socket()) for _ in range(workers)]
                for one in sockets:
                    one.bind(("127.0.0.1", 0))
                addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
            given = ["--data", f"cityscapes:{streets}", "--model", "unet", "--out", str(out / "run"), *arguments]
            processes = []
            for index in range(workers):
                config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                with (out / f"{index}.txt").open("wb") as output:
                    process = subprocess.Popen(
                        [sys.executable, str(SCRIPT), str(out / f"{index}.npz"), *given],
                        env={**os.environ, "TF_CONFIG": json.dumps(config)},
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                running.callback(process.wait)
                running.callback(process.kill)
                processes.append(process)
            return processes

        yield begin


@pytest.fixture(scope="module")
def trained(start: Start, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three runs of the same settings: by one process, by two workers, by one process with two devices."""
    few = ("--batch", "4", "--epochs", "2", "--learning-rate", "0.01")
    forms: dict[str, tuple[Any, ...]] = {"alone": (1, *few), "workers": (2, *few), "devices": (1, *few, "gpus")}
    folders = {name: tmp_path_factory.mktemp(name) for name in forms}
    processes = {name: start(folders[name], *form) for name, form in forms.items()}
    for name, each in processes.items():
        for index, process in enumerate(each):
            assert process.wait(PATIENCE) == 0, (folders[name] / f"{index}.txt").read_text()
    return folders


def state(path: Path) -> list[np.ndarray]:
    with np.load(path) as stored:
        return [stored[f"v{index}"] for index in range(len(stored) - 1)]


def differs(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in zip(ours, theirs, strict=True))


def test_workers_and_devices_train_what_one_process_would(trained: dict[str, Path]) -> None:
    alone = state(trained["alone"] / "0.npz")
    assert differs(alone, state(trained["workers"] / "0.npz")) < TOLERANCE
    assert differs(alone, state(trained["devices"] / "0.npz")) < TOLERANCE
    histories = [json.loads((folder / "run" / "metrics.json").read_text()) for folder in trained.values()]
    for epochs in zip(*histories, strict=True):
        assert [epoch["loss"] for epoch in epochs] == pytest.approx([epochs[0]["loss"]] * 3, abs=TOLERANCE)
        assert [epoch["validation"] for epoch in epochs][1:] == [epochs[0]["validation"]] * 2
    assert len(histories[0]) == 2


def test_two_workers_hold_the_same_to_the_last_bit(trained: dict[str, Path]) -> None:
    first, second = (state(trained["workers"] / f"{index}.npz") for index in (0, 1))
    assert differs(first, second) == 0


def test_the_first_worker_alone_prints_the_epochs_and_writes_the_run(trained: dict[str, Path]) -> None:
    said = [(trained["workers"] / f"{index}.txt").read_text() for index in (0, 1)]
    assert ["epoch 2: loss" in text for text in said] == [True, False]
    assert ["frames/s, input stall" in text for text in said] == [True, False]
    assert len(list((trained["workers"] / "run" / "tensorboard").iterdir())) == 1
    assert not list((trained["workers"] / "run").glob("*.part*"))


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def test_the_end_of_a_worker_ends_the_others_and_sigterm_ends_one_that_waits(start: Start, tmp_path: Path) -> None:
    processes = start(tmp_path, 3, "--batch", "3", "--epochs", "100000")
    first, second, third = processes
    assert until(lambda: "epoch 1: loss" in (tmp_path / "0.txt").read_text())
    third.send_signal(signal.SIGSTOP)  # the others wait for it, inside a step
    time.sleep(0.5)
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE) == 143  # not 75, which it would be once TensorFlow misses the third's heartbeat
    third.kill()
    assert first.wait(PATIENCE) == 75
    last = (tmp_path / "0.txt").read_text().strip().splitlines()[-1]
    assert last.startswith("train: worker 0 of 3 lost another one")
    assert "--resume" in last
    assert (tmp_path / "run" / "checkpoint.npz").exists()
