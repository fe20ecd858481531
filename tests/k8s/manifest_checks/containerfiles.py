"""What an image brings along, read from its container file: entry point, environment, user."""

from __future__ import annotations

import functools
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from manifest_checks.manifests import Object

IMAGES = Path(__file__).parents[3] / "k8s" / "images"


@dataclass
class Image:
    """The configuration of the last stage, and of the stages that it is built on."""

    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    folder: str = "/"


def file_of(name: str) -> Path:
    """The container file of `roadmask/api-cpu:0.1.0`; that it is there is not told."""
    return IMAGES / f"{name.rpartition('/')[2].partition(':')[0].partition('@')[0]}.Containerfile"


@functools.cache
def read(path: Path) -> Image:
    """A container file's image.

    Raises:
        OSError: there is no such file.
        ValueError: its entry point is no JSON list, so a shell would run it.
    """
    stages: dict[str, Image] = {}
    image = Image()
    arguments: dict[str, str] = {}
    for word, rest in _instructions(path.read_text(encoding="utf-8")):
        if word == "ARG":
            name, _, default = rest.partition("=")
            arguments[name] = default.strip('"')
            continue
        rest = _filled_in(rest, arguments | image.environment)
        if word == "FROM":
            parts = [part for part in rest.split() if not part.startswith("--")]
            base = stages.get(parts[0], Image())
            image = Image(list(base.entrypoint), list(base.command), dict(base.environment), base.user, base.folder)
            if len(parts) == 3:
                stages[parts[2]] = image
        elif word == "ENV":
            image.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif word == "CMD":
            image.command = json.loads(rest)
        elif word == "USER":
            image.user = rest
        elif word == "WORKDIR":
            image.folder = rest
    return image


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    pairs = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def _filled_in(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], found[0]), text)


def image_of(container: Object) -> Image:
    """Of a container of a rendering; one that brings nothing where it is not ours, which `images` tells."""
    path = file_of(container["image"])
    return read(path) if path.is_file() else Image()


def arguments(container: Object) -> list[str]:
    """What is run: `command` replaces entry point and default arguments, `args` the latter alone."""
    image = image_of(container)
    if container.get("command"):
        return [*container["command"], *container.get("args", [])]
    return [*image.entrypoint, *container.get("args", image.command)]


def module(container: Object) -> str:
    """`api` of `python -m api --port 8000`, "" where it is no module."""
    run = arguments(container)
    return run[run.index("-m") + 1] if "-m" in run[:-1] else ""
