"""OpenVINO, really: the second provider that any x86 CPU has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from runtime import contract, model_files, scenes
from runtime.contract import Contract
from runtime.segmenter import Segmenter

Run = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("stem", ["accurate-int8", "accurate-fp16", "accurate-fp32"])
@pytest.mark.parametrize("listed", ["openvino", "OpenVINOExecutionProvider", "openvino,cpu", "openvino:precision=FP32"])
def test_openvino_runs_every_node(openvino: Run, stem: str, listed: str) -> None:
    done = openvino("providers", stem, "--providers", listed, "--json", "--threads", 1)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    expected = Segmenter.load(model_files.find(stem)).nodes["cpu"]
    nodes = {name: sum(operators.values()) for name, operators in told["nodes"].items()}
    assert told["provider"] == "openvino"
    assert nodes.pop("openvino") == sum(expected.values())
    assert nodes == ({"cpu": 0} if listed.endswith(",cpu") else {})
    assert told["threads"] == 1
    assert told["options"]["openvino"]["num_of_threads"] == "1"


@pytest.fixture
def half_file(tmp_path: Path) -> Path:
    """A float16 network with one operator, Hardmax, that OpenVINO does not take."""
    nodes = [
        helper.make_node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Add", ["half", "quarter"], ["more"]),
        helper.make_node("Hardmax", ["more"], ["hard"], axis=3),
        helper.make_node("Add", ["more", "hard"], ["most"]),
        helper.make_node("ArgMax", ["most"], ["best"], axis=3, keepdims=0),
        helper.make_node("Cast", ["best"], ["mask"], to=TensorProto.UINT8),
    ]
    for number, node in enumerate(nodes):
        node.name = f"node{number}"
    sides = ["batch", "height", "width"]
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*sides, 3])],
        [helper.make_tensor_value_info("mask", TensorProto.UINT8, sides)],
        [numpy_helper.from_array(np.array(0.25, np.float16), "quarter")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {contract.KEY: Contract("fp16").to_json()})
    onnx.save(model, tmp_path / "half-fp16.onnx")
    return tmp_path / "half-fp16.onnx"


@pytest.mark.parametrize(
    ("listed", "nodes"),
    [
        ("openvino,cpu", {"openvino": {"Cast": 2, "Add": 2, "ArgMax": 1}, "cpu": {"Hardmax": 1}}),
        ("cpu", {"cpu": {"Cast": 2, "Add": 2, "ArgMax": 1, "Hardmax": 1}}),
    ],
)
def test_float16_nodes_that_are_left_to_the_cpu_count_where_they_run(
    openvino: Run, half_file: Path, listed: str, nodes: dict[str, Any]
) -> None:
    done = openvino("providers", half_file, "--providers", listed, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["nodes"] == nodes
    assert openvino("providers", half_file, "--providers", "openvino").returncode == 2


def test_of_a_list_the_first_one_runs_the_nodes(openvino: Run) -> None:
    done = openvino("providers", "accurate", "--providers", "cpu,openvino", "--json")
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["nodes"]
    assert nodes["cpu"]
    assert nodes["openvino"] == {}


def test_it_is_listed_with_its_devices(openvino: Run) -> None:
    done = openvino("providers", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (row, *_) = [row for row in told["installed"] if row["name"] == "openvino" and row["devices"]]
    assert row["version"]
    assert any("CPU" in device for device in row["devices"])
    assert "openvino" not in told["not_installed"]
    assert "openvino" in openvino("providers").stdout


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("openvino:nonsense=1", "no option 'nonsense': it knows device_type, precision"),
        ("openvino:precision=FP99,cpu", "precision on CPU is FP32 or ACCURACY"),
        ("openvino:device_type=GPU.7,cpu", "no device 'GPU.7' here (there: CPU"),
        ("openvino:device_type=HETERO:TPU", "no device 'TPU' here"),
        ("openvino,directml,cpu", "directml is not installed (there: cpu, openvino): pip install onnxruntime-directml"),
    ],
)
def test_what_openvino_would_leave_to_the_cpu_is_one_line_and_status_2(openvino: Run, listed: str, said: str) -> None:
    done = openvino("providers", "accurate", "--providers", listed)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not done.stdout


def test_a_broken_file_is_one_line_and_status_2(openvino: Run, toy_file: Callable[..., Path]) -> None:
    path = toy_file()
    path.write_bytes(path.read_bytes()[:60])
    done = openvino("providers", path, "--providers", "openvino,cpu")
    assert done.returncode == 2
    assert "can't be loaded" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def masks(run: Run, frames: Path, out: Path, listed: str) -> np.ndarray:
    done = run("segment", frames, "-o", out, "--model", "accurate-fp32", "--providers", listed)
    assert done.returncode == 0, done.stderr
    return np.stack([np.asarray(Image.open(path)) for path in sorted(out.iterdir())])


def test_its_masks_are_the_cpus(openvino: Run, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for seed in range(3):
        Image.fromarray(scenes.generate(seed).frame).save(frames / f"{seed}.png")
    expected = [Segmenter.load(model_files.find("accurate-fp32")).segment(scenes.generate(n).frame) for n in range(3)]
    # With float32 spelled out there was no other pixel on AMD's CPU; what OpenVINO takes by itself depends on the CPU.
    for listed, bound in (("openvino:precision=FP32", 0.001), ("openvino,cpu", 0.005)):
        found = masks(openvino, frames, tmp_path / listed.replace(":", "_"), listed)
        assert (found != np.stack(expected)).mean() <= bound
