"""What others check: the schemas of Kubernetes and of custom resources, and checkov's policies."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from manifest_checks.manifests import label

Objects = list[dict[str, Any]]

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"

VERSIONS = ("1.32", kubernetes_validate.latest_version())
"""The oldest Kubernetes that is promised, and the newest that the validator knows."""

SKIPPED = {
    "CKV_K8S_15": "imagePullPolicy Always: images are pinned, and a node must be able to start a pod from its own copy "
    "while the registry is away",
    "CKV_K8S_43": "digests: an image has one only once it is pushed; operators set it by kustomize's `images`",
}
"""checkov's checks that don't hold here, each with its reason."""


@pytest.fixture(scope="module")
def distinct(everything: dict[str, Objects]) -> list[tuple[str, dict[str, Any]]]:
    """Each object once, however many renderings have it, with a rendering that does."""
    found = {json.dumps(item, sort_keys=True): (name, item) for name, objects in everything.items() for item in objects}
    return list(found.values())


def complaints(item: dict[str, Any], version: str) -> Iterator[str]:
    """By Kubernetes' own schema, else by one of SCHEMAS; a kind that neither knows is a complaint."""
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{label(item)}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        schema = SCHEMAS / f"{item['kind']}.json"
        if not schema.is_file():
            yield f"{label(item)}: nobody knows the kind {item['kind']} of {item['apiVersion']}"
            return
        validator = jsonschema.validators.validator_for(json.loads(schema.read_text()))
        for error in validator(json.loads(schema.read_text())).iter_errors(item):
            yield f"{label(item)}: {'.'.join(map(str, error.path))}: {error.message}"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_as_its_schema_says(distinct: list[tuple[str, dict[str, Any]]], version: str) -> None:
    assert [f"{name}: {told}" for name, item in distinct for told in complaints(item, version)] == []


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("Deployment", {"spec": {"replica": 2}}, "replica"),
        ("Service", {"kind": "Servce"}, "nobody knows the kind Servce"),
        ("HorizontalPodAutoscaler", {"apiVersion": "autoscaling/v2beta2"}, "nobody knows the kind"),
        ("ServiceMonitor", {"spec": {"endpoint": []}}, "endpoint"),
        ("ScaledObject", {"spec": {"minReplicas": 2}}, "minReplicas"),
    ],
)
def test_the_schemas_see_what_is_wrong(
    distinct: list[tuple[str, dict[str, Any]]], kind: str, change: dict[str, Any], words: str
) -> None:
    item = next(item for _, item in distinct if item["kind"] == kind)
    changed = {
        **item,
        **{key: {**item[key], **value} if isinstance(value, dict) else value for key, value in change.items()},
    }
    told = list(complaints(changed, VERSIONS[0]))
    assert any(words in line for line in told), told


def checkov(folder: Path) -> list[dict[str, Any]]:
    """The checks that fail on the files of a folder."""
    root = Path(os.environ.get("ROADMASK_TEST_CHECKOV") or ROOT / ".venv-checkov")
    command = root / "bin" / "checkov"
    if not command.is_file():
        pytest.fail(
            f"there is no {command}: `make .venv-checkov/ready` makes it, or ROADMASK_TEST_CHECKOV names another"
        )
    arguments = ["--framework", "kubernetes", "--skip-download", "--quiet", "--compact", "-o", "json"]
    run = subprocess.run(
        [str(command), "-d", str(folder), *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )
    told = json.loads(run.stdout)
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["passed"] > 100, "nothing was looked at"
    failed: list[dict[str, Any]] = told["results"]["failed_checks"]
    return failed


@pytest.fixture(scope="module")
def failed(everything: dict[str, Objects], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What checkov says to all renderings, in one run."""
    folder = tmp_path_factory.mktemp("checkov")
    for name, objects in everything.items():
        folder.joinpath(f"{name.replace('/', '-').replace(' + ', '-with-')}.yaml").write_text(
            yaml.safe_dump_all(objects)
        )
    bad = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bad"},
        "spec": {"hostNetwork": True, "containers": []},
    }
    folder.joinpath("bad.yaml").write_text(yaml.safe_dump(bad))
    return checkov(folder)


def test_checkov_finds_nothing_but_what_is_argued(failed: list[dict[str, Any]]) -> None:
    found = {
        f"{item['check_id']} ({item['check_name']}): {item['file_path']}, {item['resource']}"
        for item in failed
        if item["check_id"] not in SKIPPED and item["file_path"] != "/bad.yaml"
    }
    assert found == set()


def test_checkov_sees_what_is_wrong(failed: list[dict[str, Any]]) -> None:
    assert "CKV_K8S_19" in {item["check_id"] for item in failed if item["file_path"] == "/bad.yaml"}


def test_nothing_is_skipped_that_holds(failed: list[dict[str, Any]]) -> None:
    assert set(SKIPPED) <= {item["check_id"] for item in failed if item["file_path"] != "/bad.yaml"}
