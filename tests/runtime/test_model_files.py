"""Which file a name means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime import model_files
from runtime.errors import ModelNotFound


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """`folder("a-int8", ...)`: a folder of such files, which nobody opens."""

    def make(*stems: str) -> Path:
        for stem in stems:
            (tmp_path / f"{stem}.onnx").touch()
        return tmp_path

    return make


def test_models_are_found_by_name_stem_and_path(folder: Callable[..., Path]) -> None:
    there = folder("accurate-fp32", "accurate-int8", "notes")
    assert model_files.names(there) == ("accurate",)
    assert model_files.find("accurate-fp32", there) == there / "accurate-fp32.onnx"
    assert model_files.find(str(there / "notes.onnx")) == there / "notes.onnx"
    with pytest.raises(ModelNotFound, match="there: accurate-fp32, accurate-int8"):
        model_files.find("fast", there)
    with pytest.raises(ModelNotFound, match="no file"):
        model_files.find("elsewhere/fast-int8.onnx")


@pytest.mark.parametrize(
    ("spec", "precision"),
    [
        ("cpu", "int8"),
        ("openvino", "int8"),
        ("openvino:device_type=NPU", "int8"),
        ("openvino:device_type=GPU.1", "fp16"),
        ("qnn:backend_type=htp", "int8"),
        *((name, "fp16") for name in ("cuda", "tensorrt", "tensorrt-rtx", "directml", "coreml", "migraphx", "webgpu")),
    ],
)
def test_of_a_name_the_precision_that_suits_the_provider_is_taken(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, spec: str, precision: str
) -> None:
    monkeypatch.setattr(model_files, "adds_bytes_exactly", lambda: True)
    there = folder("a-fp16", "a-fp32", "a-int8")
    assert model_files.find("a", there, spec).stem == f"a-{precision}"


def test_where_the_best_precision_is_missing_the_next_one_is_taken(folder: Callable[..., Path]) -> None:
    there = folder("a-fp32", "a-int8", "b-fp16")
    assert model_files.find("a", there, "cuda").stem == "a-fp32"
    assert model_files.find("b", there, "cpu").stem == "b-fp16"


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", "int8"),
        ("flags\t\t: fpu avx2 avx_vnni", "int8"),
        ("flags\t\t: fpu avx2 avx512f", "fp32"),
        ("Features\t: fp asimd asimddp", "int8"),
    ],
)
def test_an_x86_cpu_without_vnni_gets_float32(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, precision: str
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\n{flags}\n")
    assert model_files.adds_bytes_exactly(tmp_path / "absent")
    exact = model_files.adds_bytes_exactly(told)
    monkeypatch.setattr(model_files, "adds_bytes_exactly", lambda: exact)
    there = folder("a-fp32", "a-int8")
    assert model_files.find("a", there, "cpu").stem == f"a-{precision}"
    assert model_files.find("a", there, "openvino").stem == f"a-{precision}"
    assert model_files.find("a", there, "qnn").stem == "a-int8"
