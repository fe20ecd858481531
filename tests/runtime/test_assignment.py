"""Nodes are counted where they run, whatever the version of onnxruntime tells by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from convert import confidence
from runtime import assignment, model_files, sessions
from runtime.errors import ModelInvalid, ProviderUnavailable
from runtime.provider_table import BY_NAME

CPU, CUDA = BY_NAME["cpu"], BY_NAME["cuda"]


def session_of(**recorded: list[tuple[str, str]]) -> Any:
    """Stands in for a session: onnxruntime's name of a provider to name and operator of its nodes."""
    made = {
        full: [SimpleNamespace(name=name, op_type=kind) for name, kind in nodes] for full, nodes in recorded.items()
    }
    parts = [SimpleNamespace(ep_name=full, get_nodes=lambda nodes=nodes: nodes) for full, nodes in made.items()]
    return SimpleNamespace(get_provider_graph_assignment_info=lambda: parts)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`release("1.26.0")`: that is onnxruntime's version."""
    return lambda text: monkeypatch.setattr(assignment, "import_onnxruntime", lambda: SimpleNamespace(__version__=text))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_all_nodes_of_a_shipped_file_are_counted(precision: str) -> None:
    path = model_files.find(f"accurate-{precision}")
    there = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert sessions.open_session(path, ("cpu",)).nodes == {"cpu": there}


def test_an_int8_file_s_dequantisations_are_counted_as_onnxruntime_doubles_them() -> None:
    path = model_files.find("accurate-int8")
    there = Counter(node.op_type for node in onnx.load(path).graph.node)
    found = Counter(sessions.open_session(path, ("cpu",)).nodes["cpu"])
    assert set(found - there) == {"DequantizeLinear"}
    assert not there - found


@pytest.mark.parametrize(
    ("version", "stem", "listed", "on_cpu"),
    [
        ("1.24.1", "accurate-fp16", [CUDA, CPU], "Clip"),
        ("1.26.0", "accurate-fp16", [CUDA, CPU], "Clip"),
        ("1.27.0", "accurate-fp16", [CUDA, CPU], None),
        # What is missing was optimised away.
        ("1.24.1", "accurate-fp32", [CUDA, CPU], None),
    ],
)
def test_before_1_27_the_float16_nodes_that_are_not_recorded_are_the_cpu_s(
    release: Callable[[str], None], version: str, stem: str, listed: list[Any], on_cpu: str | None
) -> None:
    path = model_files.find(stem)
    nodes = onnx.load(path).graph.node
    kept = [(node.name, node.op_type) for node in nodes if node.op_type != "Clip"]
    release(version)
    found = assignment.nodes(session_of(CUDAExecutionProvider=kept), listed, path)
    assert list(found) == ["cuda", "cpu"]
    assert sum(found["cuda"].values()) == len(kept)
    assert found["cpu"] == ({on_cpu: len(nodes) - len(kept)} if on_cpu else {})


def test_what_was_cut_away_is_no_node_that_went_unrecorded(release: Callable[[str], None], tmp_path: Path) -> None:
    plain = confidence.without(onnx.load(model_files.find("accurate-fp16")))
    path = tmp_path / "m-fp16.onnx"
    onnx.save(confidence.add(plain, 1), path)
    release("1.24.1")
    session = session_of(CUDAExecutionProvider=[(node.name, node.op_type) for node in plain.graph.node])
    assert assignment.nodes(session, [CUDA, CPU], path, "confidence")["cpu"] == {}
    assert assignment.nodes(session, [CUDA, CPU], path)["cpu"] != {}


@pytest.mark.parametrize("kept", [1, 1000, 3_000_000])
def test_a_file_cut_off_meanwhile_is_refused(release: Callable[[str], None], tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut-fp16.onnx"
    path.write_bytes(model_files.find("accurate-fp16").read_bytes()[:kept])
    release("1.24.1")
    with pytest.raises(ModelInvalid, match="was changed while it was loaded"):
        assignment.nodes(session_of(), [CPU], path)


def test_one_that_runs_nodes_uninvited_and_a_first_one_that_runs_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "any.onnx"
    with pytest.raises(ProviderUnavailable, match=r"cpu runs nodes of .* and is not in the list cuda"):
        assignment.check({"cuda": {"Conv": 3}, "cpu": {"Add": 1}}, [CUDA], path)
    with pytest.raises(ProviderUnavailable, match=r"cuda runs no node of .*, cpu runs them all"):
        assignment.check({"cuda": {}, "cpu": {"Add": 1}}, [CUDA, CPU], path)
    assignment.check({"cuda": {"Conv": 3}, "cpu": {}}, [CUDA, CPU], path)
