from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import auto, auto_cache, bench, bench_inputs, contract, plugins
from runtime.bench import Configuration, Row
from runtime.contract import Contract
from runtime.errors import ModelNotFound, ProviderUnavailable

Toy = Callable[..., Path]


def row(
    providers: str,
    precision: str = "int8",
    ms: float | Sequence[float] = 100.0,
    differs: float = 0.0,
    iou: float = 1.0,
    error: str | None = None,
) -> Row:
    """A measured row: a time for each round, or one for all three."""
    times = [ms] * 3 if isinstance(ms, float) else list(ms)
    asked = Configuration(providers, Path(f"toy-{precision}.onnx"), 2)
    if error is not None:
        return Row(asked, error=error)
    return Row(asked, rounds_ms=[[each] for each in times], differs=differs, iou={"flat": iou, "sky": None})


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([row("cuda,cpu", ms=50.0)], "cuda,cpu"),
        ([row("cuda,cpu", ms=94.0)], "cuda,cpu"),
        ([row("cuda,cpu", ms=96.0)], "cpu"),
        ([row("cuda,cpu", ms=100.0)], "cpu"),
        ([row("cuda,cpu", ms=500.0)], "cpu"),
        ([row("cuda,cpu", ms=50.0), row("webgpu,cpu", ms=30.0), row("openvino,cpu", ms=40.0)], "webgpu,cpu"),
        # Fast and wrong.
        ([row("cuda,cpu", ms=10.0, differs=0.03), row("openvino,cpu", ms=60.0)], "openvino,cpu"),
        ([row("cuda,cpu", ms=10.0, iou=0.9)], "cpu"),
        # What quantisation may cost is no excuse for float32.
        ([row("cuda,cpu", "int8", ms=10.0, differs=0.015)], "cuda,cpu"),
        ([row("cuda,cpu", "fp32", ms=10.0, differs=0.015)], "cpu"),
        ([row("cuda,cpu", "fp16", ms=10.0, differs=0.009)], "cuda,cpu"),
        ([row("cuda,cpu", error="it crashed")], "cpu"),
        ([], "cpu"),
    ],
)
def test_the_fastest_that_agrees_is_picked_and_ties_go_to_the_default(others: list[Row], expected: str) -> None:
    picked, reason = auto.pick([row("cpu"), *others])
    assert picked.providers == expected
    assert str(picked) in reason
    assert "\n" not in reason


def test_a_round_that_was_disturbed_decides_nothing() -> None:
    default, other = row("cpu", ms=[100.0, 110.0, 900.0]), row("cuda,cpu", ms=[90.0, 990.0, 810.0])
    assert bench.ratio(other, default) == pytest.approx(0.9)
    assert auto.pick([default, other])[0].providers == "cuda,cpu"


def test_whatever_the_timings_the_choice_is_never_slower_than_the_default() -> None:
    rng = np.random.default_rng(3)
    others_won = 0
    for _ in range(300):
        lists = ["cpu", "cuda,cpu", "tensorrt,cuda,cpu", "openvino,cpu", "webgpu,cpu"]
        made = [row(text, ms=[*rng.uniform(80, 120, 5)], differs=rng.uniform(0, 0.03)) for text in lists]
        picked, _ = auto.pick(made)
        (chosen,) = (each for each in made if each.configuration == picked)
        assert bench.ratio(chosen, made[0]) <= 1.0
        if chosen is not made[0]:
            others_won += 1
            assert auto.agrees(chosen)
            assert bench.ratio(chosen, made[0]) <= 1 - auto.MARGIN
    assert 30 < others_won < 300


def test_a_default_that_failed_leaves_the_fastest_that_agrees_and_says_so() -> None:
    failed = row("cpu", error="no memory")
    picked, reason = auto.pick([failed, row("cuda,cpu", ms=90.0), row("openvino,cpu", ms=70.0)])
    assert picked.providers == "openvino,cpu"
    assert "no memory" in reason
    assert auto.pick([failed, row("cuda,cpu", error="too")])[0].providers == "cpu"


def test_a_default_that_is_further_off_than_it_should_be_is_kept_with_a_warning() -> None:
    picked, reason = auto.pick([row("cpu", differs=0.2), row("cpu", "fp32", ms=180.0)])
    assert picked.precision == "int8"
    assert "further off" in reason


@pytest.fixture
def folder(toy_file: Toy) -> Path:
    """A folder of `toy` in float32 and int8, the same network in both."""
    toy_file("toy-int8.onnx", stamped={contract.KEY: Contract("int8").to_json()})
    return toy_file("toy-fp32.onnx").parent


class Measured:
    """Stands for `bench.measure`: float32 on OpenVINO is the fastest."""

    def __init__(self) -> None:
        self.asked: list[list[Configuration]] = []
        self.reference: Configuration | None = None

    def __call__(
        self,
        asked: Sequence[Configuration],
        shots: object,
        reference: Configuration,
        rounds: int,
        notify: object,
        *,
        hopeless: float,
        check: object,
    ) -> list[Row]:
        self.asked.append(list(asked))
        self.reference = reference
        fast = ("openvino,cpu", "fp32")
        return [
            Row(one, rounds_ms=[[10.0 if (one.providers, one.precision) == fast else 50.0]], differs=0, iou={"flat": 1})
            for one in asked
        ]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    stand_in = Measured()
    monkeypatch.setattr(bench, "measure", stand_in)
    monkeypatch.setattr(bench_inputs, "generated", lambda: [])
    monkeypatch.setattr(bench_inputs, "lists_at_hand", lambda: ["cpu", "openvino,cpu"])
    return stand_in


def test_every_provider_and_precision_is_measured_the_default_first(folder: Path, measured: Measured) -> None:
    choice = auto.choose("toy", folder, 1)
    ((first, *others),) = measured.asked
    assert (first.providers, first.precision, first.threads) == ("cpu", "int8", 1)
    assert {(one.providers, one.precision) for one in others} == {
        ("cpu", "fp32"),
        ("openvino,cpu", "int8"),
        ("openvino,cpu", "fp32"),
    }
    assert measured.reference == Configuration("cpu", folder / "toy-fp32.onnx", 1)
    assert (choice.providers, choice.path) == ("openvino,cpu", folder / "toy-fp32.onnx")


def test_of_a_stem_the_file_stays(folder: Path, measured: Measured) -> None:
    choice = auto.choose("toy-int8", folder)
    assert {one.path.name for one in measured.asked[0]} == {"toy-int8.onnx"}
    assert (choice.providers, choice.path.name) == ("cpu", "toy-int8.onnx")


def test_a_choice_is_remembered(folder: Path, measured: Measured, tmp_path: Path) -> None:
    cache = tmp_path / "not" / "there yet"
    first = auto.choose("toy", folder, cache=cache)
    again = auto.choose("toy", folder, cache=cache)
    assert len(measured.asked) == 1
    assert (again.providers, again.path) == (first.providers, first.path)
    (kept,) = cache.iterdir()
    assert again.reason == f"{first.reason} (remembered in {kept})"


@pytest.mark.parametrize("change", ["file", "threads", "providers", "package", "gpu", "cpu"])
def test_another_file_machine_or_setting_is_measured_anew(
    folder: Path, measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    auto.choose("toy", folder, 1, tmp_path / "cache")
    threads = 1
    if change == "file":
        (folder / "toy-int8.onnx").write_bytes((folder / "toy-fp32.onnx").read_bytes())
    elif change == "threads":
        threads = 2
    elif change == "providers":
        monkeypatch.setattr(bench_inputs, "lists_at_hand", lambda: ["cpu", "cuda,cpu"])
    elif change == "package":
        newer = [replace(one, version="99.0") for one in plugins.installed()]
        monkeypatch.setattr(plugins, "installed", lambda: newer)
    elif change == "gpu":
        monkeypatch.setattr(auto_cache, "accelerators", lambda: ["nvidia0"])
    else:
        monkeypatch.setattr(auto_cache, "cpu_model", lambda: "another one")
    auto.choose("toy", folder, threads, tmp_path / "cache")
    assert len(measured.asked) == 2


def test_accelerators_are_told_from_the_bus_and_the_device_nodes(tmp_path: Path) -> None:
    bus, nodes = tmp_path / "pci", tmp_path / "dev"
    for number, kind in enumerate(("0x030200", "0x120000", "0x020000")):
        folder = bus / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        for name, text in (("class", kind), ("vendor", "0x10de"), ("device", f"0x233{number}")):
            (folder / name).write_text(text + "\n")
    (bus / "broken").mkdir()
    for name in ("nvidia0", "nvidiactl", "dri/renderD128", "dri/card0", "accel/accel0"):
        (nodes / name).parent.mkdir(parents=True, exist_ok=True)
        (nodes / name).write_text("")
    expected = ["0x10de:0x2330", "0x10de:0x2331", "accel/accel0", "dri/renderD128", "nvidia0"]
    assert auto_cache.accelerators(bus, nodes) == expected
    assert auto_cache.accelerators(tmp_path / "absent", tmp_path / "absent") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"providers": "cpu"}',
        json.dumps({"providers": "cuda,cpu", "file": "toy-fp32.onnx", "reason": ""}).encode(),
        json.dumps({"providers": "cpu", "file": "../../elsewhere-fp32.onnx", "reason": ""}).encode(),
    ],
)
def test_a_damaged_file_or_one_that_names_no_candidate_is_measured_anew_and_mended(
    folder: Path, measured: Measured, tmp_path: Path, content: bytes
) -> None:
    first = auto.choose("toy", folder, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(content)
    assert auto.choose("toy", folder, cache=tmp_path / "cache") == first
    assert len(measured.asked) == 2
    auto.choose("toy", folder, cache=tmp_path / "cache")
    assert len(measured.asked) == 2


def test_a_cache_that_cannot_be_written_is_no_failure(folder: Path, measured: Measured, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    choice = auto.choose("toy", folder, cache=tmp_path / "file" / "cache")
    assert choice.providers == "openvino,cpu"
    assert "not remembered" in choice.reason


def test_a_default_that_failed_is_not_remembered(
    folder: Path, measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "measure", lambda asked, *_, **__: [Row(one, error="no memory") for one in asked])
    assert auto.choose("toy", folder, cache=tmp_path / "cache").providers == "cpu"
    assert not (tmp_path / "cache").exists()


def test_where_there_is_nothing_to_choose_nothing_is_measured(
    folder: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_inputs, "lists_at_hand", lambda: ["cpu"])
    choice = auto.choose("toy-fp32", folder)
    assert (choice.providers, choice.path) == ("cpu", folder / "toy-fp32.onnx")
    assert not measured.asked


def test_bad_input_is_told_before_anything_is_measured(folder: Path, measured: Measured) -> None:
    with pytest.raises(ModelNotFound, match="no model 'slow'"):
        auto.choose("slow", folder)
    for threads in (0, 10_000):
        with pytest.raises(ProviderUnavailable, match=f"{threads} threads"):
            auto.choose("toy", folder, threads)
    assert not measured.asked


def test_the_platform_says_where_caches_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert auto_cache.default_cache() == tmp_path / "roadmask"
    # A relative path counts as none, as the XDG specification asks.
    for text in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", text)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert auto_cache.default_cache() == tmp_path / "home" / ".cache" / "roadmask"


def test_a_real_choice_on_this_machine_runs(folder: Path, tmp_path: Path) -> None:
    """One real measurement, from end to end: whatever wins can be loaded and agrees."""
    from runtime import providers, scenes
    from runtime.segmenter import Segmenter

    steps: list[str] = []
    choice = auto.choose("toy", folder, 1, tmp_path / "cache", rounds=2, notify=steps.append)
    assert any("toy-int8 on cpu, 1 thread" in step for step in steps)
    frame = scenes.generate(0, 128, 64).frame
    mask = Segmenter.load(choice.path, providers.parse(choice.providers), 1).segment(frame)
    assert (mask == Segmenter.load(folder / "toy-fp32.onnx").segment(frame)).all()
    told: dict[str, Any] = json.loads(next((tmp_path / "cache").iterdir()).read_text())
    assert told["file"] == choice.path.name
    assert told["measured_for"]["cores"] >= 1
