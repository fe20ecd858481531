"""What `k8s/README.md` tells operators holds: its kustomization, its pod, its links, settings and names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from manifest_checks.renderings import COMPONENTS, JOBS, K8S, OVERLAYS, render

from api.settings import Settings

PAGE = (K8S / "README.md").read_text(encoding="utf-8")


def block(begin: str, end: str) -> str:
    """The text between the first `begin` and the `end` after it."""
    return PAGE.split(begin, 1)[1].split(end, 1)[0]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the kustomization of *Install* makes, in a folder beside the repository."""
    folder = tmp_path_factory.mktemp("operators")
    (folder / "roadmask").symlink_to(K8S.parent)
    (folder / "my-cluster").mkdir()
    (folder / "my-cluster" / "kustomization.yaml").write_text(block("# my-cluster/kustomization.yaml\n", "```"))
    return render(folder / "my-cluster")


def test_the_kustomization_renames_the_images_and_adds_a_setting(own):
    images = {
        container["image"]
        for item in own
        if item["kind"] == "Deployment"
        for container in item["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"REGISTRY/roadmask/api-cpu:0.1.0", "REGISTRY/roadmask/gui:0.1.0"}
    settings = next(item for item in own if item["metadata"]["name"].startswith("roadmask-api-") and "data" in item)
    assert settings["data"]["ROADMASK_REQUEST_TIMEOUT_MS"] == "500"
    assert "ServiceMonitor" in {item["kind"] for item in own}


def test_the_pod_that_fills_the_model_volume_is_one_and_as_restricted_as_the_namespace_asks():
    pod = yaml.safe_load(block("kubectl apply -f - <<'END'\n", "  END\n"))
    kubernetes_validate.validate(pod, "1.32", strict=True)
    (container,) = pod["spec"]["containers"]
    claim = yaml.safe_load((K8S / "components" / "model-volume" / "claim.yaml").read_text())
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_every_folder_is_told_of_and_every_one_that_is_told_of_is_there():
    told = set(re.findall(r"^\| (?:`kubectl apply -k` )?`([a-z/0-9-]+)`(?:, `([a-z-]+)`)? \|", PAGE, re.MULTILINE))
    names = {name.removeprefix("k8s/jobs/") for pair in told for name in pair if name}
    assert {*OVERLAYS, *COMPONENTS, *JOBS} <= names
    for path in re.findall(r"k8s/(?:overlays|components|jobs)/[a-z-]+", PAGE):
        assert (K8S.parent / path / "kustomization.yaml").is_file(), path


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert links
    for link in links:
        assert (K8S / link).exists(), link


def test_it_names_settings_that_the_server_has():
    known = {f"ROADMASK_{name.upper()}" for name in Settings.__dataclass_fields__}
    named = set(re.findall(r"ROADMASK_[A-Z_]*[A-Z]", PAGE))
    assert len(named) > 5
    assert named <= known


def test_its_images_are_those_that_can_be_built():
    files = {path.stem for path in (K8S / "images").glob("*.Containerfile")}
    assert set(re.findall(r"^\| `([a-z-]+)` \| [\d.]+ [MG]B", PAGE, re.MULTILINE)) == files


def test_what_it_says_of_size_follows_from_its_figures():
    cores_a_pod, cores_a_node, frames_a_pod, wanted = 2, 32, 15, 10_000
    pods, nodes = (int(number) for number in re.search(r"/ 15 = (\d+) pods of 2 .* = (\d+) nodes", PAGE).groups())
    assert pods == -(-wanted // frames_a_pod)
    assert nodes == -(-pods // ((cores_a_node - cores_a_pod) // cores_a_pod))
    assert Path(K8S / "base" / "api" / "autoscaler.yaml").read_text().count("maxReplicas: 10\n") == 1
