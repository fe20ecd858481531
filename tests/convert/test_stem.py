"""The int8 graph's first convolution reads bytes, and its output stays what it was, bit by bit."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from convert import export, graph, quantize, stem
from runtime import contract, model_files
from runtime.frames import Geometry

RNG = np.random.default_rng(7)
GEOMETRY = Geometry(stride=8, pixel_budget=64 * 128)


def quantised(
    folder: Path, scale: float = 1 / 128, offset: float = -127 / 128, strides: int = 2, use_bias: bool = True
) -> onnx.ModelProto:
    """A network of one strided convolution, with weights and calibration frames that use all of the range."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(scale, offset)(inputs)
    x = keras.layers.Conv2D(8, 3, strides, padding="same", use_bias=use_bias, bias_initializer="random_normal")(x)
    x = keras.layers.ReLU(6)(x)
    x = keras.layers.Conv2D(7, 1)(x)
    if strides > 1:
        x = keras.layers.UpSampling2D(strides, interpolation="bilinear")(x)
    made = graph.finish(export.to_onnx(keras.Model(inputs, x), GEOMETRY, folder / "raw.onnx"), GEOMETRY)
    frames = [RNG.integers(0, 256, (64, 128, 3), np.uint8) for _ in range(2)]
    return quantize.to_int8(graph.fold(made, folder / "folded.onnx"), frames, GEOMETRY, folder)


def run(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([contract.OUTPUT], {contract.INPUT: images})[0]


@pytest.mark.parametrize("use_bias", [True, False])
def test_every_bit_of_the_output_stays(use_bias: bool, tmp_path: Path) -> None:
    before = quantised(tmp_path, use_bias=use_bias)
    after = onnx.ModelProto()
    after.CopyFrom(before)
    assert stem.rewrite(after, GEOMETRY.stride)
    onnx.checker.check_model(after, full_check=True)
    for batch, height, width in ((1, 64, 128), (2, 8, 8), (1, 40, 72)):
        images = RNG.integers(0, 256, (batch, height, width, 3), np.uint8)
        np.testing.assert_array_equal(run(after, images), run(before, images))
    assert [node.op_type for node in after.graph.node if contract.INPUT in node.input] == ["Reshape"]
    assert {tensor.name for tensor in after.graph.initializer} <= {n for node in after.graph.node for n in node.input}
    assert not any(node.op_type == "Cast" and contract.OUTPUT not in node.output for node in after.graph.node)


@pytest.mark.parametrize(
    ("changed", "stride"),
    [({"scale": 1 / 127.5, "offset": -1.0}, 8), ({"scale": 1 / 64}, 8), ({"strides": 1}, 8), ({}, 2)],
)
def test_a_graph_that_is_not_made_for_it_is_left_alone(changed: dict[str, float], stride: int, tmp_path: Path) -> None:
    before = quantised(tmp_path, **changed)
    after = onnx.ModelProto()
    after.CopyFrom(before)
    assert not stem.rewrite(after, stride)
    assert after == before


def test_the_shipped_model_has_it() -> None:
    nodes = onnx.load(model_files.find("accurate-int8")).graph.node
    assert [node.op_type for node in nodes if contract.INPUT in node.input] == ["Reshape"]
