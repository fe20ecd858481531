"""Execution providers as they are asked for: a list such as `openvino:device_type=NPU:precision=FP16,cpu`.

A list holds specs, in order of preference, with commas between them. A spec is a provider's short name or onnxruntime's
own (`CUDAExecutionProvider`), then its options, a colon before each. A colon within a value is no trouble
(`cache_dir=C:\\cache`) unless a word and `=` follow it; a value with a comma, or with such a colon, goes in quotes,
single or double, whichever it does not hold: `openvino:device_type="HETERO:GPU,CPU",cpu`.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

from runtime.errors import ProviderUnavailable
from runtime.provider_table import BY_FULL_NAME, BY_NAME, Provider

NAMES: dict[str, str] = {name: row.full for name, row in BY_NAME.items()}
"""Short name to onnxruntime's."""

AUTO = "auto"
"""In place of a list: whatever `runtime.auto` chooses."""

MAX_THREADS = 1024
"""More is a slip of the finger: no machine of ours has as many cores."""

_QUOTED = r"\"[^\"]*\"|'[^']*'"
_SPEC = re.compile(rf"(?:{_QUOTED}|[^\"',])*")
_OPTION = re.compile(rf":(?=\w+=)((?:{_QUOTED}|[^\"':]|:(?!\w+=))*)")
_OPENVINO_PRECISIONS = {"CPU": ("FP32", "ACCURACY"), "GPU": ("FP16", "FP32", "ACCURACY"), "NPU": ("FP16", "ACCURACY")}
"""What `precision` may be, by device (OpenVINO's provider prints an error and leaves the work to the CPU)."""
_WHOLE = ("num_of_threads", "num_streams", "intra_op_num_threads")
"""Options that are numbers from 1; OpenVINO takes anything else for 1 or for every core."""


class Request(NamedTuple):
    """A spec, taken apart."""

    provider: Provider
    options: dict[str, str]

    def __str__(self) -> str:
        """The spec: what `parse_spec` gives this back for."""
        return ":".join([self.provider.name, *(f"{key}={_quoted(value)}" for key, value in self.options.items())])


def _quoted(value: str) -> str:
    if not re.search("[,:\"']", value):
        return value
    return f"'{value}'" if '"' in value else f'"{value}"'


def _unquoted(value: str) -> str:
    return value[1:-1] if re.fullmatch(_QUOTED, value) else value


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
    """The specs of a list, in order of preference, each in the one way that it is written.

    Raises:
        ProviderUnavailable: an unknown, doubled or empty name, or an option that the provider does not know.
    """
    requests = [parse_spec(spec) for spec in _split(text)]
    names = [request.provider.name for request in requests]
    if len(set(names)) != len(names):
        raise ProviderUnavailable(f"a provider is named twice in '{text}'")
    return tuple(str(request) for request in requests)


def _split(text: str) -> list[str]:
    """At the commas outside quotes."""
    specs, at = [], 0
    while at <= len(text):
        found = _SPEC.match(text, at)
        assert found is not None  # it matches the empty text
        specs.append(found[0])
        if found.end() < len(text) and text[found.end()] != ",":
            raise ProviderUnavailable(f"a quote is left open in '{text}'")
        at = found.end() + 1
    return specs


def parse_spec(text: str) -> Request:
    """One spec.

    Raises:
        ProviderUnavailable: as `parse`.
    """
    named, colon, _ = text.partition(":")
    name = named.strip()
    row = BY_NAME.get(name.lower()) or BY_FULL_NAME.get(name)
    if name.lower() == AUTO:
        raise ProviderUnavailable("auto is no provider: it stands in place of a whole list, where one model is run")
    if row is None:
        raise ProviderUnavailable(f"there is no provider '{name}': known are {', '.join(BY_NAME)}")
    options: dict[str, str] = {}
    rest = text[len(named) :].strip()
    for found in _OPTION.finditer(rest):
        key, _, value = found[1].strip().partition("=")
        _check_option(row, key, value)
        if key in options:
            raise ProviderUnavailable(f"{row.name} is given the option '{key}' twice")
        options[key] = _unquoted(value)
    if colon and _OPTION.sub("", rest):
        raise ProviderUnavailable(f"'{text.strip()}' is no provider with options: write {row.name}:option=value")
    if row.name == "openvino":
        _check_openvino(options)
    return Request(row, options)


def _check_option(row: Provider, key: str, value: str) -> None:
    known = row.options.split()
    if not known:
        raise ProviderUnavailable(f"{row.name} takes no options, '{key}' is one")
    if key not in known:
        raise ProviderUnavailable(f"{row.name} has no option '{key}': it knows {', '.join(known)}")
    if not _unquoted(value):
        raise ProviderUnavailable(f"{row.name}'s option '{key}' has no value: write {key}=value")
    if key in _WHOLE and not (value.isascii() and value.isdigit() and 1 <= int(value) <= MAX_THREADS):
        raise ProviderUnavailable(f"{row.name}'s option '{key}' is a whole number from 1 to {MAX_THREADS}")


def _check_openvino(options: dict[str, str]) -> None:
    precision = options.get("precision")
    kind = options.get("device_type", "CPU").partition(".")[0]
    if precision is not None and precision not in _OPENVINO_PRECISIONS.get(kind, (precision,)):
        raise ProviderUnavailable(
            f"openvino's precision on {kind} is {' or '.join(_OPENVINO_PRECISIONS[kind])}, not '{precision}'"
        )
    try:
        is_object = isinstance(json.loads(options.get("load_config", "{}")), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise ProviderUnavailable('openvino\'s load_config is a JSON object, such as {"CPU": {"NUM_STREAMS": "2"}}')
