"""Model files by name: `<name>-<fp32|fp16|int8>.onnx` in one folder."""

from __future__ import annotations

import functools
from pathlib import Path

from runtime.contract import PRECISIONS
from runtime.errors import ModelNotFound
from runtime.providers import Request, parse_spec

SHIPPED = Path(__file__).parent / "models"
"""The models that come with the package."""

DEFAULT = "accurate"

_CPU_INFO = Path("/proc/cpuinfo")
_VNNI = ("avx512_vnni", "avx_vnni")
"""Flags of x86 CPUs that add products of bytes without saturating on the way."""


def names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The models of a folder, without their precisions."""
    found = {stem.rpartition("-")[0] for stem in stems(folder)}
    return tuple(sorted(found))


def stems(folder: Path = SHIPPED) -> tuple[str, ...]:
    """The model files of a folder, without `.onnx`."""
    found = (path.stem for path in folder.glob("*.onnx"))
    return tuple(sorted(stem for stem in found if stem.rpartition("-")[2] in PRECISIONS and "-" in stem))


def preference(spec: str) -> tuple[str, ...]:
    """Precisions in the order in which they suit a provider.

    float16 on GPUs, int8 elsewhere: on a CPU and on an NPU it is the fastest. But an x86 CPU without VNNI adds up bytes
    in 16 bits, which saturate (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html), and a
    mask that is fast and wrong is of no use: it gets float32.

    Args:
        spec: one provider, as `runtime.providers.parse` gives it.
    """
    request = parse_spec(spec)
    if request.provider.is_gpu or request.options.get("device_type", "").startswith("GPU"):
        return ("fp16", "fp32", "int8")
    if _runs_on_cpu(request) and not adds_bytes_exactly():
        return ("fp32", "int8", "fp16")
    return ("int8", "fp32", "fp16")


def _runs_on_cpu(request: Request) -> bool:
    is_openvino_cpu = request.provider.name == "openvino" and request.options.get("device_type", "CPU") == "CPU"
    return request.provider.name == "cpu" or is_openvino_cpu


@functools.cache
def adds_bytes_exactly(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether the CPU's int8 is exact: VNNI, or no x86; taken for granted where it can't be told."""
    try:
        flags = [line for line in cpu_info.read_text().splitlines() if line.startswith("flags")]
    except OSError:
        return True
    return not flags or any(flag in flags[0].split() for flag in _VNNI)


def find(model: str, folder: Path = SHIPPED, spec: str = "cpu") -> Path:
    """The file of a path, of a stem (`accurate-fp32`) or of a name (`accurate`).

    Args:
        model: which one.
        folder: of the model files.
        spec: the provider that is to run it, as `runtime.providers.parse` gives it: of a name, the precision that suits
            it (`preference`) is taken, or the next best that is there.

    Raises:
        ModelNotFound: there is none; the message names what is there.
    """
    if model.endswith(".onnx"):
        path = Path(model)
        if path.is_file():
            return path
        raise ModelNotFound(f"there is no file {model}")
    there = stems(folder)
    for stem in (model, *(f"{model}-{precision}" for precision in preference(spec))):
        if stem in there:
            return folder / f"{stem}.onnx"
    raise ModelNotFound(f"there is no model '{model}' in {folder} (there: {', '.join(there) or 'none'})")
