from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import contract, cores, frames, providers
from runtime.contract import Contract
from runtime.errors import ModelInvalid, ProviderUnavailable
from runtime.frames import Geometry
from runtime.segmenter import Segmenter
from runtime.sessions import Opened

Toy = Callable[..., Path]


def stored(**changes: Any) -> dict[str, str]:
    return {contract.KEY: json.dumps(json.loads(Contract("fp32").to_json()) | changes)}


@pytest.mark.parametrize(("height", "width"), [(512, 1024), (1024, 2048), (100, 333), (37, 1), (1, 300)])
def test_a_frame_of_any_size_gives_the_mask_of_its_own_size(toy_file: Toy, height: int, width: int) -> None:
    segmenter = Segmenter.load(toy_file())
    frame = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    where = frames.plan(height, width, Geometry())
    expected = frames.restore((frames.fit(frame, where).argmax(2) + 1).astype(np.uint8), where)
    mask = segmenter.segment(frame)
    assert mask.dtype == np.uint8
    assert mask.shape == (height, width)
    assert (mask == expected).all()


def test_threads_may_share_a_segmenter(toy_file: Toy) -> None:
    segmenter = Segmenter.load(toy_file())
    some = [np.random.default_rng(i).integers(0, 256, (90 + i, 160, 3), np.uint8) for i in range(12)]
    alone = [segmenter.segment(frame) for frame in some]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(segmenter.segment, some))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_what_is_no_frame_is_refused(toy_file: Toy, frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 H x W x 3"):
        Segmenter.load(toy_file()).segment(frame)


def test_the_contract_survives_the_file() -> None:
    made = Contract("int8", Geometry(pixel_budget=4096), {"epochs": 3}, ("camvid",), {"camvid": {"mean_iou": 0.5}}, 4.2)
    assert Contract.from_metadata({contract.KEY: made.to_json()}) == made
    fixed = Contract("fp32", Geometry(fixed=(64, 128)))
    assert Contract.from_metadata({contract.KEY: fixed.to_json()}) == fixed
    calibrated = Contract("fp32", temperature=1.25, quality={"luma_low": 30.5})
    assert Contract.from_metadata({contract.KEY: calibrated.to_json()}) == calibrated


def test_a_contract_from_before_there_was_a_confidence_is_read() -> None:
    old = json.loads(Contract("fp32").to_json())
    del old["temperature"], old["quality"]
    assert Contract.from_metadata({contract.KEY: json.dumps(old)}) == Contract("fp32", temperature=None, quality={})


RECOLOURED = [row | {"color": [1, 2, 3]} for row in json.loads(Contract("fp32").to_json())["categories"]]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"stamped": {}}, "carries no contract"),
        ({"stamped": {contract.KEY: "{"}}, "malformed"),
        ({"stamped": stored(version=99)}, "version 99"),
        ({"stamped": stored(precision="int3")}, "precision is 'int3'"),
        ({"stamped": stored(categories=[{"id": 0, "name": "road", "color": [0, 0, 0]}])}, "categories"),
        ({"stamped": stored(geometry={"stride": 0, "pixel_budget": 4096, "max_upscale": 2})}, "stride is 0"),
        ({"stamped": stored(geometry={"stride": 32, "pixel_budget": 10, "max_upscale": 2})}, "pixel budget is 10"),
        ({"stamped": stored(geometry={"stride": 32, "pixel_budget": 4096, "fixed": [50, 64]})}, "no multiple"),
        ({"stamped": stored(geometry={"stride": 32, "pixel_budget": 4096, "fixed": [64, 64]})}, "contract says"),
        ({"stamped": stored(geometry={"strides": 32})}, "malformed"),
        ({"stamped": stored(geometry={"stride": 32, "pixel_budget": 4096, "max_upscale": 0})}, "upscale is 0"),
        ({"stamped": stored(geometry={"stride": 32, "pixel_budget": 4096, "max_upscale": "2"})}, "upscale is '2'"),
        ({"stamped": stored(precision="int8")}, "named fp32, its contract says int8"),
        ({"stamped": stored(categories=RECOLOURED)}, "categories"),
        ({"batch": 4}, r"shape \[4, 'height', 'width', 3\]"),
        ({"channels": 4}, r"shape \['batch', 'height', 'width', 4\]"),
        ({"output": "labels"}, r"outputs are \['labels'\]"),
        ({"stamped": stored(temperature=0)}, "temperature is 0.0, it must be above 0"),
        ({"stamped": stored(temperature=float("nan"))}, "temperature is nan"),
        ({"stamped": stored(temperature="hot")}, "malformed"),
        ({"stamped": stored(quality=[1])}, "malformed"),
        ({"stamped": stored(quality={"luma_low": "dark"})}, "malformed"),
        ({"stamped": stored(quality={"luma_low": float("nan")})}, "malformed"),
        ({"stamped": stored(quality={"luma_low": "nan"})}, "malformed"),
        ({"stamped": stored(quality={"luma_low": 10**400})}, "malformed"),
        ({"stamped": stored(accuracy={"camvid": {"mean_iou": float("inf")}})}, "malformed"),
    ],
)
def test_a_contract_that_is_missing_unknown_or_contradicted_is_refused(
    toy_file: Toy, wrong: dict[str, Any], named: str
) -> None:
    path = toy_file(**wrong)
    with pytest.raises(ModelInvalid, match=named) as caught:
        Segmenter.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_whose_output_is_smaller_than_its_input_is_caught(toy_file: Toy) -> None:
    segmenter = Segmenter.load(toy_file(every=4))
    with pytest.raises(ModelInvalid, match="one id a pixel"):
        segmenter.segment(np.zeros((64, 64, 3), np.uint8))


def test_confidence_is_each_pixel_s_own_at_the_frame_s_size(toy_file: Toy) -> None:
    segmenter = Segmenter.load(toy_file(confidence=True), confidence=True)
    assert segmenter.has_confidence
    frame = np.random.default_rng(0).integers(0, 256, (90, 77, 3), np.uint8)
    where = segmenter.plan(frame)
    mask, confidence = segmenter.segment_with_confidence(frame)
    assert mask.shape == confidence.shape == (90, 77)
    assert (mask == segmenter.segment(frame)).all()
    assert (confidence == frames.restore(frames.fit(frame, where).max(axis=2), where)).all()
    with pytest.raises(ValueError, match="uint8 H x W x 3"):
        segmenter.segment_with_confidence(frame[..., 0])


def test_a_segmenter_loaded_without_confidence_is_that_of_a_file_without_it(toy_file: Toy) -> None:
    plain = Segmenter.load(toy_file("plain-fp32.onnx"))
    segmenter = Segmenter.load(toy_file(confidence=True))
    assert not segmenter.has_confidence
    assert segmenter.nodes == plain.nodes
    assert segmenter.contract.temperature == 1.0
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    assert (segmenter.infer(images) == plain.infer(images)).all()
    with pytest.raises(ModelInvalid, match="loaded without confidence"):
        segmenter.infer_with_confidence(images)


@pytest.mark.parametrize("temperature", [None, 1.0])
def test_confidence_asked_of_a_file_without_it_is_refused(toy_file: Toy, temperature: float | None) -> None:
    path = toy_file(stamped=stored(temperature=temperature))
    with pytest.raises(ModelInvalid, match="has no confidence: make it anew") as caught:
        Segmenter.load(path, confidence=True)
    assert str(path) in str(caught.value)


def test_a_confidence_that_the_contract_does_not_know_is_refused(toy_file: Toy) -> None:
    path = toy_file(confidence=True, stamped=stored())
    with pytest.raises(ModelInvalid, match="no temperature"):
        Segmenter.load(path, confidence=True)
    assert not Segmenter.load(path).has_confidence


def test_a_truncated_or_missing_model_file_is_refused(toy_file: Toy, tmp_path: Path) -> None:
    path = toy_file()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ModelInvalid, match="can't be loaded"):
        Segmenter.load(path)
    with pytest.raises(ModelInvalid, match="no model file"):
        Segmenter.load(tmp_path / "absent-fp32.onnx")


@pytest.mark.parametrize("threads", [0, -1, 10_000])
def test_a_thread_count_that_cannot_be_is_refused(toy_file: Toy, threads: int) -> None:
    with pytest.raises(ProviderUnavailable, match="threads"):
        Segmenter.load(toy_file(), threads=threads)


def test_a_network_that_fails_on_a_frame_is_one_line(toy_file: Toy) -> None:
    segmenter = Segmenter.load(toy_file())
    with pytest.raises(ModelInvalid, match="toy-fp32 can't be run on cpu: Got invalid dimensions") as caught:
        segmenter.infer(np.zeros((1, 64, 64, 4), np.uint8))
    assert "\n" not in str(caught.value)


class Session:
    """Stands in for a session: counts how many inferences run at a time, and waits a little for a second one."""

    def __init__(self) -> None:
        self.most = self._running = 0
        self._change = threading.Condition()

    def run(self, _names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        with self._change:
            self._running += 1
            self.most = max(self.most, self._running)
            self._change.notify_all()
            self._change.wait_for(lambda: self._running > 1, timeout=0.2)
            self._running -= 1
        return [np.ones(feed["image"].shape[:3], np.uint8)]


@pytest.mark.parametrize(("is_exclusive", "most"), [(True, 1), (False, 2)])
def test_inferences_take_turns_only_where_the_provider_needs_it(is_exclusive: bool, most: int) -> None:
    session = Session()
    opened = Opened(session, {"directml": {"Conv": 1}}, 1, {}, is_exclusive)  # type: ignore[arg-type]
    segmenter = Segmenter(opened, Contract("fp32"), "toy-fp32", "0")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(segmenter.infer, [np.zeros((1, 32, 32, 3), np.uint8)] * 2))
    assert session.most == most


def test_a_segmenter_tells_who_runs_what(toy_file: Toy) -> None:
    segmenter = Segmenter.load(toy_file(), providers.parse("cpu"), 1)
    assert segmenter.provider == "cpu"
    assert segmenter.nodes["cpu"]["ArgMax"] == 1
    assert segmenter.threads == 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_cores_follow_the_quota_of_the_cgroup(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    unlimited = cores.available(tmp_path / "absent")
    assert unlimited >= 1
    assert cores.available(tmp_path) == (unlimited if expected is None else expected)
