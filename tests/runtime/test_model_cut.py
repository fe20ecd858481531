"""An output is cut out of a file's bytes just as the package `onnx` would take it out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime import model_cut, model_files, sessions
from runtime.contract import CONFIDENCE, KEY, Contract
from runtime.segmenter import Segmenter

Toy = Callable[..., Path]
STAMPED = {KEY: Contract("fp32", temperature=1.0).to_json()}


def names(model: onnx.ModelProto) -> dict[str, list[str]]:
    graph = model.graph
    return {
        "nodes": [node.name for node in graph.node],
        "outputs": [output.name for output in graph.output],
        "constants": [constant.name for constant in graph.initializer],
        "types": [value.name for value in graph.value_info],
    }


def test_the_graph_is_the_one_that_never_had_the_output(toy_file: Toy) -> None:
    with_it = toy_file("a-fp32.onnx", confidence=True, stamped=STAMPED).read_bytes()
    without = toy_file("b-fp32.onnx", stamped=STAMPED).read_bytes()
    cut = model_cut.without_output(with_it, CONFIDENCE)
    onnx.checker.check_model(onnx.load_from_string(cut), full_check=True)
    assert cut == without


def test_what_only_that_output_needs_goes_and_what_the_mask_needs_stays() -> None:
    def constant(name: str) -> onnx.TensorProto:
        return numpy_helper.from_array(np.float32(1), name)

    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["image", "mine"], ["shared"], "shared"),
            helper.make_node("Mul", ["shared", "both"], ["only"], "only"),
            helper.make_node("Mul", ["shared", "both"], ["mask"], "mask"),
            helper.make_node("Split", ["only"], ["left", "right"], "split", axis=0),
            helper.make_node("Sub", ["left", "its"], [CONFIDENCE], "last"),
        ],
        "graph",
        [tensor("image", TensorProto.FLOAT, [2])],
        [tensor("mask", TensorProto.FLOAT, [2]), tensor(CONFIDENCE, TensorProto.FLOAT, [1])],
        [constant("mine"), constant("both"), constant("its")],
        value_info=[tensor("shared", TensorProto.FLOAT, [2]), tensor("only", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    cut = onnx.load_from_string(model_cut.without_output(model.SerializeToString(), CONFIDENCE))
    onnx.checker.check_model(cut, full_check=True)
    assert names(cut) == {
        "nodes": ["shared", "mask"],
        "outputs": ["mask"],
        "constants": ["mine", "both"],
        "types": ["shared"],
    }
    other = onnx.load_from_string(model_cut.without_output(model.SerializeToString(), "mask"))
    onnx.checker.check_model(other, full_check=True)
    assert names(other)["nodes"] == ["shared", "only", "split", "last"]


def test_a_file_without_the_output_is_given_back_as_it_is() -> None:
    whole = model_files.find("accurate-int8").read_bytes()
    assert model_cut.without_output(whole, "no such output") is whole


@pytest.mark.parametrize("content", [b"", b"no model", b"\xff" * 20, b"\x3a\x02\x08\x01"])
def test_what_is_no_model_is_given_back_as_it_is(content: bytes) -> None:
    assert model_cut.without_output(content, CONFIDENCE) is content


def test_a_file_that_ends_anywhere_is_refused_as_it_is_without_the_cut(toy_file: Toy) -> None:
    whole = toy_file(confidence=True).read_bytes()
    for size in range(0, len(whole) - 1, 7):
        part = whole[:size]
        cut = model_cut.without_output(part, CONFIDENCE)
        # Either as it was, or cut where the graph was whole and what follows it is not.
        assert cut is part or (whole.startswith(part) and len(cut) < len(part))


def test_a_session_runs_the_nodes_of_a_file_without_the_output(toy_file: Toy) -> None:
    with_it, without = toy_file("a-fp32.onnx", confidence=True), toy_file("b-fp32.onnx")
    expected = sessions.open_session(without, ("cpu",)).nodes
    assert sessions.open_session(with_it, ("cpu",), without=CONFIDENCE).nodes == expected
    assert Segmenter.load(with_it).nodes == expected
    assert Segmenter.load(with_it, confidence=True).nodes != expected
