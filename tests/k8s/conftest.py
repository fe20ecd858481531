"""Renderings of `k8s/`, made once; and the checks, which are modules of their own beside this file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Before anything imports `manifest_checks` or `local_pod`: without __init__.py this folder is nobody's package.
sys.path.insert(0, str(Path(__file__).parent))

from manifest_checks.renderings import JOBS, NAMES, OVERLAYS, Renderings

Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | Path], Objects]:
    """`rendered("overlays/cpu")`: the objects of a folder of `k8s/` or of a composition; copy them to change them."""
    return Renderings(tmp_path_factory.mktemp("compositions"))


@pytest.fixture(params=NAMES)
def rendering(request: pytest.FixtureRequest, rendered: Callable[[str], Objects]) -> Objects:
    """Each rendering in turn."""
    return rendered(request.param)


@pytest.fixture(scope="session")
def everything(rendered: Callable[[str], Objects]) -> dict[str, Objects]:
    """All renderings by their names."""
    return {name: rendered(name) for name in NAMES}


@pytest.fixture(scope="session")
def overlays(rendered: Callable[[str], Objects]) -> dict[str, Objects]:
    """What `kubectl apply -k` would install, by overlay."""
    return {name: rendered(f"overlays/{name}") for name in OVERLAYS}


@pytest.fixture(scope="session")
def jobs(rendered: Callable[[str], Objects]) -> dict[str, Objects]:
    """The jobs' objects, by job."""
    return {name: rendered(f"jobs/{name}") for name in JOBS}
