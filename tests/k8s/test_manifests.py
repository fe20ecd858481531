"""Every rendering holds against every check; files, keys and hashes besides."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifest_checks.manifests import of_kind, pods
from manifest_checks.renderings import COMPONENTS, JOBS, K8S, KUBECTL_VERSION, OVERLAYS, kubectl, render
from manifest_checks.sources import orphans, repeated_keys
from manifest_checks.table import CHECKS

Objects = list[dict[str, Any]]
FOLDERS = ("base", "overlays", "components", "jobs")


@pytest.mark.parametrize("check", CHECKS)
def test_the_rendering_is_sound(rendering: Objects, check: str) -> None:
    assert CHECKS[check](rendering) == []


def test_what_the_project_promises_is_there() -> None:
    assert {"local", "cpu", "cuda", "openvino", "kserve"} <= set(OVERLAYS)
    assert {"monitoring", "ingress", "gateway", "autoscale-on-queue", "model-volume", "api-keys"} <= set(COMPONENTS)
    assert {"train", "train-distributed", "segment"} <= set(JOBS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_has_a_deployment(overlays: dict[str, Objects], overlay: str) -> None:
    assert of_kind(overlays[overlay], "Deployment")
    assert {"api", "gui"} <= {pod.component for pod in pods(overlays[overlay])}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_a_job(jobs: dict[str, Objects], job: str) -> None:
    assert [pod.owner.partition("/")[0] for pod in pods(jobs[job])] == ["Job"]


def test_kubectl_is_new_enough() -> None:
    told = subprocess.run([kubectl(), "version", "--client", "-o", "json"], capture_output=True, text=True, check=True)
    version = json.loads(told.stdout)["clientVersion"]
    assert (int(version["major"]), int(version["minor"].rstrip("+"))) >= KUBECTL_VERSION


def test_every_file_is_of_use() -> None:
    assert orphans(K8S, FOLDERS) == []


def test_no_key_is_written_twice() -> None:
    files = [path for folder in FOLDERS for path in K8S.glob(f"{folder}/**/*.yaml")]
    assert len(files) > 20
    assert [told for path in files for told in repeated_keys(path)] == []


@pytest.mark.parametrize(
    ("overlay", "file", "owner"),
    [
        ("cpu", "base/api/settings.env", "Deployment/roadmask-api"),
        ("cpu", "base/gui/settings.env", "Deployment/roadmask-gui"),
        ("cuda", "base/api/settings.env", "Deployment/roadmask-api"),
        ("cuda", "overlays/cuda/settings.env", "Deployment/roadmask-api"),
        ("openvino", "overlays/openvino/settings.env", "Deployment/roadmask-api"),
    ],
)
def test_a_changed_setting_makes_new_pods(
    rendered: Callable[[str], Objects], tmp_path: Path, overlay: str, file: str, owner: str
) -> None:
    copied = Path(shutil.copytree(K8S, tmp_path / "k8s"))
    with copied.joinpath(file).open("a", encoding="utf-8") as settings:
        settings.write("ROADMASK_LATER=1\n")
    before, after = pods(rendered(f"overlays/{overlay}")), pods(render(copied / "overlays" / overlay))
    changed = {old.owner for old, new in zip(before, after, strict=True) if old.spec != new.spec}
    assert changed == {owner}


def test_a_file_that_no_kustomization_names_is_told(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(K8S, tmp_path / "k8s"))
    copied.joinpath("base/api/forgotten.yaml").write_text("kind: Secret\n")
    assert orphans(copied, FOLDERS) == ["base/api/forgotten.yaml is named by no kustomization"]


def test_a_repeated_key_is_told(tmp_path: Path) -> None:
    written = tmp_path / "twice.yaml"
    written.write_text("spec:\n  replicas: 1\n  paused: false\n  replicas: 2\n")
    assert repeated_keys(written) == [f"{written}, line 4: the key 'replicas' is there twice"]
    assert yaml.safe_load(written.read_text())["spec"]["replicas"] == 2, "which the plain loader takes silently"
