"""Requests of the Open Inference Protocol, and what is expected of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest

LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="session")
def tensor() -> Callable[..., dict[str, Any]]:
    """`tensor(images, **changed)`: the input as JSON; a key that is changed to ... is left out."""

    def make(images: np.ndarray, **changed: Any) -> dict[str, Any]:
        whole = {"name": "image", "shape": list(images.shape), "datatype": "UINT8", "data": images.tolist(), **changed}
        return {key: value for key, value in whole.items() if value is not ...}

    return make


@pytest.fixture(scope="session")
def binary(tensor) -> Callable[..., dict[str, Any]]:
    """`binary(images, request, **changed)`: httpx's arguments for a request with a binary tensor."""

    def make(images: np.ndarray, request: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
        given = tensor(images, data=..., parameters={"binary_data_size": images.size})
        head = json.dumps({"inputs": [{**given, **changed}], **(request or {})}).encode()
        return {"content": head + images.tobytes(), "headers": {LENGTH: str(len(head))}}

    return make


@pytest.fixture(scope="session")
def model_file(model_folder) -> Callable[[Path, int], None]:
    """`model_file(path, shift)`: `accurate-int8` whose ids are those of the brightest channel plus `shift`."""

    def write(path: Path, shift: int) -> None:
        model = onnx.load(model_folder / "accurate-int8.onnx")
        (constant,) = (tensor for tensor in model.graph.initializer if tensor.name == "shift")
        constant.int64_data[:] = [shift]
        onnx.save(model, path)

    return write


@pytest.fixture(scope="session")
def mask_in() -> Callable[[httpx.Response], np.ndarray]:
    """`mask_in(answer)`: the binary tensor of an answer that has one."""

    def read(answer: httpx.Response) -> np.ndarray:
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/octet-stream"
        length = int(answer.headers[LENGTH])
        (output,) = json.loads(answer.content[:length])["outputs"]
        assert output["parameters"] == {"binary_data_size": len(answer.content) - length}
        assert "data" not in output
        return np.frombuffer(answer.content[length:], np.uint8).reshape(output["shape"])

    return read


@pytest.fixture(scope="session")
def assert_refused() -> Callable[..., None]:
    """`assert_refused(answer, status, *words)`: it is the protocol's error, and its one sentence has these words."""

    def check(answer: httpx.Response, status: int, *words: str) -> None:
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["error"]
        assert "\n" not in answer.json()["error"]
        for word in words:
            assert word in answer.json()["error"]

    return check


@pytest.fixture
def images(frame) -> np.ndarray:
    """Two frames, uint8 2 x 32 x 64 x 3."""
    return np.stack([frame(32, 64), frame(32, 64)[::-1]])


@pytest.fixture
def masks(images, mask_of) -> np.ndarray:
    """Theirs, by accurate-int8."""
    return np.stack([mask_of(image) for image in images])
