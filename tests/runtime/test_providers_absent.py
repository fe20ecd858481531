"""Providers whose hardware is not at hand, up to the point where onnxruntime would open a session on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime import assignment, plugins, sessions
from runtime.errors import ProviderUnavailable
from runtime.providers import parse

Toy = Callable[..., Path]


def device(name: str, kind: str, **metadata: str) -> Any:
    hardware = SimpleNamespace(type=kind, vendor="Maker", metadata={})
    return SimpleNamespace(ep_name=name, ep_metadata=metadata, device=hardware)


class Options:
    """Stands in for onnxruntime's SessionOptions."""

    def __init__(self) -> None:
        self.intra_op_num_threads = 0
        self.enable_mem_pattern = True
        self.entries: dict[str, str] = {}
        self.added: list[tuple[Any, dict[str, str]]] = []

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_provider_for_devices(self, devices: list[Any], given: dict[str, str]) -> None:
        assert len(devices) == 1
        self.added.append((devices[0], given))


class Runtime:
    """Stands in for an onnxruntime whose providers' hardware is not at hand."""

    __version__ = "1.31.0"
    ExecutionMode = SimpleNamespace(ORT_SEQUENTIAL=0)
    SessionOptions = Options

    def __init__(self, built_in: list[str], devices: list[Any] | None = None, starts: bool = True) -> None:
        self.built_in, self.devices, self.starts = built_in, devices or [], starts
        self.options = Options()

    def get_available_providers(self) -> list[str]:
        return [*self.built_in, "CPUExecutionProvider"]

    def get_ep_devices(self) -> list[Any]:
        return [*self.devices, device("CPUExecutionProvider", "CPU")]

    def InferenceSession(self, _path: str, options: Options, providers: Any, enable_fallback: int) -> Any:
        assert enable_fallback == 0
        self.options = options
        names = [name for name, _ in providers or []] or [one.ep_name for one, _ in options.added]
        part = SimpleNamespace(ep_name=names[0], get_nodes=lambda: [SimpleNamespace(name="", op_type="Conv")] * 3)
        return SimpleNamespace(
            get_providers=lambda: names if self.starts else ["CPUExecutionProvider"],
            get_provider_graph_assignment_info=lambda: [part],
            get_session_options=lambda: options,
        )


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Runtime]]:
    """`instead(...)`: that Runtime is what is installed."""

    def install(*arguments: Any, **named: Any) -> Runtime:
        runtime = Runtime(*arguments, **named)
        for module in (assignment, plugins, sessions):
            monkeypatch.setattr(module, "import_onnxruntime", lambda: runtime)
        plugins.built_in.cache_clear()
        return runtime

    yield install
    monkeypatch.undo()
    plugins.built_in.cache_clear()


def test_one_whose_hardware_is_missing_does_not_start(instead: Callable[..., Runtime], toy_file: Toy) -> None:
    instead(["CUDAExecutionProvider"], starts=False)
    with pytest.raises(ProviderUnavailable, match=r"cuda:device_id=3 is installed but did not start.*NVIDIA GPUs"):
        sessions.open_session(toy_file(), parse("cuda:device_id=3,cpu"))


def test_directml_gets_no_memory_pattern_and_one_inference_at_a_time(
    instead: Callable[..., Runtime], toy_file: Toy
) -> None:
    runtime = instead(["DmlExecutionProvider"])
    opened = sessions.open_session(toy_file(), parse("directml"))
    assert opened.nodes == {"directml": {"Conv": 3}}
    assert opened.is_exclusive
    assert runtime.options.enable_mem_pattern is False
    assert runtime.options.entries["session.disable_cpu_ep_fallback"] == "1"


OPENVINO = [
    device("OpenVINOExecutionProvider", kind, ov_device=name)
    for kind, name in (("NPU", "NPU"), ("GPU", "GPU.0"), ("CPU", "CPU"))
]


@pytest.mark.parametrize(
    ("text", "kind", "config"),
    [
        ("openvino", "CPU", {"CPU": {"INFERENCE_NUM_THREADS": "3"}}),
        ("openvino:num_of_threads=1", "CPU", {"CPU": {"INFERENCE_NUM_THREADS": "1"}}),
        (
            "openvino:precision=FP32:cache_dir=/c",
            "CPU",
            {"CPU": {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "3", "CACHE_DIR": "/c"}},
        ),
        ("openvino:device_type=GPU.0:precision=FP16", "GPU.0", {"GPU": {"INFERENCE_PRECISION_HINT": "f16"}}),
        ("openvino:device_type=NPU:precision=ACCURACY", "NPU", {"NPU": {"EXECUTION_MODE_HINT": "ACCURACY"}}),
        ("openvino:device_type=NPU", "NPU", None),
        ("""openvino:load_config='{"CPU": {"A": "b"}}'""", "CPU", {"CPU": {"A": "b"}}),
    ],
)
def test_the_openvino_plugin_gets_its_device_and_options_as_properties(
    instead: Callable[..., Runtime], toy_file: Toy, text: str, kind: str, config: dict[str, Any] | None
) -> None:
    runtime = instead([], OPENVINO)
    sessions.open_session(toy_file(), parse(text), 3)
    ((chosen, given),) = runtime.options.added
    assert chosen.ep_metadata["ov_device"] == kind
    assert ("load_config" in given) == (config is not None)
    assert config is None or json.loads(given.pop("load_config")) == config
    assert not set(given) & {"device_type", "precision", "num_of_threads", "cache_dir"}


def test_a_device_that_is_not_there_is_named_with_those_that_are(
    instead: Callable[..., Runtime], toy_file: Toy
) -> None:
    instead([], OPENVINO)
    with pytest.raises(ProviderUnavailable, match=r"no device 'GPU.1' here \(there: CPU, GPU.0, NPU\)"):
        sessions.open_session(toy_file(), parse("openvino:device_type=GPU.1"))
