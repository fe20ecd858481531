"""Renderings with one thing broken, and the check that has to tell of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from manifest_checks.manifests import Object

MISSING = object()
"""What is at the place is taken away."""
TWICE = object()
"""The object is there a second time."""

_CONTAINER = "spec template spec containers 0"
_PLACES = {
    "api": f"Deployment/roadmask-api {_CONTAINER}",
    "gui": f"Deployment/roadmask-gui {_CONTAINER}",
    "api-pod": "Deployment/roadmask-api spec template spec",
    "api-selector": "Deployment/roadmask-api spec selector matchLabels",
    "api-rolling": "Deployment/roadmask-api spec strategy rollingUpdate",
    "api-settings": "ConfigMap/roadmask-api data",
    "gui-settings": "ConfigMap/roadmask-gui data",
    "api-policy": "NetworkPolicy/roadmask-api spec",
    "scaler": "HorizontalPodAutoscaler/roadmask-api spec",
    "budget": "PodDisruptionBudget/roadmask-api spec",
}
"""Short words for places that are named often."""


@dataclass(frozen=True)
class Broken:
    """One thing that is wrong."""

    check: str
    """Has to tell of it."""
    words: str
    """That its complaint has."""
    place: str
    """Words: an object, and the way down in it; `+` appends to a list. A ConfigMap is named without its hash."""
    value: object
    """That is put there, MISSING or TWICE."""
    rendering: str = "overlays/cpu"

    def __str__(self) -> str:
        return f"{self.check}: {self.words}"

    def of(self, sound: list[Object]) -> list[Object]:
        """A copy of the objects of a rendering, with this one thing broken.

        Raises:
            StopIteration, KeyError, IndexError: there is no such place.
        """
        objects = copy.deepcopy(sound)
        first, _, rest = self.place.partition(" ")
        name, *way = f"{_PLACES.get(first, first)} {rest}".split()
        item = next(item for item in objects if _is(item, name))
        if not way:
            objects.remove(item) if self.value is MISSING else objects.append(copy.deepcopy(item))
            return objects
        for step in way[:-1]:
            item = item[_key(step)]
        if self.value is MISSING:
            del item[_key(way[-1])]
        elif way[-1] == "+":
            item.append(self.value)
        else:
            item[_key(way[-1])] = copy.deepcopy(self.value)
        return objects


def _is(item: Object, name: str) -> bool:
    kind, _, wanted = name.partition("/")
    found = item["metadata"]["name"]
    return item["kind"] == kind and (found == wanted or (kind == "ConfigMap" and found.startswith(f"{wanted}-")))


def _key(step: str) -> int | str:
    return int(step) if step.isdigit() else step
