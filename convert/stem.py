"""An int8 graph's first convolution, fed with the frame's own bytes, four pixels of a row at a time.

Where the network scales its input by a power of two, quantising the scaled pixels gives back the bytes that they were
made of: cast, scale, shift and quantise are one long way to do nothing, and are left out. And a convolution over three
channels keeps int8 kernels busy with copying: what reads 3 bytes here and 3 bytes there does not fill a register. Four
neighbours of a row taken as one pixel of 12 channels, and two of its outputs as one of twice the channels, are the same
numbers in the same places of memory, so that both reshapes are free.

Both steps leave every bit of the output as it was. Measured on the shipped model, x86 with VNNI, medians of 36
alternating runs at 1024 x 512: 57.6 ms before, 56.3 ms after the first step, 54.1 ms after both, on one thread; 32.6,
32.2 and 30.2 ms on two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

from runtime import contract

GROUP = 4
"""Pixels of a row that become one: as many bytes as three 32-bit lanes of a dot product."""


@dataclass
class _Stem:
    """The nodes from the frame to the first convolution's quantised output."""

    scaling: list[NodeProto]
    """Cast, Mul, Add and Transpose, in their order."""
    quantise: NodeProto
    convolve: NodeProto
    weights: NodeProto
    """The DequantizeLinear of the convolution's weights."""
    bias: NodeProto | None
    """Likewise; not every convolution has one."""
    quantise_output: NodeProto


def rewrite(model: onnx.ModelProto, stride: int) -> bool:
    """Do both steps in place, where the graph is of the shape that they need.

    Args:
        model: quantised, as `quantize.to_int8` leaves it.
        stride: what the width of every input is a multiple of.

    Returns:
        Whether it was; if not, nothing was changed.
    """
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    stem = _find(graph.node)
    if stem is None or stride % GROUP or not _is_identity(stem, constants) or not _is_strided(stem, constants):
        return False
    for node in (*stem.scaling, stem.quantise):
        graph.node.remove(node)
    graph.node.insert(0, helper.make_node("Reshape", [contract.INPUT, "group_pixels"], ["grouped"], "group_pixels"))
    graph.node.insert(
        1, helper.make_node("Transpose", ["grouped"], list(stem.quantise.output), "to_planes", perm=[0, 3, 1, 2])
    )
    _widen(graph, stem, constants)
    _drop_unused(graph)
    # The sizes in between have changed.
    del graph.value_info[:]
    return True


def _find(nodes: Iterable[NodeProto]) -> _Stem | None:
    """The stem, if the graph has one of just these nodes, each used once."""
    made = {output: node for node in nodes for output in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            users.setdefault(name, []).append(node)
    chain: list[NodeProto] = []
    name = contract.INPUT
    for operator in ("Cast", "Mul", "Add", "Transpose", "QuantizeLinear", "DequantizeLinear", "Conv", "QuantizeLinear"):
        if len(users.get(name, ())) != 1 or users[name][0].op_type != operator:
            return None
        chain.append(users[name][0])
        name = chain[-1].output[0]
    convolve = chain[6]
    parts = [made[name] for name in convolve.input[1:] if name in made and made[name].op_type == "DequantizeLinear"]
    if len(parts) != len(convolve.input) - 1:
        return None
    return _Stem(chain[:4], chain[4], convolve, parts[0], parts[1] if len(parts) > 1 else None, chain[7])


def _is_identity(stem: _Stem, constants: dict[str, npt.NDArray[np.generic]]) -> bool:
    """Whether scaling and quantising gives each of the 256 bytes back, by ONNX' definition of both."""
    _, multiply, add, _ = stem.scaling
    if not {multiply.input[1], add.input[1], *stem.quantise.input[1:]} <= constants.keys():
        return False
    pixels = np.arange(256, dtype=np.float32)
    scaled = pixels * np.float32(constants[multiply.input[1]]) + np.float32(constants[add.input[1]])
    scale, zero = (constants[name] for name in stem.quantise.input[1:])
    quantised = np.clip(np.rint(scaled / np.float32(scale)) + np.float32(zero), 0, 255)
    return bool(np.array_equal(quantised, pixels))


def _is_strided(stem: _Stem, constants: dict[str, npt.NDArray[np.generic]]) -> bool:
    """Whether it is a 3 x 3 convolution of three channels and stride 2 that reaches over the right and lower edge."""
    said = {attribute.name: helper.get_attribute_value(attribute) for attribute in stem.convolve.attribute}
    return (
        constants[stem.weights.input[0]].shape[1:] == (3, 3, 3)
        and list(said.get("strides", ())) == [2, 2]
        and list(said.get("pads", ())) == [0, 0, 1, 1]
        and list(said.get("dilations", (1, 1))) == [1, 1]
        and said.get("group", 1) == 1
    )


def _widen(graph: onnx.GraphProto, stem: _Stem, constants: dict[str, npt.NDArray[np.generic]]) -> None:
    """The convolution over groups: each output row's pixels 2 i and 2 i + 1 come from group i and the one after it."""
    narrow = constants[stem.weights.input[0]]
    count = len(narrow)
    wide = np.zeros((2 * count, 3 * GROUP, 3, 2), narrow.dtype)
    for second in (0, 1):
        for column in range(3):
            group, pixel = divmod(2 * second + column, GROUP)
            channels = slice(3 * pixel, 3 * pixel + 3)
            wide[second * count : (second + 1) * count, channels, :, group] = narrow[..., column]
    _give(graph, stem.weights, 0, wide)
    for node, first in ((stem.weights, 1), (stem.bias, 0)):
        for place in range(first, len(node.input) if node else 0):
            assert node is not None
            each = constants[node.input[place]]
            if each.ndim:  # one for each output channel
                _give(graph, node, place, np.concatenate([each, each]))
    kept = [attribute for attribute in stem.convolve.attribute if attribute.name not in ("kernel_shape", "strides")]
    del stem.convolve.attribute[:]
    stem.convolve.attribute.extend(kept)
    stem.convolve.attribute.extend(
        [helper.make_attribute("kernel_shape", [3, 2]), helper.make_attribute("strides", [2, 1])]
    )
    output = stem.quantise_output.output[0]
    stem.quantise_output.output[0] = "pairs"
    after = list(graph.node).index(stem.quantise_output) + 1
    split = (
        helper.make_node("Transpose", ["pairs"], ["pairs_by_pixel"], "to_pixels", perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["pairs_by_pixel", "split_pairs"], ["by_pixel"], "split_pairs"),
        helper.make_node("Transpose", ["by_pixel"], [output], "to_planes_again", perm=[0, 3, 1, 2]),
    )
    for place, node in enumerate(split, after):
        graph.node.insert(place, node)
    for name, size in (("group_pixels", 3 * GROUP), ("split_pairs", count)):
        graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1, size], np.int64), name))


def _give(graph: onnx.GraphProto, node: NodeProto, place: int, value: npt.NDArray[np.generic]) -> None:
    """Another constant for one input of one node; the old one goes, if nobody else has it."""
    old = node.input[place]
    node.input[place] = f"{old}_wide"
    if node.input[place] not in {tensor.name for tensor in graph.initializer}:
        graph.initializer.append(numpy_helper.from_array(value, node.input[place]))


def _drop_unused(graph: onnx.GraphProto) -> None:
    """onnxruntime warns of each constant that no node reads, whenever the file is loaded."""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
