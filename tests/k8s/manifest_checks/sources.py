"""The files of `k8s/` themselves, before anything is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

_LISTS = ("resources", "components", "bases", "configurations", "transformers", "crds")


def orphans(k8s: Path, folders: Iterable[str]) -> list[str]:
    """Files that no kustomization names; pages for readers are none of its business."""
    named = {path.resolve() for path in k8s.rglob("kustomization.yaml") for path in _named(path)}
    return [
        f"{path.relative_to(k8s)} is named by no kustomization"
        for folder in folders
        for path in sorted(k8s.joinpath(folder).rglob("*"))
        if path.is_file() and path.name != "kustomization.yaml" and path.suffix != ".md" and path.resolve() not in named
    ]


def _named(kustomization: Path) -> Iterator[Path]:
    told: dict[str, Any] = yaml.safe_load(kustomization.read_text(encoding="utf-8"))
    names: list[str] = [name for key in _LISTS for name in told.get(key, [])]
    for patch in [*told.get("patches", []), *told.get("replacements", [])]:
        names += [patch["path"]] if "path" in patch else []
    for generator in [*told.get("configMapGenerator", []), *told.get("secretGenerator", [])]:
        names += [name.rpartition("=")[2] for name in [*generator.get("envs", []), *generator.get("files", [])]]
    for name in names:
        yield kustomization.parent / name


class _Strict(yaml.SafeLoader):
    """Tells of keys that are there twice, of which YAML's own loader silently takes the last."""


def repeated_keys(path: Path) -> list[str]:
    """The keys that a mapping of the file has twice, with their lines."""
    told: list[str] = []

    def mapping(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                told.append(f"{path}, line {key.start_mark.line + 1}: the key '{key.value}' is there twice")
            seen.add(key.value)
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    # A class of its own, so that no other reader gets this file's constructor.
    loader = type("_StrictHere", (_Strict,), {})
    loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    for _ in yaml.load_all(path.read_text(encoding="utf-8"), loader):
        pass
    return told
