"""What tests of several folders need: small labelled folders of generated scenes, the shipped models, real data."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from runtime import contract, scenes
from runtime.contract import Contract

if TYPE_CHECKING:
    import onnx

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

# Read by TensorFlow and onnxruntime while they are imported.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

Array = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def camvid() -> Path:
    """The real CamVid folder that lies beside a development checkout."""
    folder = SHARED / "camvid"
    if not folder.is_dir():
        pytest.skip("real frames are not at hand: ../shared/data/camvid is missing")
    return folder


@pytest.fixture(scope="session")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Cityscapes-style folder of generated scenes with the splits train (8) and val (4), 192 x 96."""
    folder = tmp_path_factory.mktemp("streets")
    for split, count, seed in (("train", 8, 0), ("val", 4, 100)):
        made = tmp_path_factory.mktemp(split)
        scenes.write(made, count, seed=seed, width=192, height=96)
        for kind in ("leftImg8bit", "gtFine"):
            (folder / kind).mkdir(exist_ok=True)
            (made / kind / "val").rename(folder / kind / split)
    return folder


@pytest.fixture
def cityscapes_pair(tmp_path: Path) -> Callable[[Array, Array], Path]:
    """Writes one pair in Cityscapes' layout, split val, and gives the folder."""

    def write(frame: Array, label_ids: Array) -> Path:
        for kind, ending, pixels in (("leftImg8bit", "leftImg8bit", frame), ("gtFine", "gtFine_labelIds", label_ids)):
            city = tmp_path / "data" / kind / "val" / "town"
            city.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(city / f"town_000000_000000_{ending}.png")
        return tmp_path / "data"

    return write


def toy_graph(
    *,
    stamped: dict[str, str] | None = None,
    channels: int = 3,
    output: str = "mask",
    batch: int | str = "batch",
    every: int = 1,
    confidence: bool = False,
) -> onnx.ModelProto:
    """A network whose mask is known: 1 + the index of the brightest of the three channels, ties to the first.

    Its confidence, if it has that output, is the brightest channel's value.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["float"], ["best"], axis=3, keepdims=0),
        helper.make_node("Add", ["best", "one"], ["category"]),
        helper.make_node("Slice", ["category", "begin", "end", "axes", "every"], ["kept"]),
        helper.make_node("Cast", ["kept"], [output], to=TensorProto.UINT8),
    ]
    if confidence:
        nodes += [
            helper.make_node("ReduceMax", ["float"], ["brightest"], axes=[3], keepdims=0),
            helper.make_node("Slice", ["brightest", "begin", "end", "axes", "every"], ["brightest_kept"]),
            helper.make_node("Cast", ["brightest_kept"], ["confidence"], to=TensorProto.UINT8),
        ]
    sides: list[int | str] = [batch, "height", "width"]
    outputs = [output, "confidence"] if confidence else [output]
    numbers = {"begin": [0, 0], "end": [2**31, 2**31], "axes": [1, 2], "every": [every, every]}
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*sides, channels])],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, sides) for name in outputs],
        [
            numpy_helper.from_array(np.array(1, np.int64), "one"),
            *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in numbers.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    promised = Contract("fp32", temperature=1.0 if confidence else None)
    metadata = {contract.KEY: promised.to_json()} if stamped is None else stamped
    helper.set_model_props(model, metadata)
    return model


@pytest.fixture
def toy_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes `toy_graph` with whatever is to be wrong with it, and gives the path."""

    def write(name: str = "toy-fp32.onnx", **wrong: Any) -> Path:
        import onnx

        path = tmp_path / "models" / name
        path.parent.mkdir(exist_ok=True)
        onnx.save(toy_graph(**wrong), path)
        return path

    return write


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models whose default is `toy_graph`."""
    import onnx

    folder = tmp_path_factory.mktemp("models")
    onnx.save(toy_graph(), folder / "accurate-fp32.onnx")
    return folder
