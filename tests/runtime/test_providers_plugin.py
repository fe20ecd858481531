"""A plugin provider, really: Qualcomm's, which installs beside onnxruntime and emulates its NPU on an x86 CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

Run = Callable[..., CompletedProcess[str]]

OPEN = """
import json, sys
from pathlib import Path
import numpy as np
from runtime import plugins, providers, sessions
plugins.installed()
opened = sessions.open_session(Path(sys.argv[1]), providers.parse(sys.argv[2]))
image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(1, 8, 8, 3)
made = opened.session.run(None, {"image": image})[0]
print(json.dumps({"nodes": opened.nodes, "made": made.ravel().tolist(), "at_hand": plugins.at_hand()}))
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A network of fixed sizes, in int8: half of what is above 128, else 64."""
    scales = {"scale": 1 / 255, "bound": 128 / 255}
    nodes = [
        helper.make_node("DequantizeLinear", ["image", "scale", "zero"], ["real"]),
        helper.make_node("DequantizeLinear", ["bound_byte", "scale", "zero"], ["bound"]),
        helper.make_node("Max", ["real", "bound"], ["large"]),
        helper.make_node("QuantizeLinear", ["large", "half_scale", "zero"], ["made"]),
    ]
    shape = [1, 8, 8, 3]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("made", TensorProto.UINT8, shape)],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [], [scales["scale"]]),
            helper.make_tensor("half_scale", TensorProto.FLOAT, [], [2 * scales["scale"]]),
            helper.make_tensor("zero", TensorProto.UINT8, [], [0]),
            helper.make_tensor("bound_byte", TensorProto.UINT8, [1], [128]),
        ],
    )
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    return path


@pytest.mark.parametrize("listed", ["qnn:backend_type=htp", "qnn:backend_type=htp,cpu"])
def test_the_plugin_is_found_registered_and_runs_every_node(qnn: Run, small: Path, listed: str) -> None:
    done = qnn(small, listed, code=OPEN)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])  # Qualcomm's library writes a line of its own before it
    assert sum(told["nodes"].pop("qnn").values()) == 4
    assert all(not operators for operators in told["nodes"].values())
    assert [told["at_hand"].count(name) for name in ("cpu", "qnn")] == [1, 1]
    image = np.arange(8 * 8 * 3, dtype=np.uint8)
    assert np.abs(np.array(told["made"]) - np.maximum(image, 128) / 2).max() <= 1


def test_a_plugin_that_comes_second_is_registered_and_runs_none(qnn: Run, small: Path) -> None:
    done = qnn(small, "cpu,qnn:backend_type=htp", code=OPEN)
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout.splitlines()[-1])["nodes"]
    assert nodes["cpu"]
    assert nodes["qnn"] == {}


def test_it_is_listed_with_package_version_and_device(qnn: Run) -> None:
    done = qnn("providers", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout)["installed"] if row["name"] == "qnn"]
    assert (row["kind"], row["package"]) == ("plugin", "onnxruntime-qnn")
    assert row["version"]
    assert row["devices"]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("qnn:backend_type=htp", "does not run every node"),
        ("qnn:backend_type=htp,cpu", "qnn runs no node"),
        ("qnn:backend=htp", "no option 'backend': it knows backend_type"),
        ("qnn:backend_type=nonsense", "does not run every node"),
    ],
)
def test_what_it_does_not_run_is_one_line_and_no_fall_back(
    qnn: Run, toy_file: Callable[..., Path], listed: str, said: str
) -> None:
    done = qnn("providers", toy_file(), "--providers", listed)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
