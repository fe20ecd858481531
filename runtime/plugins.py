"""What is installed: onnxruntime with its built-in providers, and packages that bring one more as a plugin.

A plugin package is told by its module's name (MODULES), and offers `get_library_path` and `get_ep_name`. Its library is
loaded when its provider is asked for, or when everything is listed, and stays for the life of the process.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from runtime.errors import ProviderUnavailable
from runtime.provider_table import BY_FULL_NAME, TABLE, Provider
from runtime.providers import import_onnxruntime

MODULES = ("onnxruntime_ep_", "onnxruntime_qnn")
"""How the names of plugin modules begin (onnxruntime's packaging guidance, and Qualcomm's package from before it)."""

_lock = threading.Lock()
_failures: dict[str, str] = {}
"""Module to why its library could not be loaded; "" where it could."""


@dataclass(frozen=True)
class Plugin:
    """A package that brings a provider."""

    provider: Provider
    module: str

    @property
    def package(self) -> str:
        """As pip calls it; variants for several versions of CUDA share one module."""
        return _package(self.module)


@dataclass(frozen=True)
class Installed:
    """A provider that is there, whether or not its hardware is."""

    name: str
    kind: str
    """`built-in` or `plugin`."""
    package: str
    version: str
    devices: tuple[str, ...]
    """What it would run on, in its own words; none: it can't be used here."""
    problem: str = ""
    """Why there is no device."""


@functools.cache
def _packages() -> dict[str, list[str]]:
    return {module: sorted(set(names)) for module, names in metadata.packages_distributions().items()}


def _package(module: str) -> str:
    return "+".join(_packages().get(module, [module]))


def _version(package: str) -> str:
    try:
        return metadata.version(package.partition("+")[0])
    except metadata.PackageNotFoundError:
        return ""


@functools.cache
def found() -> tuple[Plugin, ...]:
    """The plugin packages that can be imported and bring a provider of the table; no library is loaded."""
    plugins = []
    for module in sorted({there.name for there in pkgutil.iter_modules() if there.name.startswith(MODULES)}):
        try:
            full = importlib.import_module(module).get_ep_name()
        except Exception:  # noqa: BLE001  another package of such a name, or a broken one: it brings nothing
            continue
        if full in BY_FULL_NAME:
            plugins.append(Plugin(BY_FULL_NAME[full], module))
    return tuple(plugins)


def _register(plugin: Plugin) -> str:
    """Load a plugin's library, once: why it can't be, or ""."""
    with _lock:
        if plugin.module not in _failures:
            built_in()
            try:
                path = importlib.import_module(plugin.module).get_library_path()
                import_onnxruntime().register_execution_provider_library(plugin.provider.full, path)
                _failures[plugin.module] = ""
            except Exception as error:  # noqa: BLE001  whatever a stranger's library does: it is not there
                reason = str(error).strip().splitlines() or [type(error).__name__]
                _failures[plugin.module] = reason[0]
        return _failures[plugin.module]


def is_built_in(provider: Provider) -> bool:
    """Whether this onnxruntime has it without a plugin."""
    return provider.full in built_in()


@functools.cache
def built_in() -> frozenset[str]:
    """onnxruntime's names of its own providers, as they are before a plugin is registered: then its is among them."""
    return frozenset(import_onnxruntime().get_available_providers())


def devices(provider: Provider) -> list[Any]:
    """onnxruntime's `OrtEpDevice`s that a plugin offers for a provider, registered first if need be.

    Virtual ones, which can only compile, are left out.

    Raises:
        ProviderUnavailable: no plugin of it is installed, its library can't be loaded, or it finds no hardware.
    """
    offered = _devices(provider)
    plugins = [plugin for plugin in found() if plugin.provider == provider]
    if not offered and not plugins:
        there = ", ".join(at_hand())
        raise ProviderUnavailable(f"{provider.name} is not installed (there: {there}): {provider.get}")
    if not offered:
        failures = [_register(plugin) for plugin in plugins]
        offered = _devices(provider)
        if not offered:
            raise ProviderUnavailable(_without_device(plugins[0], failures[0]))
    return offered


def _devices(provider: Provider) -> list[Any]:
    offered = import_onnxruntime().get_ep_devices()
    return [one for one in offered if one.ep_name == provider.full and "is_virtual" not in one.device.metadata]


def _without_device(plugin: Plugin, failure: str) -> str:
    installed = f"{plugin.provider.name} is installed ({plugin.package})"
    if failure:
        return f"{installed} but can't be loaded: {failure}"
    return f"{installed} but finds no hardware of its own here: it takes {plugin.provider.hardware}"


def at_hand() -> tuple[str, ...]:
    """Short names of the providers that are installed and, as far as can be told without a model, have hardware."""
    return tuple(row.name for row in installed() if row.devices)


def installed() -> list[Installed]:
    """Everything that is installed, in the table's order; registers every plugin."""
    rows = []
    for provider in TABLE:
        if is_built_in(provider):
            package = _package("onnxruntime")
            rows.append(Installed(provider.name, "built-in", package, _version(package), _built_in_devices(provider)))
        rows += [_installed_plugin(plugin) for plugin in found() if plugin.provider == provider]
    return rows


def _installed_plugin(plugin: Plugin) -> Installed:
    failure = _register(plugin)
    labels = tuple(_label(one) for one in _devices(plugin.provider))
    problem = "" if labels else _without_device(plugin, failure).partition(" but ")[2]
    return Installed(plugin.provider.name, "plugin", plugin.package, _version(plugin.package), labels, problem)


def _built_in_devices(provider: Provider) -> tuple[str, ...]:
    ort = import_onnxruntime()
    if provider.name == "openvino":
        return tuple(openvino_devices())
    return tuple(_label(one) for one in ort.get_ep_devices() if one.ep_name == provider.full) or (provider.hardware,)


def openvino_devices() -> Sequence[str]:
    """What a built-in OpenVINO can run on, as OpenVINO calls it: CPU, GPU.0, NPU."""
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names: list[str] = list(state.get_available_openvino_device_ids())
    return names


def _label(device: Any) -> str:
    """Such as `NPU (Intel)`."""
    kind = device.ep_metadata.get("ov_device") or str(device.device.type).rpartition(".")[2]
    return f"{kind} ({device.device.vendor})" if device.device.vendor else str(kind)
