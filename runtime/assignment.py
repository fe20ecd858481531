"""Which provider runs which nodes of a graph, as onnxruntime assigned them.

What is counted is the graph as it was when it was shared out. By then onnxruntime had given every reader of a quantised
tensor a DequantizeLinear of its own, so an int8 file holds a few less; it had fused nothing yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime import model_cut
from runtime.errors import ModelInvalid, ProviderUnavailable
from runtime.protobuf import parts
from runtime.provider_table import BY_FULL_NAME, Provider
from runtime.providers import import_onnxruntime

if TYPE_CHECKING:
    import onnxruntime

Nodes = dict[str, dict[str, int]]
"""Provider's short name to operator to how many nodes."""

_TELLS_FLOAT16 = (1, 27)
"""The first onnxruntime that records the float16 nodes that no provider took, which it casts and gives to the CPU
(https://github.com/microsoft/onnxruntime/pull/28268); that with OpenVINO built in is an older one."""

# Fields of onnx.proto.
_GRAPH, _NODE, _INITIALIZER, _NODE_NAME, _OPERATOR, _DATA_TYPE = 7, 1, 5, 3, 4, 2
_FLOAT16 = 10


def nodes(
    session: onnxruntime.InferenceSession, listed: Sequence[Provider], path: Path, without: str | None = None
) -> Nodes:
    """What each provider of a list runs, in the list's order; an empty entry for one that runs nothing.

    Args:
        session: made with `session.record_ep_graph_assignment_info`.
        listed: what was asked for.
        path: the model file.
        without: the output that was cut away (`runtime.model_cut`), if one was.

    Raises:
        ProviderUnavailable: this onnxruntime can't tell.
        ModelInvalid: the file was cut off since it was loaded.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        raise ProviderUnavailable("this onnxruntime can't tell which provider runs what: install 1.24 or later")
    counted: dict[str, Counter[str]] = {provider.name: Counter() for provider in listed}
    recorded: Counter[tuple[str, str]] = Counter()
    for part in session.get_provider_graph_assignment_info():
        row = BY_FULL_NAME.get(part.ep_name)
        there = [(node.name, node.op_type) for node in part.get_nodes()]
        counted.setdefault(row.name if row else part.ep_name, Counter()).update(operator for _, operator in there)
        recorded.update(there)
    # Where the CPU is not in the list, onnxruntime has refused such nodes itself.
    if "cpu" in counted and _release() < _TELLS_FLOAT16:
        counted["cpu"].update(_unrecorded(path, without, recorded))
    return {name: dict(counter.most_common()) for name, counter in counted.items()}


def check(found: Mapping[str, Mapping[str, int]], listed: Sequence[Provider], path: Path) -> None:
    """Refuse a session that is not what was asked for.

    Raises:
        ProviderUnavailable: the first of the list runs no node, or one that is not listed runs some.
    """
    first, names = listed[0], [provider.name for provider in listed]
    uninvited = [name for name in found if name not in names and found[name]]
    if uninvited:
        raise ProviderUnavailable(f"{uninvited[0]} runs nodes of {path} and is not in the list {','.join(names)}")
    if not found[first.name]:
        others = " and ".join(name for name in names if found[name]) or "nothing"
        limit = f": {first.limit}" if first.limit else ""
        raise ProviderUnavailable(f"{first.name} runs no node of {path}, {others} runs them all{limit}")


def _release() -> tuple[int, ...]:
    return tuple(int(part) for part in import_onnxruntime().__version__.split(".")[:2])


def _unrecorded(path: Path, without: str | None, recorded: Counter[tuple[str, str]]) -> Counter[str]:
    """Operators of the nodes of a float16 file that nobody was recorded for.

    A node that onnxruntime had optimised away is among them; in a file that `convert` made there is none.
    """
    there, is_float16 = _read(path, without)
    missing = there - recorded if is_float16 else Counter()
    return Counter(operator for _, operator in missing.elements())


def _read(path: Path, without: str | None) -> tuple[Counter[tuple[str, str]], bool]:
    """Name and operator of each node of a file's main graph, and whether any weight is float16.

    From the bytes: onnxruntime does not list them, and serving does not depend on the package `onnx`.
    """
    found: Counter[tuple[str, str]] = Counter()
    is_float16 = False
    try:
        content = path.read_bytes()
        if without is not None:
            content = model_cut.without_output(content, without)
        for graph in (part.value for part in parts(memoryview(content)) if part.number == _GRAPH):
            for part in parts(graph):
                if part.number == _NODE:
                    node = {inner.number: inner.value for inner in parts(part.value)}
                    found[bytes(node.get(_NODE_NAME, b"")).decode(), bytes(node[_OPERATOR]).decode()] += 1
                elif part.number == _INITIALIZER:
                    is_float16 |= any(inner[:2] == (_DATA_TYPE, _FLOAT16) for inner in parts(part.value))
    except (OSError, IndexError, KeyError, ValueError) as error:
        raise ModelInvalid(f"{path} was changed while it was loaded: load it again") from error
    return found, is_float16
