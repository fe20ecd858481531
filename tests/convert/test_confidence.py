"""The output `confidence` against softmax in numpy on the logits of ONNX's own reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from convert import confidence, half
from runtime import contract, model_cut, model_files, providers
from runtime.errors import ModelInvalid

Array = np.ndarray[Any, Any]


def network(enlarge: int | None, axis: int = 1) -> onnx.ModelProto:
    """Seven planes of logits by a random convolution of stride `enlarge`, enlarged again unless it is None; argmax."""
    rng = np.random.default_rng(0)
    step = enlarge or 1
    weights = rng.normal(0, 0.03, (7, 3, step, step)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "float", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["by_plane"], "by_plane", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["by_plane", "weights"], ["small"], "conv", strides=[step, step]),
        helper.make_node("Resize", ["small", "", "scales"], ["logits"], "resize", mode="linear"),
        helper.make_node("ArgMax", ["logits" if enlarge else "small"], ["best"], "argmax", axis=axis, keepdims=0),
        helper.make_node("Add", ["best", "one"], ["category"], "add"),
        helper.make_node("Cast", ["category"], ["mask"], "mask", to=TensorProto.UINT8),
    ]
    sides = ["batch", "height", "width"]
    constants = {"one": np.int64(1), "weights": weights, "scales": np.float32([1, 1, step, step])}
    graph = helper.make_graph(
        nodes if enlarge else [node for node in nodes if node.op_type != "Resize"],
        "network",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*sides, 3])],
        [helper.make_tensor_value_info("mask", TensorProto.UINT8, sides)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items() if enlarge or n != "scales"],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def softmax_of_the_best(logits: Array, temperature: float) -> Array:
    """Of planes: batch x 7 x h x w to batch x h x w, in float64."""
    odds = np.exp(logits.astype(np.float64) / temperature)
    return np.max(odds / odds.sum(axis=1, keepdims=True), axis=1)


def run(model: onnx.ModelProto, images: Array) -> list[Array]:
    ort = providers.import_onnxruntime()
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"image": images}))


def images(height: int = 24, width: int = 40) -> Array:
    return np.random.default_rng(1).integers(0, 256, (2, height, width, 3), np.uint8)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_confidence_is_the_softmax_s_maximum_where_nothing_is_enlarged(temperature: float) -> None:
    plain = network(None)
    model = confidence.add(plain, temperature)
    onnx.checker.check_model(model, full_check=True)
    (logits,) = ReferenceEvaluator(confidence.logits_only(plain)).run(None, {"image": images()})
    mask, sure = run(model, images())
    assert (mask == logits.argmax(axis=1) + 1).all()
    np.testing.assert_allclose(sure, 255 * softmax_of_the_best(logits, temperature), atol=0.501)
    assert len(np.unique(sure)) > 50


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_confidence_is_enlarged_as_the_logits_are(temperature: float) -> None:
    plain = network(4)
    model = confidence.add(plain, temperature)
    onnx.checker.check_model(model, full_check=True)
    small = onnx.ModelProto.FromString(plain.SerializeToString())
    small.graph.output[0].name = "small"
    small.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    (logits,) = ReferenceEvaluator(small).run(None, {"image": images()})
    plane = softmax_of_the_best(logits, temperature)[:, None].astype(np.float32)
    resize = next(node for node in plain.graph.node if node.op_type == "Resize")
    once = helper.make_graph(
        [resize],
        "resize",
        [helper.make_tensor_value_info("small", TensorProto.FLOAT, [2, 1, 6, 10])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [2, 1, 24, 40])],
        [tensor for tensor in plain.graph.initializer if tensor.name == "scales"],
    )
    (large,) = ReferenceEvaluator(helper.make_model(once, opset_imports=plain.opset_import)).run(None, {"small": plane})
    np.testing.assert_allclose(run(model, images())[1], 255 * large[:, 0], atol=0.51)


def test_no_logit_is_too_large() -> None:
    plain = network(None)
    weights = next(tensor for tensor in plain.graph.initializer if tensor.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(1e4 * numpy_helper.to_array(weights), "weights"))
    mask, sure = run(confidence.add(plain, 0.25), images())
    assert mask.shape == sure.shape
    assert sure.min() > 250


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_mask_of_a_shipped_file_stays_bit_for_bit_and_the_cut_gives_its_bytes_back(precision: str) -> None:
    plain = confidence.without(onnx.load(model_files.find(f"accurate-{precision}")))
    model = confidence.add(plain, 1.2)
    onnx.checker.check_model(model, full_check=True)
    assert [output.name for output in model.graph.output] == [contract.OUTPUT, contract.CONFIDENCE]
    some = images(64, 96)
    expected, (mask, sure) = run(plain, some)[0], run(model, some)
    assert (mask == expected).all()
    assert sure.shape == mask.shape
    assert sure.dtype == np.uint8
    assert model_cut.without_output(model.SerializeToString(), contract.CONFIDENCE) == plain.SerializeToString()
    # In float32, whatever the rest is in; and what is there already is replaced.
    added = [tensor for tensor in model.graph.initializer if tensor.name.startswith("confidence_")]
    assert {tensor.data_type for tensor in added} == {TensorProto.FLOAT, TensorProto.INT64}
    assert confidence.add(model, 1.2) == model


def test_float16_tells_what_float32_tells() -> None:
    plain = network(4)
    low, high = (run(confidence.add(model, 1.5), images())[1] for model in (half.to_fp16(plain), plain))
    np.testing.assert_allclose(low, high.astype(float), atol=2)


def test_a_mask_that_is_made_in_another_way_is_refused() -> None:
    for model in (network(4, axis=3), model_without_argmax()):
        with pytest.raises(ModelInvalid, match="no argmax over planes"):
            confidence.add(model, 1)


def model_without_argmax() -> onnx.ModelProto:
    model = network(4)
    next(node for node in model.graph.node if node.op_type == "ArgMax").op_type = "ArgMin"
    return model
