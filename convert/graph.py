"""What is done to the exported graph itself: uint8 in, argmax and uint8 out, free sizes, contract, cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime import contract, providers
from runtime.contract import Contract
from runtime.errors import ModelInvalid
from runtime.frames import Geometry

OPSET = 15
"""What tf2onnx writes cleanly for these networks, and every runtime that we know of reads."""


def finish(exported: onnx.ModelProto, geometry: Geometry) -> onnx.ModelProto:
    """The exported network with the contract's input and output.

    The argmax is taken over the channel axis before the last Transpose, where the logits lie plane by plane. Keras' own
    argmax must not be exported: it becomes a Bitcast that no runtime of this opset has.

    Raises:
        ModelInvalid: the graph is not of the shape that tf2onnx gives these networks.
    """
    model = onnx.ModelProto()
    model.CopyFrom(exported)
    graph = model.graph
    last = graph.node[-1]
    if len(graph.input) != 1 or len(graph.output) != 1 or last.op_type != "Transpose":
        raise ModelInvalid(f"the exported graph ends with {last.op_type}, not with the Transpose of its logits")
    source = graph.input[0].name
    for node in graph.node:
        node.input[:] = ["image_float" if name == source else name for name in node.input]
    logits = last.input[0]
    graph.node.remove(last)
    graph.node.insert(0, helper.make_node("Cast", [contract.INPUT], ["image_float"], "to_float", to=TensorProto.FLOAT))
    graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "first_category"))
    graph.node.extend(
        [
            helper.make_node("ArgMax", [logits], ["best"], "argmax", axis=1, keepdims=0),
            helper.make_node("Add", ["best", "first_category"], ["category"], "skip_void"),
            helper.make_node("Cast", ["category"], [contract.OUTPUT], "to_mask", to=TensorProto.UINT8),
        ]
    )
    sides: list[int | str] = list(geometry.fixed) if geometry.fixed else ["height", "width"]
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info(contract.INPUT, TensorProto.UINT8, ["batch", *sides, 3]))
    graph.output.append(helper.make_tensor_value_info(contract.OUTPUT, TensorProto.UINT8, ["batch", *sides]))
    graph.name = "roadmask"
    return model


def fold(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """The same graph with batch-norm's remains folded into the convolutions, by onnxruntime's basic optimisations.

    The result holds standard operators only.
    """
    ort = providers.import_onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(scratch)
    options.log_severity_level = 3
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(str(scratch))
    del folded.opset_import[:]
    folded.opset_import.append(helper.make_opsetid("", OPSET))
    onnx.checker.check_model(folded, full_check=True)
    return folded


def stamp(model: onnx.ModelProto, promised: Contract) -> None:
    """Write the contract into the file's metadata, in place of any other entry."""
    del model.metadata_props[:]
    helper.set_model_props(model, {contract.KEY: promised.to_json()})
    model.producer_name, model.producer_version = "roadmask", ""


def gmac(model: onnx.ModelProto, height: int, width: int) -> float:
    """10^9 multiply-accumulates of the convolutions for one input of this size.

    Counted as output pixels x kernel x input channels a group x output channels; nothing else costs as much as 1 %.

    Raises:
        ModelInvalid: a convolution whose output's size can't be inferred.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    sizes = (1, height, width)
    for tensor in (*fixed.graph.input, *fixed.graph.output):
        for dimension, size in zip(tensor.type.tensor_type.shape.dim, sizes, strict=False):
            dimension.dim_value = size
    del fixed.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.output)
    }
    weights = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    weights |= {
        node.output[0]: weights[node.input[0]]
        for node in inferred.node
        if node.op_type == "DequantizeLinear" and node.input[0] in weights
    }
    total = 0.0
    for node in inferred.node:
        if node.op_type == "Conv":
            pixels = float(np.prod(shapes.get(node.output[0], [0])[2:] or [0]))
            if not pixels:
                raise ModelInvalid(f"the size of {node.output[0]} can't be inferred, so its cost is not known")
            total += pixels * float(np.prod(weights[node.input[1]]))
    return total / 1e9
