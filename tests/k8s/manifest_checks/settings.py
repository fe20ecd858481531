"""What containers are told by their environment is what `api.settings` and `gui.settings` know and accept."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from manifest_checks.containerfiles import image_of, module
from manifest_checks.manifests import Object, Pod, containers, variables
from manifest_checks.quantities import parse

import api.settings
import gui.settings
from api.room import Room

PREFIX = "ROADMASK_"

RESIDENT = 300 * 2**20
"""Bytes of the API with its model, before and beside requests: 175 MiB measured once it is loaded, 260 under load."""

PATHS = {
    "api": {"ROADMASK_MODELS": False, "ROADMASK_CACHE": True, "ROADMASK_API_KEYS_FILE": False},
    "gui": {"ROADMASK_GUI_FRAMES": False, "ROADMASK_GUI_API_KEY_FILE": False},
}
"""Settings that name a path in the container, and whether it is written to."""


def known(name: str) -> frozenset[str]:
    """The variables that a module reads."""
    if name == "api":
        return frozenset(f"{PREFIX}{field.name.upper()}" for field in fields(api.settings.Settings)) - {
            f"{PREFIX}OTLP_ENDPOINT"
        }
    if name == "gui":
        return frozenset(f"{PREFIX}GUI_{field.name.upper()}" for field in fields(gui.settings.Settings))
    return frozenset()


def settings(objects: list[Object]) -> list[str]:
    """Every ROADMASK_* variable is known, and its value is accepted; the image's own are those of its entry point."""
    wrong = []
    for _, container, where in containers(objects):
        image, given = image_of(container), variables(objects, container)
        name, first = module(container), module({"image": container["image"]})
        for told, reader in ((given, name), (image.environment, first)):
            unknown = [variable for variable in told if variable.startswith(PREFIX) and variable not in known(reader)]
            wrong += [f"{where}: python -m {reader} knows no {variable}" for variable in unknown]
        if error := _refusal(name, image.environment | given):
            wrong.append(f"{where}: {error}")
    return wrong


def _refusal(name: str, given: dict[str, str]) -> str:
    """What the settings say to it, "" where they accept it."""
    # The page looks whether its paths are there: in a container they are, here not.
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder, "key")
        there.write_text("key")
        places = {"ROADMASK_GUI_FRAMES": folder, "ROADMASK_GUI_API_KEY_FILE": str(there)}
        replaced = {key: places[key] if key in places and value else value for key, value in given.items()}
        try:
            if name == "api":
                api.settings.Settings.read(replaced)
            elif name == "gui":
                gui.settings.Settings.read(replaced, {})
        except ValueError as error:
            return str(error)
    return ""


def paths(objects: list[Object]) -> list[str]:
    """A setting that names a path names one on a volume, and a writable one where it is written to."""
    wrong = []
    for pod, container, where in containers(objects):
        given = variables(objects, container)
        for variable, writes in PATHS.get(module(container), {}).items():
            if not given.get(variable):
                continue
            mount = _mount(container, given[variable])
            if mount is None:
                wrong.append(f"{where}: {variable}={given[variable]} is on no volume")
            elif writes != _writable(pod, mount):
                wrong.append(f"{where}: {variable}={given[variable]} is {'read-only' if writes else 'writable'}")
    return wrong


def memory(objects: list[Object]) -> list[str]:
    """The API's memory limit holds what its settings let requests take, else it would refuse to start."""
    wrong = []
    for _, container, where in containers(objects):
        if module(container) != "api" or _refusal("api", given := variables(objects, container)):
            continue
        told = api.settings.Settings.read(given)
        limits = container.get("resources", {}).get("limits", {})
        # As `runtime.scheduler.default_places` counts on as many cores.
        places = told.queue_size or (1 + math.ceil(parse(limits.get("cpu", 1)))) * told.batch_size
        needed = RESIDENT + told.max_buffered_bytes + Room(told.max_pixels, places).bytes
        if needed > parse(limits.get("memory", 0)):
            wrong.append(f"{where}: {needed >> 20} MiB may be needed, the memory limit is {limits.get('memory')}")
    return wrong


def _mount(container: Object, path: str) -> Object | None:
    """The mount that a path lies on: the deepest."""
    mounts: list[Object] = [
        mount for mount in container.get("volumeMounts", []) if PurePosixPath(path).is_relative_to(mount["mountPath"])
    ]
    return max(mounts, key=lambda mount: len(mount["mountPath"]), default=None)


def _writable(pod: Pod, mount: Object) -> bool:
    volume: dict[str, Any] = next((item for item in pod.spec.get("volumes", []) if item["name"] == mount["name"]), {})
    claim = volume.get("persistentVolumeClaim", {})
    return not (mount.get("readOnly") or claim.get("readOnly") or volume.keys() & {"secret", "configMap", "projected"})


def expansions(objects: list[Object]) -> list[str]:
    """`$(NAME)` in arguments and values refers to a variable that is there, in values to one that stands before."""
    wrong = []
    for _, container, where in containers(objects):
        before = {name for name, _ in _config_variables(objects, container)}
        for entry in container.get("env", []):
            wrong += [
                f"{where}: {entry['name']} uses $({name}), which is not defined before it"
                for name in _used(entry.get("value", ""))
                if name not in before
            ]
            before.add(entry["name"])
        for argument in [*container.get("command", []), *container.get("args", [])]:
            wrong += [
                f"{where}: the argument '{argument}' uses $({name}), which is not there"
                for name in _used(argument)
                if name not in before
            ]
    return wrong


def _used(text: str) -> list[str]:
    return re.findall(r"(?<!\$)\$\(([A-Za-z_]\w*)\)", text)


def _config_variables(objects: list[Object], container: Object) -> list[tuple[str, str]]:
    return list(variables(objects, {"envFrom": container.get("envFrom", [])}).items())
