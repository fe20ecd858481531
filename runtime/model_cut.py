"""A model file with one output cut away, and all that is there for that output alone.

onnxruntime runs every node of a graph: those that only feed an output that is not fetched, and those whose output is
no output of the graph any more (seen in its profile, 1.31). So the nodes have to go, before the session is made.
"""

from __future__ import annotations

from runtime.protobuf import Part, message, parts

# Fields of onnx.proto: of the model, of the graph, of a node, and the name of an initializer or of a tensor's type.
_GRAPH = 7
_NODE, _INITIALIZER, _OUTPUT, _VALUE_INFO = 1, 5, 12, 13
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_NAME = {_INITIALIZER: 8, _OUTPUT: 1, _VALUE_INFO: 1}


def without_output(model: bytes, name: str) -> bytes:
    """The file without an output, and without nodes, constants and types that no other output needs.

    What stays, stays byte for byte. The graph is one that `convert` made: it has no subgraphs, and its nodes stand in
    the order in which they run, as ONNX asks.

    Args:
        model: an `.onnx` file's bytes.
        name: of the output.

    Returns:
        `model` itself where it has no such output, or is no model: onnxruntime then says what is wrong with it.
    """
    try:
        for part in parts(memoryview(model)):
            if part.number == _GRAPH:
                graph = _without_output(part.value, name.encode())
                return model if graph is None else model[: part.begin] + message(_GRAPH, graph) + model[part.end :]
    except (IndexError, KeyError, TypeError):
        return model
    return model


def _without_output(graph: memoryview, name: bytes) -> bytes | None:
    """The graph's bytes, or None where it has no such output."""
    there = list(parts(graph))
    outputs = {_named(part) for part in there if part.number == _OUTPUT}
    if name not in outputs:
        return None
    needed = outputs - {name}
    unneeded: set[int] = set()
    # Backwards: what a node reads was made before it.
    for part in reversed(there):
        if part.number == _NODE:
            names: dict[int, set[bytes]] = {_NODE_INPUT: set(), _NODE_OUTPUT: set()}
            for inner in parts(part.value):
                if inner.number in names:
                    names[inner.number].add(bytes(inner.value))
            if names[_NODE_OUTPUT] & needed:
                needed |= names[_NODE_INPUT]
            else:
                unneeded.add(part.begin)
    unneeded |= {part.begin for part in there if part.number in _NAME and _named(part) not in needed}
    return b"".join(graph[part.begin : part.end] for part in there if part.begin not in unneeded)


def _named(part: Part) -> bytes:
    return next((bytes(inner.value) for inner in parts(part.value) if inner.number == _NAME[part.number]), b"")
