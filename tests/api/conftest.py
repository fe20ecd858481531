"""A tiny real model whose masks can be told by hand, and servers on real sockets that serve it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from starlette.applications import Starlette

from api.app import create_app
from api.model import Model
from api.server import Server, configure, listen
from api.settings import Settings
from runtime import contract
from runtime.contract import Contract
from runtime.frames import Geometry
from runtime.segmenter import Segmenter

QUALITY = {"luma_low": 20.0, "luma_high": 230.0, "sharpness_low": 0.2, "confidence_low": 0.3}
"""What frames are held against by models of these tests."""


def brightest_channel_model(path: Path, shift: int = 1, idle_products: int = 0, confidence: bool = False) -> None:
    """A model file whose mask is argmax over R, G, B, plus `shift`: 1..3 for a shift of 1.

    Frames are never enlarged, so one of less than 1024 x 512 pixels goes in as it is: the mask of every pixel is known.
    `idle_products` matrix products of 768 x 768, 3 to 10 ms each, make it slow. With `confidence` it has that output:
    the brightest channel's value.
    """
    nodes = [
        helper.make_node("ArgMax", [contract.INPUT], ["channel"], axis=3, keepdims=0),
        helper.make_node("Add", ["channel", "shift"], ["brightest"]),
        # Zeros whose value depends on the input, so that nothing of it can be worked out beforehand.
        helper.make_node("ReduceMin", ["brightest"], ["least"], keepdims=0),
        helper.make_node("Sub", ["least", "least"], ["zero"]),
        helper.make_node("Cast", ["zero"], ["zero_float"], to=TensorProto.FLOAT),
        helper.make_node("Expand", ["zero_float", "sides"], ["product_0"]),
        *(
            helper.make_node("MatMul", [f"product_{i}", f"product_{i}"], [f"product_{i + 1}"])
            for i in range(idle_products)
        ),
        helper.make_node("ReduceMax", [f"product_{idle_products}"], ["nothing_float"], keepdims=0),
        helper.make_node("Cast", ["nothing_float"], ["nothing"], to=TensorProto.INT64),
        helper.make_node("Add", ["brightest", "nothing"], ["id"]),
        helper.make_node("Cast", ["id"], [contract.OUTPUT], to=TensorProto.UINT8),
    ]
    outputs = [contract.OUTPUT]
    if confidence:
        nodes.append(helper.make_node("ReduceMax", [contract.INPUT], [contract.CONFIDENCE], axes=[3], keepdims=0))
        outputs.append(contract.CONFIDENCE)
    sides = ["batch", "height", "width"]
    graph = helper.make_graph(
        nodes,
        "brightest_channel",
        [helper.make_tensor_value_info(contract.INPUT, TensorProto.UINT8, [*sides, 3])],
        [helper.make_tensor_value_info(output, TensorProto.UINT8, sides) for output in outputs],
        [
            helper.make_tensor("shift", TensorProto.INT64, [], [shift]),
            helper.make_tensor("sides", TensorProto.INT64, [2], [768, 768]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    promised = Contract(precision=path.stem.rpartition("-")[2], geometry=Geometry(max_upscale=1.0))
    if confidence:
        promised = replace(promised, temperature=1.5, quality=QUALITY)
    helper.set_model_props(model, {contract.KEY: promised.to_json()})
    onnx.save(model, path)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`accurate` in int8 and fp32, the latter's ids one higher, and a broken file."""
    folder = tmp_path_factory.mktemp("models")
    brightest_channel_model(folder / "accurate-int8.onnx")
    brightest_channel_model(folder / "accurate-fp32.onnx", shift=2)
    (folder / "broken-int8.onnx").write_bytes(b"this is no model")
    return folder


@pytest.fixture(scope="session")
def confident_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`accurate-int8` with confidence, and `plain-int8` without."""
    folder = tmp_path_factory.mktemp("confident_models")
    brightest_channel_model(folder / "accurate-int8.onnx", confidence=True)
    brightest_channel_model(folder / "plain-int8.onnx")
    return folder


@pytest.fixture(scope="session")
def slow_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`accurate-int8`, which takes about two seconds for a frame on one thread of this machine, whatever its speed."""
    folder = tmp_path_factory.mktemp("slow_models")
    path = folder / "accurate-int8.onnx"
    few = 20
    brightest_channel_model(path, idle_products=few)
    segmenter = Segmenter.load(path, threads=1)
    seconds = []
    for _ in range(5):
        start = time.monotonic()
        segmenter.segment(np.zeros((32, 32, 3), np.uint8))
        seconds.append(time.monotonic() - start)
    brightest_channel_model(path, idle_products=round(few * 2 / min(seconds)))
    return folder


@dataclass
class Running:
    """A server that runs, and a client of it."""

    url: str
    http: httpx.Client
    app: Starlette
    server: Server

    def wait_until_ready(self) -> None:
        """Until the model is loaded, 20 s at most."""
        give_up = time.monotonic() + 20
        while self.http.get("/v2/health/ready").status_code != 200:
            assert time.monotonic() < give_up, self.app.state.service.failure
            time.sleep(0.01)


@contextmanager
def running(settings: Settings, segmenter: Model | None = None) -> Iterator[Running]:
    """A server on a free port, in a thread."""
    app = create_app(settings, segmenter)
    with listen("127.0.0.1", 0) as listening:
        server = Server(configure(app, settings), app.state.service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=20) as client:
                yield Running(url, client, app, server)
        finally:
            server.should_exit = True
            thread.join(20)
        assert not thread.is_alive()


Start = Callable[..., Running]


@pytest.fixture
def start(model_folder: Path) -> Iterator[Start]:
    """Starts a server with settings of the test's own, and a stand-in for the segmenter if it has one."""
    with ExitStack() as stack:

        def started(segmenter: Model | None = None, wait: bool = True, **settings: Any) -> Running:
            # What waits behind a stand-in's gate is told in advance where there is one inference at a time.
            at_a_time = None if segmenter is None else 1
            told = replace(Settings(models=model_folder, threads=1, inferences=at_a_time), **settings)
            server = stack.enter_context(running(told, segmenter))
            if wait:
                server.wait_until_ready()
            return server

        yield started


@pytest.fixture(scope="session")
def server(model_folder: Path) -> Iterator[Running]:
    """A server shared by the tests that only ask it something."""
    with running(Settings(models=model_folder, threads=1, queue_size=16)) as started:
        started.wait_until_ready()
        yield started


@pytest.fixture(scope="session")
def confident(confident_model_folder: Path) -> Iterator[Running]:
    """A server with confidence, shared likewise."""
    settings = Settings(models=confident_model_folder, threads=1, queue_size=16, confidence=True)
    with running(settings) as started:
        started.wait_until_ready()
        yield started


@pytest.fixture(scope="session")
def frame() -> Callable[..., np.ndarray]:
    """`frame(height, width)`: a frame of noise, uint8 H x W x 3, the same every time."""

    def make(height: int = 48, width: int = 64) -> np.ndarray:
        noise = np.random.default_rng(height * 10_007 + width)
        return noise.integers(0, 256, (height, width, 3), np.uint8)

    return make


@pytest.fixture(scope="session")
def mask_of() -> Callable[[np.ndarray], np.ndarray]:
    """The mask that `accurate-int8` has to give for a frame of less than 1024 x 512 pixels."""
    return lambda pixels: (np.argmax(pixels, axis=2) + 1).astype(np.uint8)


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """`encode(frame or Pillow image, "PNG", ...)`: its bytes in one of Pillow's formats."""

    def make(image: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def assert_problem() -> Callable[..., None]:
    """`assert_problem(answer, status, *words)`: it is problem+json, and its one sentence has these words."""

    def check(answer: httpx.Response, status: int, *words: str) -> None:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"]
        told = answer.json()
        assert set(told) == {"type", "title", "status", "detail"}
        assert (told["type"], told["status"]) == ("about:blank", status)
        assert told["title"]
        assert "\n" not in told["detail"]
        for word in words:
            assert word in told["detail"]

    return check


class Gated:
    """A stand-in for a segmenter whose inference waits until the test opens a gate; every pixel becomes 5."""

    def __init__(self) -> None:
        self.contract = Contract(precision="fp32", geometry=Geometry(max_upscale=1.0))
        self.name = "gated-fp32"
        self.version = "0"
        self.provider = "cpu"
        self.nodes: dict[str, dict[str, int]] = {"cpu": {}}
        self.threads = 1
        self.has_confidence = False
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        """Released once for each inference that has begun."""

    def close_gate(self) -> None:
        """From here on inference waits; what has passed through, the warm-up above all, is forgotten."""
        self.gate.clear()
        while self.entered.acquire(blocking=False):
            pass

    def plan(self, pixels: np.ndarray) -> Any:
        from runtime import frames

        return frames.plan(pixels.shape[0], pixels.shape[1], self.contract.geometry)

    def infer(self, images: np.ndarray) -> np.ndarray:
        self.entered.release()
        assert self.gate.wait(20)
        return np.full(images.shape[:3], 5, np.uint8)


@pytest.fixture
def gated() -> Iterator[Gated]:
    """Opened at the end whatever happened, so that no server waits for it."""
    segmenter = Gated()
    yield segmenter
    segmenter.gate.set()
