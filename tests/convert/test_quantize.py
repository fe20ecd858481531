"""Which part of a network int8 leaves in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from convert import quantize
from runtime.frames import Geometry

GEOMETRY = Geometry(pixel_budget=64 * 32)


def two_classifiers() -> onnx.ModelProto:
    """A stem, logits at half of its size that are enlarged, and logits at its size that are added to them."""
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "to_float", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], "turn", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w_stem"], ["stem"], "stem", strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node("Conv", ["stem", "w_deep"], ["deep"], "deep", strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node("Conv", ["deep", "w_coarse"], ["coarse"], "classify_coarse"),
        helper.make_node("Resize", ["coarse", "", "twice"], ["enlarged"], "enlarge", mode="linear"),
        helper.make_node("Conv", ["stem", "w_side"], ["side"], "side"),
        helper.make_node("Conv", ["side", "w_fine"], ["fine"], "classify_fine"),
        helper.make_node("Add", ["enlarged", "fine"], ["logits"], "both"),
        helper.make_node("ArgMax", ["logits"], ["best"], "argmax", axis=1, keepdims=0),
        helper.make_node("Cast", ["best"], ["mask"], "to_mask", to=TensorProto.UINT8),
    ]
    tensors = [
        weights("w_stem", 8, 3, 3, 3),
        weights("w_deep", 8, 8, 3, 3),
        weights("w_coarse", 7, 8, 1, 1),
        weights("w_side", 8, 8, 1, 1),
        weights("w_fine", 7, 8, 1, 1),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, None)
    graph = helper.make_graph(nodes, "two", [image], [mask], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def test_whatever_makes_logits_and_all_that_follows_stays_float32(tmp_path: Path) -> None:
    frames = [np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)]
    made = quantize.to_int8(two_classifiers(), frames, GEOMETRY, tmp_path)
    quantised = {node.input[0] for node in made.graph.node if node.op_type == "QuantizeLinear"}
    dequantised = {node.output[0] for node in made.graph.node if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
    assert [node.name for node in convolutions if node.input[1] in dequantised] == ["stem", "deep", "side"]
    assert quantised.isdisjoint({"coarse", "enlarged", "fine", "logits"})
    assert {"stem", "deep", "side"} <= quantised
