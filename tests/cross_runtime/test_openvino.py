"""The masks of OpenVINO's own runtime, which reads the file without onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.contract import Contract

openvino = pytest.importorskip("openvino", reason="pip install openvino")


@pytest.fixture(scope="module")
def network(model: Path) -> Any:
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def test_openvino_makes_our_masks_at_every_size_and_batch(
    network: Any, differing: Callable[..., float], most: float
) -> None:
    assert differing(lambda batch: network({"image": batch})["mask"]) <= most


def test_openvino_shows_the_contract(model: Path) -> None:
    found = openvino.Core().read_model(model).get_rt_info(["framework", "roadmask"]).astype(str)
    assert Contract.from_metadata({"roadmask": found}).precision == model.stem.rpartition("-")[2]
