"""The masks of the ONNX project's own reference: the definition of every operator, in numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from runtime.segmenter import Segmenter

OPSET_OF_DEQUANTIZE = 21
"""The reference of onnx 1.23 has DequantizeLinear from opset 19 on; it means the same as in our files' opset 15."""


def test_the_reference_makes_our_masks(
    model: Path, precision: str, differing: Callable[..., float], most: float
) -> None:
    graph = onnx.load(model)
    if precision == "int8":
        graph = version_converter.convert_version(graph, OPSET_OF_DEQUANTIZE)
    reference = ReferenceEvaluator(graph)
    # The largest image would take numpy 5 to 10 s.
    assert differing(lambda batch: reference.run(["mask"], {"image": batch})[0], chosen=(0, 1)) <= most


def test_red_and_blue_swapped_is_more_than_the_bounds_let_pass(
    differing: Callable[..., float], most: float, model: Path
) -> None:
    segmenter = Segmenter.load(model)
    assert differing(lambda batch: segmenter.infer(np.ascontiguousarray(batch[..., ::-1]))) > 2 * most
