from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime import bench, bench_inputs, categories, contract, model_files, providers
from runtime.bench import Configuration, Row
from runtime.bench_processes import Worker
from runtime.contract import Contract
from runtime.errors import DataInvalid, ModelInvalid, ProviderUnavailable

Toy = Callable[..., Path]

TIMES = {"load_ms", "first_ms", "median_ms", "p90_ms", "p99_ms", "frames_per_s"}
KEYS = {"providers", "precision", "threads", "rss_mb", "nodes", "differs", "error"} | TIMES


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime", "bench", *map(str, arguments)], capture_output=True, text=True, timeout=180
    )


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A folder of two small frames of different sizes, and a file that is no image."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for seed, size in enumerate(((64, 128, 3), (96, 64, 3))):
        frame = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
        Image.fromarray(frame).save(folder / f"{seed}.png")
    (folder / "notes.txt").write_text("not a frame")
    return folder


def last_of_equals(path: Path) -> Path:
    """Makes a toy model take the last of equal channels instead of the first: other masks where they are equal."""
    import onnx

    model = onnx.load(path)
    (node,) = (node for node in model.graph.node if node.op_type == "ArgMax")
    node.attribute.append(onnx.helper.make_attribute("select_last_index", 1))
    onnx.save(model, path)
    return path


def test_every_precision_of_a_name_is_a_row_and_a_missing_provider_is_that_row_s_error(shots: Path) -> None:
    few = ("--threads", 1, "--rounds", 2, "--frames", shots)
    done = run("accurate", "--providers", "cpu", "coreml,cpu", *few, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["model"] == "accurate"
    assert told["frames"] == 2
    assert set(told["inputs"]) == {"256x128", "128x192"}
    files = len(bench_inputs.files("accurate", model_files.SHIPPED))
    assert files >= 2
    assert [row["providers"] for row in told["rows"]] == ["cpu"] * files + ["coreml,cpu"] * files
    for row in told["rows"]:
        assert row.keys() >= KEYS
        assert row["threads"] == 1
        if row["providers"] == "cpu":
            assert row["error"] is None
            assert 0 < row["median_ms"] <= row["p90_ms"] <= row["p99_ms"]
            assert 1000 / row["p99_ms"] <= row["frames_per_s"]
            assert row["load_ms"] > 0
            assert row["rss_mb"] > 20
            assert row["nodes"]["cpu"] > 10
        else:
            assert "coreml is not installed" in row["error"]
            assert "\n" not in row["error"]
            assert all(row[key] is None for key in KEYS - {"providers", "precision", "threads", "error"})
    (floating,) = (row for row in told["rows"] if row["precision"] == "fp32" and not row["error"])
    (int8,) = (row for row in told["rows"] if row["precision"] == "int8" and not row["error"])
    assert floating["differs"] == 0
    assert set(floating["iou"].values()) <= {1.0, None}
    assert 0 < int8["differs"] < 0.5


def test_people_get_a_table_with_errors_in_lines_of_their_own(toy_file: Toy, shots: Path) -> None:
    done = run(toy_file(), "--providers", "cpu", "coreml", "--threads", 1, 2, "--rounds", 1, "--frames", shots)
    assert done.returncode == 0, done.stderr
    assert "median ms" in done.stdout
    assert all(categories.NAMES[i] in done.stdout for i in categories.SCORED)
    assert "256 x 128" in done.stdout
    assert "toy-fp32 on coreml, 1 thread: coreml is not installed" in done.stdout
    assert "toy-fp32 on coreml, 2 threads: coreml is not installed" in done.stdout


def test_a_run_of_errors_alone_is_no_success_but_still_tells_them(toy_file: Toy, shots: Path) -> None:
    done = run(toy_file(), "--providers", "coreml", "--threads", 1, "--frames", shots, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["rows"][0]["error"]
    assert len(done.stderr.strip().splitlines()) == 1


def test_bad_input_is_one_line_and_status_2(toy_file: Toy, tmp_path: Path) -> None:
    model = toy_file()
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken-fp32.onnx"
    broken.write_bytes(model.read_bytes()[:60])
    for arguments, named in (
        (("nosuch",), "no model 'nosuch'"),
        ((model, "--threads", 0), "0 threads"),
        ((model, "--threads", 1, 10_000), "10000 threads"),
        ((model, "--rounds", 0), "--rounds"),
        ((model, "--frames", tmp_path / "absent"), "no folder"),
        ((model, "--frames", tmp_path / "empty"), "no image"),
        ((model, "--providers", "abacus"), "abacus"),
        ((broken, "--providers", "cpu", "--threads", 1), "broken-fp32.onnx"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, (arguments, done)
        assert named in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not done.stdout


def test_masks_are_held_against_the_reference_pixel_by_pixel(toy_file: Toy, tmp_path: Path) -> None:
    stamped = {contract.KEY: Contract("int8").to_json()}
    path, other = toy_file(), last_of_equals(toy_file("toy-int8.onnx", stamped=stamped))
    # A quarter of the frame is grey: there the first and the last channel are both the brightest.
    frame = np.zeros((512, 1024, 3), np.uint8)  # the network's own size: nothing is blended
    frame[..., 0], frame[:256, :512] = 255, 90
    asked = [Configuration("cpu", file, 1) for file in (path, other)]
    same, differing = bench.measure(asked, [frame], Configuration("cpu", bench_inputs.reference_of(other), 2), rounds=3)
    assert (same.differs, same.error) == (0, None)
    assert differing.differs == 0.25
    assert differing.iou is not None
    assert differing.iou["flat"] == 0.75  # id 1, of which a quarter became id 3
    assert differing.iou["object"] == 0
    assert differing.iou["construction"] is None
    assert [len(times) for times in differing.rounds_ms] == [1, 1, 1]
    assert differing.as_dict()["precision"] == "int8"


class Fragile(Worker):
    """A process that is killed when it is to be timed for the second time."""

    def __init__(self, log: Path, **more: Any) -> None:
        super().__init__(log, **more)
        self._timed = self._threads = 0

    def ask(self, job: str, **arguments: Any) -> dict[str, Any]:
        self._threads = arguments.get("threads", self._threads)
        self._timed += job == "time"
        if self._timed == 2 and self._threads == 2:
            os.kill(self._popen.pid, signal.SIGKILL)
        return super().ask(job, **arguments)


def test_a_configuration_that_crashes_ends_no_other(toy_file: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "Worker", Fragile)
    path = toy_file()
    asked = [Configuration("cpu", path, threads) for threads in (1, 2, 3)]
    done: list[str] = []
    rows = bench.measure(asked, [np.zeros((64, 64, 3), np.uint8)], asked[0], 4, done.append)
    assert len(done) == bench.steps(3, 4)
    assert [row.error is None for row in rows] == [True, False, True]
    assert "SIGKILL" in str(rows[1].error)
    assert [len(row.rounds_ms) for row in rows] == [4, 1, 4]
    assert rows[2].rss_mb is not None


class Slow(Worker):
    """Tells times of its own: on one thread 1 ms, on two 100 ms, on three 100 ms in the first round and then 2 ms."""

    def __init__(self, log: Path, **more: Any) -> None:
        super().__init__(log, **more)
        self._timed = self._threads = 0

    def ask(self, job: str, **arguments: Any) -> dict[str, Any]:
        told = super().ask(job, **arguments)
        self._threads = arguments.get("threads", self._threads)
        self._timed += job == "time"
        if job == "time":
            told["ms"] = [{1: 1.0, 2: 100.0, 3: 100.0 if self._timed == 1 else 2.0}[self._threads]] * len(told["ms"])
        return told


def test_what_is_hopelessly_slow_in_two_rounds_is_timed_no_more(toy_file: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "Worker", Slow)
    asked = [Configuration("cpu", toy_file(), threads) for threads in (1, 2, 3)]
    shots = [np.zeros((64, 64, 3), np.uint8)]
    rows = bench.measure(asked, shots, asked[0], 5, hopeless=3.0)
    assert [len(row.rounds_ms) for row in rows] == [5, 2, 5]
    assert bench.ratio(rows[1], rows[0]) == 100
    assert all(row.error is None for row in rows)


def test_a_measurement_that_nobody_waits_for_ends_with_its_processes(
    toy_file: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Worker] = []

    class Noted(Worker):
        def __enter__(self) -> Worker:
            started.append(self)
            return self

    def check() -> None:
        if any("loaded" in step for step in steps):
            raise InterruptedError("nobody waits")

    monkeypatch.setattr(bench, "Worker", Noted)
    steps: list[str] = []
    asked = [Configuration("cpu", toy_file(), threads) for threads in (1, 2)]
    with pytest.raises(InterruptedError, match="nobody waits"):
        bench.measure(asked, [np.zeros((64, 64, 3), np.uint8)], asked[0], 10_000, steps.append, check=check)
    assert len(started) == 3
    assert all(worker._popen.returncode is not None for worker in started)


def test_the_reference_is_the_float32_file_of_the_name_else_the_file_itself(toy_file: Toy) -> None:
    int8 = toy_file("fast-int8.onnx")
    assert bench_inputs.reference_of(int8) == int8
    floating = toy_file("fast-fp32.onnx")
    assert bench_inputs.reference_of(int8) == floating
    assert bench_inputs.reference_of(floating) == floating
    plain = toy_file("plain.onnx")
    assert bench_inputs.reference_of(plain) == plain


def test_a_reference_that_cannot_be_run_is_an_error_of_the_whole_run(toy_file: Toy) -> None:
    path = toy_file(stamped={})
    with pytest.raises(ModelInvalid, match="carries no contract"):
        bench.measure([], [np.zeros((64, 64, 3), np.uint8)], Configuration("cpu", path, 1), 1)


def test_a_name_is_every_precision_and_a_stem_or_file_just_that(toy_file: Toy) -> None:
    floating, int8 = toy_file("fast-fp32.onnx"), toy_file("fast-int8.onnx")
    assert bench_inputs.files("fast", floating.parent) == [floating, int8]
    assert bench_inputs.files("fast-int8", floating.parent) == [int8]
    assert bench_inputs.files(str(int8), floating.parent / "elsewhere") == [int8]


def test_configurations_are_every_combination_once_and_checked_before_anything_starts(tmp_path: Path) -> None:
    paths = [tmp_path / "a-fp32.onnx", tmp_path / "a-int8.onnx"]
    made = bench_inputs.configurations(paths, ["cpu", "cuda,cpu", "cpu"], [1, 2, 1])
    assert len(made) == len(set(made)) == 8
    for lists, threads in ((["cpu"], [0]), (["cpu"], [providers.MAX_THREADS + 1]), (["abacus"], [1])):
        with pytest.raises(ProviderUnavailable):
            bench_inputs.configurations(paths, lists, threads)


def test_unasked_the_cpu_comes_first_and_other_providers_may_leave_nodes_to_it() -> None:
    lists = bench_inputs.lists_at_hand()
    assert lists[0] == "cpu"
    assert all(text.endswith(",cpu") for text in lists[1:])
    for text in lists:
        assert providers.parse(text)


def test_a_large_folder_is_sampled_evenly(tmp_path: Path) -> None:
    for number in range(40):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / f"{number:02}.png")
    values = [int(frame[0, 0, 0]) for frame in bench_inputs.folder_frames(tmp_path)]
    assert len(values) == bench_inputs.MOST_FRAMES
    assert (values[0], values[-1]) == (0, 39)
    assert values == sorted(set(values))
    with pytest.raises(DataInvalid, match="no folder"):
        bench_inputs.folder_frames(tmp_path / "00.png")


def test_a_precision_that_the_name_does_not_tell_is_the_contract_s(toy_file: Toy) -> None:
    path = toy_file("plain.onnx", stamped={contract.KEY: Contract("int8").to_json()})
    asked = [Configuration("cpu", path, 1), Configuration("coreml", path, 1)]
    loaded, failed = bench.measure(asked, [np.zeros((64, 64, 3), np.uint8)], asked[0], 1)
    assert loaded.as_dict()["precision"] == "int8"
    assert failed.as_dict()["precision"] is None


def test_help_has_an_example() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "python -m runtime bench" in done.stdout.partition("example")[2]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 25, 99, 100, 101, 700])
def test_percentiles_are_numpy_s_nearest_rank(count: int) -> None:
    values = np.random.default_rng(count).exponential(10, count)
    for percent in (1, 50, 90, 99, 99.9, 100):
        expected = np.percentile(values, percent, method="inverted_cdf")
        assert bench.percentile(values.tolist(), percent) == expected


def test_percentiles_are_values_that_occurred() -> None:
    assert bench.percentile([3.0, 1.0, 2.0, 4.0], 50) == 2.0
    assert bench.percentile(list(map(float, range(1, 101))), 99) == 99.0
    assert bench.percentile([7.0], 90) == 7.0
    for values, percent in (([], 50.0), ([1.0], 0.0), ([1.0], 101.0)):
        with pytest.raises(ValueError, match="can't be told"):
            bench.percentile(values, percent)


def test_a_row_s_figures_are_those_of_all_rounds() -> None:
    row = Row(Configuration("cpu", Path("a-fp32.onnx"), 1), rounds_ms=[[1.0, 3.0], [2.0, 10.0]])
    told = row.as_dict()
    assert (told["median_ms"], told["p90_ms"], told["p99_ms"]) == (2.5, 10.0, 10.0)
    assert told["frames_per_s"] == 250.0


def test_openvino_runs_every_node_and_agrees_with_the_reference(openvino: Callable[..., Any], shots: Path) -> None:
    few = ("--threads", 1, "--rounds", 1, "--frames", shots)
    done = openvino("bench", "accurate-fp32", "--providers", "cpu", "openvino", *few, "--json")
    assert done.returncode == 0, done.stderr
    cpu, other = json.loads(done.stdout)["rows"]
    assert other["error"] is None
    assert set(other["nodes"]) == {"openvino"}
    assert sum(other["nodes"].values()) == sum(cpu["nodes"].values())
    assert other["differs"] <= 0.005
