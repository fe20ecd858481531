"""Execution providers by short name, and sessions that run on just those that were asked for.

onnxruntime falls back to the CPU with no more than a warning; here a provider that is not there is an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime import cores
from runtime.errors import ModelInvalid, ProviderUnavailable

if TYPE_CHECKING:
    import onnxruntime

NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Short name to onnxruntime's."""

PACKAGES = {"cpu": "onnxruntime", "cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu"}
"""Short name to the package that brings it."""

MAX_THREADS = 1024
"""More is a slip of the finger: no machine of ours has as many cores."""


def import_onnxruntime() -> Any:
    """The module, with its telemetry off (it reads the variable while it is imported).

    Raises:
        ProviderUnavailable: it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime as module  # noqa: PLC0415  heavy, and an extra
    except ImportError as error:
        raise ProviderUnavailable("onnxruntime is not installed: pip install 'roadmask[cpu]'") from error
    return module


def parse(text: str) -> tuple[str, ...]:
    """Short names of a list like `cuda,cpu`, in order of preference.

    Raises:
        ProviderUnavailable: an unknown, doubled or empty name.
    """
    names = tuple(name.strip().lower() for name in text.split(","))
    for name in names:
        if name not in NAMES:
            raise ProviderUnavailable(f"there is no provider '{name}': known are {', '.join(NAMES)}")
    if len(set(names)) != len(names):
        raise ProviderUnavailable(f"a provider is named twice in '{text}'")
    return names


def open_session(path: Path, names: tuple[str, ...], threads: int | None = None) -> onnxruntime.InferenceSession:
    """A session of a model file on the providers that were asked for, and no other.

    Args:
        path: the `.onnx` file.
        names: short names, in order of preference.
        threads: for operators on the CPU; None takes the cores that this process may use.

    Raises:
        ProviderUnavailable: one is not installed or could not start, or threads is out of range.
        ModelInvalid: the file is missing or no model.
    """
    ort = import_onnxruntime()
    there = ort.get_available_providers()
    for name in names:
        if NAMES[name] not in there:
            known = ", ".join(short for short, full in NAMES.items() if full in there)
            raise ProviderUnavailable(f"{name} is not installed (there: {known}): pip install {PACKAGES[name]}")
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise ProviderUnavailable(f"{threads} threads can't be: give 1 to {MAX_THREADS}")
    if not path.is_file():
        raise ModelInvalid(f"there is no model file {path}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or cores.available()
    options.log_severity_level = 3
    # Idle threads that spin take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A pattern is memory that is kept for each size of frame that ever came; without, one run's serves the next.
    options.enable_mem_pattern = False
    if "cpu" not in names:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(str(path), options, providers=[NAMES[name] for name in names])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        reason = str(error).strip().splitlines()[0]
        raise ModelInvalid(f"{path} can't be loaded on {','.join(names)}: {reason}") from error
    if session.get_providers()[0] != NAMES[names[0]]:
        raise ProviderUnavailable(f"{names[0]} is installed but did not start; {session.get_providers()[0]} did")
    return session
