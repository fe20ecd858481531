"""The masks of onnxruntime-web (WebAssembly) in a Node process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent
INSTALL = "npm install --prefix tests/cross_runtime --no-package-lock --ignore-scripts"


@pytest.fixture(scope="module")
def node() -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node is missing: install Node 20 or later with npm (apt install nodejs npm)")
    package = FOLDER / "node_modules" / "onnxruntime-web" / "package.json"
    if not package.is_file():
        pytest.skip(f"onnxruntime-web is missing: {INSTALL}")
    pinned = json.loads((FOLDER / "package.json").read_text())["dependencies"]["onnxruntime-web"]
    installed = json.loads(package.read_text())["version"]
    assert installed == pinned, f"onnxruntime-web {installed} is installed, package.json says {pinned}: {INSTALL}"
    return program


def test_onnxruntime_web_makes_our_masks(
    node: str, model: Path, differing: Callable[..., float], most: float, tmp_path: Path
) -> None:
    def segment(batch: np.ndarray) -> np.ndarray:
        batch.tofile(tmp_path / "image.rgb")
        height, width = map(str, batch.shape[1:3])
        arguments = [model, tmp_path / "image.rgb", height, width, tmp_path / "mask.raw"]
        done = subprocess.run(
            [node, FOLDER / "segment.mjs", *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return np.fromfile(tmp_path / "mask.raw", np.uint8).reshape(batch.shape[:3])

    # Each run starts Node and compiles the WebAssembly: 1 s and more.
    assert differing(segment, chosen=(0, 2)) <= most
