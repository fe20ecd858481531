"""The jobs: what their pods run, which of their ends are tried again, and how workers find each other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtime.__main__ import main
from runtime.__main__ import parser as runtime_parser
from runtime.shards import Shard
from train.__main__ import LOST
from train.__main__ import parser as train_parser

Object = dict[str, Any]
Rendered = Callable[[str], list[Object]]

JOBS = ("segment", "segment-urls", "train", "train-distributed")
SEGMENT = ("segment", "segment-urls")


def one(objects: list[Object], kind: str, name: str | None = None) -> Object:
    (found,) = (o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"]))
    return found


def container_of(job: Object) -> Object:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def cpus_of(container: Object) -> str:
    return str(container["resources"]["limits"]["cpu"])


def expanded(text: str, container: Object, index: int) -> str:
    """As the kubelet does: of the variables that are defined before their use."""
    values: dict[str, str] = {}
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        if "job-completion-index" in source.get("fieldRef", {}).get("fieldPath", ""):
            values[variable["name"]] = str(index)
        elif source.get("resourceFieldRef", {}).get("resource") == "limits.cpu":
            values[variable["name"]] = cpus_of(container)
        else:
            values[variable["name"]] = replace(variable["value"], values)
    return replace(text, values)


def replace(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: values.get(found[1], found[0]), text)


def arguments_of(job: Object, index: int = 0) -> list[str]:
    """Of `python -m runtime` or `python -m train`."""
    container = container_of(job)
    said = [expanded(text, container, index) for text in [*container.get("command", []), *container["args"]]]
    return said[3:] if said[:3] == ["python", "-m", "runtime"] else said


def action(job: Object, status: int, *, is_disrupted: bool = False) -> str:
    """What the Job controller does about a pod that ended so: the first rule that fits, else it counts."""
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes and (status in codes["values"]) == (codes["operator"] == "In"):
            assert codes["containerName"] == container_of(job)["name"]
            return str(rule["action"])
        if is_disrupted and any(
            (condition["type"], condition["status"]) == ("DisruptionTarget", "True")
            for condition in rule.get("onPodConditions", [])
        ):
            return str(rule["action"])
    return "Count"


@pytest.mark.parametrize("name", SEGMENT)
def test_the_indexes_are_the_shards(rendered: Rendered, name: str) -> None:
    job = one(rendered(f"jobs/{name}"), "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    told = [runtime_parser().parse_args(arguments_of(job, index)) for index in range(spec["completions"])]
    shards = [Shard.parse(arguments.shard) for arguments in told]
    assert shards == [Shard(index, spec["completions"]) for index in range(spec["completions"])]
    assert spec["parallelism"] <= spec["completions"]
    assert spec["maxFailedIndexes"] < spec["completions"]
    assert {str(arguments.threads) for arguments in told} == {cpus_of(container_of(job))}


def test_the_pods_of_the_segment_job_do_all_frames_and_do_them_once(
    rendered: Rendered, tmp_path: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = one(rendered("jobs/segment"), "Job")
    for number in range(24):
        path = tmp_path / "frames" / f"city{number % 3}" / f"{number // 3}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(path)
    places = {
        "/frames": str(tmp_path / "frames"),
        "--output=/masks": f"--output={tmp_path / 'masks'}",
        "--model=accurate-int8": f"--model={toy_folder / 'accurate-fp32.onnx'}",
    }
    for _ in ("once", "and after a restart"):
        for index in range(job["spec"]["completions"]):
            arguments = [places.get(argument, argument) for argument in arguments_of(job, index)]
            assert len(set(arguments) & set(places.values())) == len(places)
            assert main(arguments) == 0, capsys.readouterr().err
    notes = [
        path.read_text().splitlines()[1:] for path in sorted((tmp_path / "masks").glob("manifest-*-of-00008.jsonl"))
    ]
    assert len(notes) == 8
    noted = sorted(json.loads(line)["mask"] for lines in notes for line in lines)
    assert noted == sorted(f"city{number % 3}/{number // 3}.png" for number in range(24))
    assert sum(1 for _ in (tmp_path / "masks").rglob("*.png")) == 24


@pytest.mark.parametrize("name", SEGMENT)
def test_frames_are_read_where_they_are_mounted_and_masks_written_where_that_is_possible(
    rendered: Rendered, name: str
) -> None:
    objects = rendered(f"jobs/{name}")
    job = one(objects, "Job")
    mounts = {mount["mountPath"]: mount for mount in container_of(job)["volumeMounts"]}
    told = runtime_parser().parse_args(arguments_of(job))
    source = str(told.frames[0]) if told.frames else str(Path(told.listing).parent)
    assert mounts[source]["readOnly"]
    assert not mounts[str(told.output)].get("readOnly")
    assert one(objects, "PersistentVolumeClaim", "roadmask-masks")["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("name", ["train", "train-distributed"])
def test_training_reads_and_writes_where_volumes_are_and_always_resumes(rendered: Rendered, name: str) -> None:
    objects = rendered(f"jobs/{name}")
    job = one(objects, "Job")
    told = train_parser().parse_args(arguments_of(job))
    mounts = {mount["mountPath"]: mount for mount in container_of(job)["volumeMounts"]}
    assert told.resume
    assert told.data
    assert {str(Path(source.partition(":")[2]).parent) for source in told.data} == {"/data"}
    assert mounts["/data"]["readOnly"]
    assert str(told.out.parent) in mounts
    assert not mounts[str(told.out.parent)].get("readOnly")
    (claim,) = (
        volume["persistentVolumeClaim"]["claimName"]
        for volume in job["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == mounts[str(told.out.parent)]["name"]
    )
    modes = {"train": ["ReadWriteOnce"], "train-distributed": ["ReadWriteMany"]}
    assert one(objects, "PersistentVolumeClaim", claim)["spec"]["accessModes"] == modes[name]
    threads = {v["name"]: v for v in container_of(job)["env"]}["TF_NUM_INTRAOP_THREADS"]
    assert threads["valueFrom"]["resourceFieldRef"] == {"containerName": "train", "resource": "limits.cpu"}


@pytest.mark.parametrize("name", JOBS)
def test_disruptions_are_forgiven_and_bad_input_is_not_tried_again(rendered: Rendered, name: str) -> None:
    job = one(rendered(f"jobs/{name}"), "Job")
    assert action(job, 2) == ("FailIndex" if name in SEGMENT else "FailJob")
    assert action(job, 143) == "Ignore"
    if name == "train-distributed":
        assert action(job, LOST) == "Ignore", "another worker's end, which counts itself"
    assert action(job, 137, is_disrupted=True) == "Ignore"
    for crashed in (1, 130, 137, 139):
        assert action(job, crashed) == "Count", "tried again, but not for ever"
    spec = job["spec"]
    assert spec["backoffLimitPerIndex" if name in SEGMENT else "backoffLimit"] > 0
    # What the API server asks for.
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["podReplacementPolicy"] == "Failed"
    for rule in spec["podFailurePolicy"]["rules"]:
        values = rule.get("onExitCodes", {}).get("values", [1])
        assert values == sorted(set(values))
        assert 0 not in values


def test_each_worker_knows_all_and_which_one_it_is(rendered: Rendered) -> None:
    objects = rendered("jobs/train-distributed")
    job, service = one(objects, "Job"), one(objects, "Service")
    container, spec = container_of(job), job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"], "the workers wait for each other"
    (batch,) = (int(argument.partition("=")[2]) for argument in container["args"] if argument.startswith("--batch="))
    assert batch % spec["completions"] == 0, "each takes its share"
    assert "backoffLimitPerIndex" not in spec
    (text,) = (variable["value"] for variable in container["env"] if variable["name"] == "TF_CONFIG")
    (port,) = container["ports"]
    subdomain = spec["template"]["spec"]["subdomain"]
    for index in range(spec["completions"]):
        told = json.loads(expanded(text, container, index))
        assert told["task"] == {"type": "worker", "index": index}
        # An indexed Job's pod i is called JOB-i, and JOB-i.SUBDOMAIN is its address where the Service has that name.
        assert told["cluster"] == {
            "worker": [
                f"{job['metadata']['name']}-{i}.{subdomain}:{port['containerPort']}" for i in range(spec["completions"])
            ]
        }
    assert len(f"{job['metadata']['name']}-{spec['completions']}") <= 63
    assert service["metadata"]["name"] == subdomain
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert [(p["targetPort"], p["port"]) for p in service["spec"]["ports"]] == [(port["name"], port["containerPort"])]


def test_what_two_jobs_share_is_the_same_in_both(rendered: Rendered) -> None:
    seen: dict[tuple[str, str], tuple[str, Object]] = {}
    for name in ("segment", "train", "train-distributed"):
        for item in rendered(f"jobs/{name}"):
            key = (item["kind"], item["metadata"]["name"])
            other, before = seen.setdefault(key, (name, item))
            assert item == before, f"{key} differs between {other} and {name}: the second apply would be refused"
    assert ("PersistentVolumeClaim", "roadmask-data") in seen


@pytest.mark.parametrize(
    ("name", "egress_ports"),
    [("segment", set()), ("segment-urls", {443, 53}), ("train", set()), ("train-distributed", {"tensorflow", 53})],
)
def test_jobs_reach_no_more_than_they_need(rendered: Rendered, name: str, egress_ports: set[object]) -> None:
    objects = rendered(f"jobs/{name}")
    policy = one(objects, "NetworkPolicy")["spec"]
    labels = one(objects, "Job")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert {port["port"] for rule in policy.get("egress", []) for port in rule["ports"]} == egress_ports
    assert all(rule.get("to") for rule in policy.get("egress", [])), "a rule without `to` lets everything out"
    ingress = policy.get("ingress", [])
    assert [peer["podSelector"]["matchLabels"] for rule in ingress for peer in rule["from"]] == (
        [policy["podSelector"]["matchLabels"]] if name == "train-distributed" else []
    )


def test_policies_of_one_training_do_not_let_into_the_other(rendered: Rendered) -> None:
    labels = one(rendered("jobs/train"), "Job")["spec"]["template"]["metadata"]["labels"]
    workers = one(rendered("jobs/train-distributed"), "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert not workers.items() <= labels.items()
