"""Where the choices of `--providers auto` are remembered: one small JSON file for each machine, runtime and model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import cores, plugins
from runtime.bench import Configuration

_PCI = Path("/sys/bus/pci/devices")
_ACCELERATING = ("0x03", "0x12")
"""PCI classes: display controllers, processing accelerators."""
_DEVICES = Path("/dev")
_DEVICE_NODES = ("nvidia[0-9]*", "dri/renderD*", "accel/accel*", "kfd")
"""GPUs and NPUs of NVIDIA, of all that have a driver in the kernel's DRM, and of AMD's ROCm."""

VERSION = 1
"""Of a file's layout and of the rules in `runtime.auto`: another version is measured anew."""


def default_cache() -> Path | None:
    """Where this user's choices are remembered, None where there is no home.

    `$XDG_CACHE_HOME/roadmask`, else `~/.cache/roadmask`: like HOME, the variable is the platform's, no setting of ours.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    if Path(named).is_absolute():
        return Path(named) / "roadmask"
    try:
        return Path.home() / ".cache" / "roadmask"
    except RuntimeError:
        return None


@dataclass(frozen=True)
class Entry:
    """What is remembered of a choice between certain candidates, on this machine."""

    path: Path
    """The JSON file."""
    key: dict[str, Any]
    """All that the choice depends on: the file is named by its digest."""
    candidates: tuple[Configuration, ...]

    @classmethod
    def of(cls, candidates: Sequence[Configuration], reference: Path, folder: Path) -> Entry:
        """The entry of a cache folder, which need not be there.

        Args:
            candidates: what is chosen from.
            reference: the file whose masks they are held against.
            folder: where the entry is, or will be.

        Raises:
            OSError: a model file can't be read.
        """
        key = _key(candidates, reference)
        name = _digest(json.dumps(key, sort_keys=True).encode())
        return cls(folder / f"auto-{name}.json", key, tuple(candidates))

    def read(self) -> tuple[Configuration, str] | None:
        """The choice and its reason, in one line; None if the file is not there, damaged, or names no candidate."""
        try:
            told = json.loads(self.path.read_text())
            wanted, reason = (str(told["providers"]), str(told["file"])), str(told["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        for one in self.candidates:
            if (one.providers, one.path.name) == wanted:
                return one, f"{' '.join(reason.split())} (remembered in {self.path})"
        return None

    def write(self, choice: Configuration, reason: str) -> str:
        """Remember a choice; gives "", or what to add to the reason where it can't be written."""
        told = {"providers": choice.providers, "file": choice.path.name, "reason": reason, "measured_for": self.key}
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(told, indent=2) + "\n")
            part.replace(self.path)
        except OSError as error:
            return f" (not remembered: {self.path.parent} can't be written: {error.strerror})"
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _key(candidates: Sequence[Configuration], reference: Path) -> dict[str, Any]:
    """Machine, runtimes, files and candidates."""
    paths = sorted({reference, *(one.path for one in candidates)})
    return {
        "version": VERSION,
        "cpu": cpu_model(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": cores.available(),
        "accelerators": accelerators(),
        "providers": [[row.name, row.package, row.version, *row.devices] for row in plugins.installed()],
        "files": {path.name: _digest(path.read_bytes()) for path in paths},
        "candidates": [[one.providers, one.path.name, one.threads] for one in candidates],
    }


def cpu_model() -> str:
    """The CPU as Linux names it, else as the platform does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def accelerators(pci: Path = _PCI, devices: Path = _DEVICES) -> list[str]:
    """GPUs and NPUs as Linux tells them: maker and model on the PCI bus, and the device nodes that lead to them.

    A built-in provider names no device of its own, and a container may see a GPU on the bus that it was not given.
    """
    found = [str(path.relative_to(devices)) for pattern in _DEVICE_NODES for path in devices.glob(pattern)]
    for folder in pci.glob("*"):
        with suppress(OSError):
            kind, maker, model = ((folder / name).read_text().strip() for name in ("class", "vendor", "device"))
            if kind.startswith(_ACCELERATING):
                found.append(f"{maker}:{model}")
    return sorted(found)
