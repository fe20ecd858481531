"""Lists of providers, and what becomes of them where the hardware is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime import cores, plugins, providers, sessions
from runtime.__main__ import main
from runtime.errors import ModelInvalid, ProviderUnavailable
from runtime.provider_table import TABLE
from runtime.providers import parse, parse_spec

Toy = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("cpu", ("cpu",)),
        (" CUDA , cpu ", ("cuda", "cpu")),
        ("CUDAExecutionProvider,CPUExecutionProvider", ("cuda", "cpu")),
        ("tensorrt-rtx,directml", ("tensorrt-rtx", "directml")),
        ("openvino:device_type=NPU:precision=FP16,cpu", ("openvino:device_type=NPU:precision=FP16", "cpu")),
        (r"openvino:cache_dir=C:\cache:num_streams=2", (r'openvino:cache_dir="C:\cache":num_streams=2',)),
        ('openvino:device_type="HETERO:GPU,CPU",cpu', ('openvino:device_type="HETERO:GPU,CPU"', "cpu")),
        ("cuda:device_id='1',cpu", ("cuda:device_id=1", "cpu")),
    ],
)
def test_a_list_is_read_into_specs(text: str, specs: tuple[str, ...]) -> None:
    assert parse(text) == specs
    assert parse(",".join(specs)) == specs


def test_options_keep_colons_commas_and_quotes() -> None:
    config = '{"CPU": {"NUM_STREAMS": "2"}, "GPU": {}}'
    request = parse_spec(parse(f"openvino:load_config='{config}':cache_dir=/a:b,cpu")[0])
    assert request.options == {"load_config": config, "cache_dir": "/a:b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no provider ''"),
        ("gpu", "no provider 'gpu': known are cpu, cuda"),
        ("cpu,", "no provider ''"),
        ("auto", "auto is no provider: it stands in place of a whole list"),
        ("AUTO,cpu", "auto is no provider"),
        ("cuda;cpu", "no provider 'cuda;cpu'"),
        ("cpu,CPUExecutionProvider", "named twice"),
        ("openvino:", "no provider with options"),
        ("openvino:NPU", "no provider with options"),
        ("cpu:threads=2", "cpu takes no options, 'threads' is one"),
        ("openvino:gpu_mem_limit=1", "no option 'gpu_mem_limit': it knows device_type, precision"),
        ("cuda:device_id=", "'device_id' has no value"),
        ("cuda:device_id=0:device_id=1", "'device_id' twice"),
        ('openvino:cache_dir="a,cpu', "quote is left open"),
        ("openvino:precision=FP16", "precision on CPU is FP32 or ACCURACY, not 'FP16'"),
        ("openvino:device_type=GPU.1:precision=INT8", "precision on GPU is"),
        ("openvino:num_of_threads=0", "whole number from 1"),
        ("openvino:load_config=fast.json", "load_config is a JSON object"),
        ("openvino:load_config=[]", "load_config is a JSON object"),
    ],
)
def test_a_slip_in_a_list_is_one_line_that_names_it(text: str, said: str) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_option_of_the_table_is_taken(row: Any) -> None:
    values = {"num_of_threads": "2", "num_streams": "2", "intra_op_num_threads": "2", "precision": "FP32"}
    given = {key: values.get(key, "{}" if key == "load_config" else "1") for key in row.options.split()}
    text = ":".join([row.name, *(f"{key}={value}" for key, value in given.items())])
    assert parse_spec(parse(text)[0]).options == given


def missing() -> list[Any]:
    names = {row.name for row in plugins.installed()}
    return [row for row in TABLE if row.name not in names]


def test_one_that_is_not_installed_is_an_error_that_says_what_to_install(toy_file: Toy) -> None:
    assert len(missing()) >= len(TABLE) - 5
    for row in missing():
        with pytest.raises(ProviderUnavailable) as caught:
            sessions.open_session(toy_file(), (row.name, "cpu"))
        assert str(caught.value) == f"{row.name} is not installed (there: {', '.join(plugins.at_hand())}): {row.get}"


def test_a_later_one_that_is_not_installed_is_an_error_too(toy_file: Toy) -> None:
    with pytest.raises(ProviderUnavailable, match=f"{missing()[0].name} is not installed"):
        sessions.open_session(toy_file(), ("cpu", missing()[0].name))


def test_a_session_tells_nodes_threads_and_options(toy_file: Toy) -> None:
    opened = sessions.open_session(toy_file(), ("cpu",), 1)
    assert opened.nodes == {"cpu": {"Cast": 2, "ArgMax": 1, "Add": 1, "Slice": 1}}
    assert opened.threads == 1
    assert opened.options["cpu"] == {}
    assert opened.options["session"]["session.intra_op.allow_spinning"] == "0"
    assert not opened.is_exclusive
    assert sessions.open_session(toy_file(), ("cpu",)).threads == cores.available()


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """`stranger(module, code)`: a package of that name can be imported."""

    def install(module: str, code: str) -> None:
        (tmp_path / "site" / module).mkdir(parents=True)
        (tmp_path / "site" / module / "__init__.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        plugins.found.cache_clear()

    yield install
    plugins.found.cache_clear()
    for name in [name for name in sys.modules if name.startswith("onnxruntime_ep_test")]:
        del sys.modules[name]


def test_a_plugin_that_is_installed_is_found_by_itself(stranger: Callable[[str, str], None], toy_file: Toy) -> None:
    stranger(
        "onnxruntime_ep_test_library",
        "def get_ep_name(): return 'MIGraphXExecutionProvider'\ndef get_library_path(): return __file__\n",
    )
    with pytest.raises(ProviderUnavailable, match=r"migraphx is installed \(onnxruntime_ep_test_lib.*can't be"):
        sessions.open_session(toy_file(), ("migraphx", "cpu"))
    (row,) = [row for row in plugins.installed() if row.name == "migraphx"]
    assert (row.kind, row.devices) == ("plugin", ())
    assert "can't be loaded" in row.problem
    assert "migraphx" not in plugins.at_hand()


@pytest.mark.parametrize("code", ["", "raise OSError('broken')", "def get_ep_name(): return 'StrangeProvider'"])
def test_a_package_that_only_looks_like_a_plugin_is_passed_over(
    stranger: Callable[[str, str], None], code: str, toy_file: Toy
) -> None:
    stranger("onnxruntime_ep_test_nothing", code)
    assert "onnxruntime_ep_test_nothing" not in {plugin.module for plugin in plugins.found()}
    assert sessions.open_session(toy_file(), ("cpu",)).nodes["cpu"]


def test_a_truncated_file_is_told_from_a_provider_that_fails(toy_file: Toy) -> None:
    path = toy_file()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ModelInvalid, match="can't be loaded") as caught:
        sessions.open_session(path, ("cpu",))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "from runtime import providers; providers.import_onnxruntime()",
        "import convert.quantize",
        "from runtime.__main__ import main; main(['providers', '--json'])",
    ],
)
def test_telemetry_is_off_before_onnxruntime_is_imported(code: str) -> None:
    watch = (
        "import builtins, os, sys\n"
        "real = builtins.__import__\n"
        "def watched(name, *more, **named):\n"
        "    if name.partition('.')[0] == 'onnxruntime' and 'onnxruntime' not in sys.modules:\n"
        "        print('telemetry', os.environ.get('ORT_DISABLE_TELEMETRY'), file=sys.stderr)\n"
        "    return real(name, *more, **named)\n"
        "builtins.__import__ = watched\n"
    )
    bare = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", watch + code], capture_output=True, text=True, timeout=120, env=bare, check=True
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("telemetry")]
    assert told[:1] == ["telemetry 1"]


def test_the_command_tells_what_runs_a_model(toy_file: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    path = toy_file()
    assert main(["providers", str(path), "--threads", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "model": "toy-fp32",
        "asked": "cpu",
        "provider": "cpu",
        "nodes": {"cpu": {"Cast": 2, "ArgMax": 1, "Add": 1, "Slice": 1}},
        "threads": 1,
        "options": sessions.open_session(path, ("cpu",), 1).options,
    }
    assert main(["providers", str(path), "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    assert "2 Cast" in shown
    assert "intra_op_num_threads=1" in shown


def test_the_command_lists_what_is_installed_and_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["providers", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    there = {row["name"]: row for row in told["installed"]}
    assert there["cpu"]["kind"] == "built-in"
    assert there["cpu"]["package"].startswith("onnxruntime")
    assert there["cpu"]["version"].startswith(providers.import_onnxruntime().__version__)
    assert set(there) | set(told["not_installed"]) == {row.name for row in TABLE}
    assert main(["providers"]) == 0
    assert "to get it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--threads", "0"], "0 threads can't be: give 1 to 1024"),
        (["--threads", "10000"], "10000 threads can't be"),
        (["--providers", "gpu"], "no provider 'gpu'"),
        (["--providers", "cpu:fast=1"], "cpu takes no options"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    toy_file: Toy, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(["providers", str(toy_file()), *more]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert not told.out


def test_the_names_are_onnxruntimes() -> None:
    known = set(providers.import_onnxruntime().get_all_providers())
    plugins_only = {"NvTensorRTRTXExecutionProvider"}
    assert set(providers.NAMES.values()) - plugins_only <= known
