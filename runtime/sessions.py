"""Sessions that run on just the providers that were asked for, and tell the truth about it.

onnxruntime leaves to the CPU, with a warning at most, what a provider does not start for or does not take; here each of
that is an error: every provider of the list has to start, the first has to run nodes, and the CPU runs nodes only if it
is in the list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime import assignment, cores, model_cut, plugins
from runtime.errors import ModelInvalid, ProviderUnavailable, RoadmaskError
from runtime.providers import MAX_THREADS, Request, import_onnxruntime, parse_spec

if TYPE_CHECKING:
    import onnxruntime

_ENTRIES = {
    # Idle threads that spin take the cores from decoding and encoding.
    "session.intra_op.allow_spinning": "0",
    "session.record_ep_graph_assignment_info": "1",
}

_NO_CPU = {"session.disable_cpu_ep_fallback": "1"}
"""Creation fails where a node is left to the CPU; onnxruntime refuses it where the CPU is in the list."""

_THREADS_OPTION = {"openvino": "num_of_threads", "xnnpack": "intra_op_num_threads"}
"""Providers that compute on the CPU with threads of their own, and what their number is called."""

_LOAD_CONFIG = {
    "precision": "INFERENCE_PRECISION_HINT",
    "num_of_threads": "INFERENCE_NUM_THREADS",
    "num_streams": "NUM_STREAMS",
    "cache_dir": "CACHE_DIR",
    "model_priority": "MODEL_PRIORITY",
}
"""Options of the built-in OpenVINO that its plugin ignores, and the OpenVINO properties that it takes for them."""

_PRECISIONS = {"FP32": "f32", "FP16": "f16"}
"""OpenVINO's own names, as values of its property; ACCURACY is another property."""


@dataclass(frozen=True)
class Opened:
    """A session, and what onnxruntime tells about it."""

    session: onnxruntime.InferenceSession
    nodes: Mapping[str, Mapping[str, int]]
    """Provider's short name to operator to how many nodes it was assigned (`runtime.assignment`); those asked for that
    run none have an empty entry."""
    threads: int
    """For operators on the CPU, the calling thread included."""
    options: Mapping[str, Mapping[str, str]]
    """What was set: `session`, and each provider by its short name."""
    is_exclusive: bool
    """Whether no two inferences may run at a time."""


def open_session(path: Path, specs: Sequence[str], threads: int | None = None, *, without: str | None = None) -> Opened:
    """A session of a model file on the providers that were asked for, and no other.

    Args:
        path: the `.onnx` file.
        specs: as `providers.parse` gives them, in order of preference.
        threads: for operators on the CPU; None takes the cores that this process may use.
        without: an output to cut away, with all that is there for it alone; a file that does not have it is left as is.

    Raises:
        ProviderUnavailable: one is not installed, did not start, or can't run the model, or threads is out of range.
        ModelInvalid: the file is missing or no model.
    """
    asked = [parse_spec(spec) for spec in specs]
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise ProviderUnavailable(f"{threads} threads can't be: give 1 to {MAX_THREADS}")
    requests = [_with_threads(request, threads or cores.available()) for request in asked]
    offered = {request.provider.name: _devices(request) for request in requests}
    if not path.is_file():
        raise ModelInvalid(f"there is no model file {path}")
    options = _session_options(requests, threads or cores.available())
    try:
        session = _create(_source(path, without), options, requests, offered)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise _refusal(path, asked, reason_of(error)) from error
    for request in asked:
        if request.provider.full not in session.get_providers():
            raise ProviderUnavailable(
                f"{request} is installed but did not start, onnxruntime's lines before this one may say why: "
                f"it takes {request.provider.hardware}"
            )
    listed = [request.provider for request in asked]
    nodes = assignment.nodes(session, listed, path, without)
    assignment.check(nodes, listed, path)
    return Opened(
        session,
        nodes,
        _real_threads(session, requests[0]),
        _told(requests, options),
        # One Run at a time: https://onnxruntime.ai/docs/execution-providers/DirectML-ExecutionProvider.html
        is_exclusive="directml" in offered,
    )


def _with_threads(request: Request, threads: int) -> Request:
    """OpenVINO and XNNPACK look at the host's cores, not at the quota, unless they are told."""
    option = _THREADS_OPTION.get(request.provider.name)
    is_on_cpu = request.options.get("device_type", "CPU").startswith("CPU") and "load_config" not in request.options
    if option is None or not is_on_cpu:
        return request
    return request._replace(options={option: str(threads), **request.options})


def _devices(request: Request) -> list[Any]:
    """The plugin's devices to use; [] where the provider is built in.

    Raises:
        ProviderUnavailable: it is not installed, or has no such device.
    """
    wanted = request.options.get("device_type", "CPU")
    if plugins.is_built_in(request.provider):
        if request.provider.name == "openvino":
            _check_openvino_device(wanted)
        return []
    devices = plugins.devices(request.provider)
    if request.provider.name != "openvino":
        # Each of these takes a single device, and selects among several by its own options.
        return devices[:1]
    named = {device.ep_metadata.get("ov_device", ""): device for device in devices}
    if "device_type" not in request.options and "CPU" not in named:
        return devices[:1]
    if wanted not in named:
        raise ProviderUnavailable(f"openvino has no device '{wanted}' here (there: {', '.join(sorted(named))})")
    return [named[wanted]]


def _check_openvino_device(wanted: str) -> None:
    there = plugins.openvino_devices()
    kinds = {name.partition(".")[0] for name in there}
    # AUTO, or HETERO, MULTI or BATCH over several of them.
    for name in wanted.partition(":")[2].split(",") if ":" in wanted else [wanted]:
        bare = name.partition("(")[0]
        if bare not in ("AUTO", *there, *kinds):
            raise ProviderUnavailable(f"openvino has no device '{bare}' here (there: {', '.join(there)})")


def _session_options(requests: Sequence[Request], threads: int) -> onnxruntime.SessionOptions:
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # What is an error in the log is raised as well, and belongs into the one line that the caller gives.
    options.log_severity_level = 4
    # A pattern is memory that is kept for each size of frame that ever came; without, one run's serves the next. And
    # DirectML takes none, and no parallel execution.
    options.enable_mem_pattern = False
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    for key, value in _entries(requests).items():
        options.add_session_config_entry(key, value)
    return options


def _entries(requests: Sequence[Request]) -> dict[str, str]:
    names = [request.provider.name for request in requests]
    return _ENTRIES | ({} if "cpu" in names else _NO_CPU)


def _source(path: Path, without: str | None) -> str | bytes:
    """What onnxruntime loads: the path, or the bytes where something is cut away (`convert` makes no external data)."""
    if without is None:
        return str(path)
    whole = path.read_bytes()
    cut = model_cut.without_output(whole, without)
    return str(path) if cut is whole else cut


def _create(
    source: str | bytes,
    options: onnxruntime.SessionOptions,
    requests: Sequence[Request],
    offered: Mapping[str, list[Any]],
) -> onnxruntime.InferenceSession:
    built_in: list[tuple[str, dict[str, str]]] | None = None
    if any(offered.values()):
        for request in requests:
            _add(options, request, offered[request.provider.name])
    else:
        built_in = [(request.provider.full, request.options) for request in requests]
    # Without the fall-back of the Python layer, which tries again on the CPU when a provider fails.
    return import_onnxruntime().InferenceSession(source, options, providers=built_in, enable_fallback=0)


def _add(options: onnxruntime.SessionOptions, request: Request, devices: list[Any]) -> None:
    if devices:
        options.add_provider_for_devices(devices, _plugin_options(request, devices[0]))
    elif request.provider.name == "cpu":
        ort = import_onnxruntime()
        own = [device for device in ort.get_ep_devices() if device.ep_name == request.provider.full]
        options.add_provider_for_devices(own[:1], {})
    else:
        options.add_provider(request.provider.full, request.options)


def _plugin_options(request: Request, device: Any) -> dict[str, str]:
    """The options as the plugin wants them: OpenVINO's takes its device apart, and most others as properties."""
    if request.provider.name != "openvino":
        return request.options
    kind = device.ep_metadata.get("ov_device", "CPU").partition(".")[0]
    given = dict(request.options)
    given.pop("device_type", None)
    config = json.loads(given.pop("load_config", "{}"))
    own: dict[str, Any] = config.setdefault(kind, {})
    for option, name in _LOAD_CONFIG.items():
        if option in given:
            value = given.pop(option)
            if value == "ACCURACY":
                own["EXECUTION_MODE_HINT"] = value
            else:
                own[name] = _PRECISIONS.get(value, value)
    if own:
        given["load_config"] = json.dumps({key: value for key, value in config.items() if value})
    return given


def reason_of(error: Exception) -> str:
    """onnxruntime's words on one line, without its name and codes."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)


def _refusal(path: Path, asked: Sequence[Request], reason: str) -> RoadmaskError:
    """What to raise when there is no session: a broken file is told from a provider that can't run a good one."""
    names = ",".join(request.provider.name for request in asked)
    cpu_reason = reason if names == "cpu" else _cpu_reason(path)
    if cpu_reason:
        return ModelInvalid(f"{path} can't be loaded: {cpu_reason}")
    listed = ",".join(map(str, asked))
    if "fallback to CPU EP has been explicitly disabled" in reason:
        limits = "".join(f"; {request.provider.limit}" for request in asked if request.provider.limit)
        return ProviderUnavailable(
            f"{listed} does not run every node of {path}: with cpu at the end of the list, cpu runs the rest{limits}"
        )
    return ProviderUnavailable(f"{listed} can't run {path}: {reason}")


def _cpu_reason(path: Path) -> str:
    """Why the CPU can't load a file, or ""."""
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # noqa: BLE001  as above
        return reason_of(error)
    return ""


def _real_threads(session: onnxruntime.InferenceSession, first: Request) -> int:
    option = _THREADS_OPTION.get(first.provider.name, "")
    told = first.options.get(option)
    return int(told) if told else int(session.get_session_options().intra_op_num_threads)


def _told(requests: Sequence[Request], options: onnxruntime.SessionOptions) -> dict[str, dict[str, str]]:
    session = {
        "intra_op_num_threads": str(options.intra_op_num_threads),
        "enable_mem_pattern": str(options.enable_mem_pattern).lower(),
        **_entries(requests),
    }
    return {"session": session, **{request.provider.name: request.options for request in requests}}
