"""Environments with a second execution provider, as `python -m runtime` finds them, and frames in folders."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


def _runner(python: Path) -> Run:
    """`run("providers", ...)`: `python -m runtime providers ...`; `run(code=...)`: that code."""

    def run(*arguments: object, code: str | None = None) -> subprocess.CompletedProcess[str]:
        what = ["-m", "runtime"] if code is None else ["-c", code]
        # The other environment has the package's dependencies, this checkout is the package.
        return subprocess.run(
            [str(python), *what, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=180,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )

    return run


def _environment(folder: str, variable: str) -> Path:
    """The interpreter of the environment in `folder` of the repository, or of the one that `variable` names."""
    root = Path(os.environ.get(variable) or REPOSITORY / folder)
    names = (root / "bin" / "python", root / "Scripts" / "python.exe")
    for python in names:
        if python.is_file():
            return python
    pytest.fail(f"there is no {names[0]}: `make {folder}/ready` makes it, or {variable} names another environment")


@pytest.fixture(scope="session")
def openvino() -> Run:
    """`python -m runtime` where OpenVINO runs: here, if its plugin finds Intel hardware, else where it is built in."""
    from runtime import plugins

    if "openvino" in plugins.at_hand():
        return _runner(Path(sys.executable))
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("OpenVINO's provider for onnxruntime is there for x86 alone")
    return _runner(_environment(".venv-openvino", "ROADMASK_TEST_OPENVINO"))


@pytest.fixture(scope="session")
def qnn() -> Run:
    """`python -m runtime` where Qualcomm's plugin is installed, whose emulated NPU runs on any x86 CPU."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the emulated NPU of onnxruntime-qnn is there for Linux on x86 alone")
    return _runner(_environment(".venv-qnn", "ROADMASK_TEST_QNN"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve frames of 96 x 64 in three cities, whose names repeat."""
    for seed in range(12):
        path = tmp_path / "frames" / ["aachen", "bonn", "cologne"][seed % 3] / f"{seed // 3:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 96, 3), np.uint8)).save(path)
    return tmp_path / "frames"


@pytest.fixture
def model(toy_file: Callable[..., Path]) -> Path:
    """A file of the toy network."""
    return toy_file()
