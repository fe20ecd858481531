"""Kubernetes' quantities, `250m` and `1Gi`, and what a container asks for and may take."""

from __future__ import annotations

import re
from decimal import Decimal

from manifest_checks.manifests import Object, containers, of_kind, pods, variables

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{prefix: Decimal(1000) ** (power + 1) for power, prefix in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{f"{prefix}i": Decimal(1024) ** (power + 1) for power, prefix in enumerate("KMGTPE")},
}
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]?))")

ASKED = ("cpu", "memory", "ephemeral-storage")
"""What every container says how much of it it needs, and how much it may take."""


def parse(text: object) -> Decimal:
    """A quantity's value: cores, bytes, or a count.

    Raises:
        ValueError: it is no quantity.
    """
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"'{text}' is no quantity")
    number, exponent, suffix = found.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]


def quantities(objects: list[Object]) -> list[str]:
    """Every quantity can be read and is more than 0."""
    wrong = []
    for where, text in _all_quantities(objects):
        try:
            if parse(text) <= 0:
                wrong.append(f"{where}: '{text}' is not more than 0")
        except ValueError as error:
            wrong.append(f"{where}: {error}")
    return wrong


def _all_quantities(objects: list[Object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for _, container, where in containers(objects):
        for side, amounts in container.get("resources", {}).items():
            if side in ("requests", "limits"):
                found += [(f"{where}, {side} of {name}", amount) for name, amount in amounts.items()]
    for pod in pods(objects):
        for volume in pod.spec.get("volumes", []):
            if limit := (volume.get("emptyDir") or {}).get("sizeLimit"):
                found.append((f"{pod.owner}, volume {volume['name']}, sizeLimit", limit))
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        amount = claim["spec"].get("resources", {}).get("requests", {}).get("storage", "nothing")
        found.append((f"PersistentVolumeClaim/{claim['metadata']['name']}, storage", amount))
    return found


def _amount(container: Object, side: str, name: str) -> Decimal | None:
    text = container.get("resources", {}).get(side, {}).get(name)
    try:
        return None if text is None else parse(text)
    except ValueError:
        return None  # `quantities` tells


def resources(objects: list[Object]) -> list[str]:
    """Requests and limits are there, no request above its limit; memory is asked for as it is limited."""
    wrong = []
    for _, container, where in containers(objects):
        amounts = container.get("resources", {})
        for name in ASKED:
            for side in ("requests", "limits"):
                if name not in amounts.get(side, {}):
                    wrong.append(f"{where}: no {side} of {name}")
        for name in {*amounts.get("requests", {}), *amounts.get("limits", {})}:
            asked, most = _amount(container, "requests", name), _amount(container, "limits", name)
            if asked is not None and most is not None and asked > most:
                wrong.append(f"{where}: requests {asked} of {name}, more than its limit {most}")
            if name == "memory" and asked != most:
                wrong.append(f"{where}: memory can't be taken back, so its request is its limit")
            if "/" in name and asked != most:
                wrong.append(f"{where}: a device ({name}) can't be shared: request and limit are one")
    return wrong


def threads(objects: list[Object]) -> list[str]:
    """Where threads are told, by ROADMASK_THREADS or --threads, they are as many as the CPU limit has cores."""
    wrong = []
    for pod, container, where in containers(objects):
        arguments = [*container.get("command", []), *container.get("args", [])]
        told = variables(objects, container).get("ROADMASK_THREADS")
        if "--threads" in arguments[:-1]:
            told = arguments[arguments.index("--threads") + 1]
        if told is None:
            if pod.component == "api" and container["name"] != "queue-proxy":
                wrong.append(f"{where}: ROADMASK_THREADS is not set")
            continue
        if not told.isdigit() or _amount(container, "limits", "cpu") != int(told):
            wrong.append(f"{where}: {told} threads, but the CPU limit is {_amount(container, 'limits', 'cpu')}")
    return wrong


def scratch(objects: list[Object]) -> list[str]:
    """Every emptyDir has a size, and all of a pod together fit into what its containers may store."""
    wrong = []
    for pod in pods(objects):
        on_disk = Decimal(0)
        for volume in pod.spec.get("volumes", []):
            if "emptyDir" not in volume:
                continue
            settings = volume["emptyDir"] or {}
            if "sizeLimit" not in settings:
                wrong.append(f"{pod.owner}: the emptyDir {volume['name']} has no sizeLimit")
            elif settings.get("medium") != "Memory":
                on_disk += parse(settings["sizeLimit"])
        may = sum(_amount(item, "limits", "ephemeral-storage") or Decimal(0) for item in pod.spec["containers"])
        if on_disk > may:
            wrong.append(f"{pod.owner}: its emptyDirs hold {on_disk}, its containers may store {may}")
    return wrong
