"""Everything that is asked of Prometheus (alerts, dashboard, autoscaler) is there when the real API is scraped."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import numpy as np
import promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from runtime import codecs

Series = dict[str, dict[str, set[str]]]
"""Name of a series, to its labels, to the values that these had."""

TARGET = ("namespace", "pod", "service", "job", "container", "endpoint", "instance")
"""Labels that the operator gives each series of a ServiceMonitor."""

KUBE_STATE_METRICS = {
    "kube_pod_container_resource_limits": {"namespace", "pod", "container", "resource", "unit", "node", "uid"},
    "kube_pod_container_status_last_terminated_reason": {"namespace", "pod", "container", "reason", "uid"},
    "kube_pod_container_status_restarts_total": {"namespace", "pod", "container", "uid"},
    "kube_deployment_spec_replicas": {"namespace", "deployment"},
    "kube_deployment_status_replicas_available": {"namespace", "deployment"},
    "kube_deployment_status_replicas_updated": {"namespace", "deployment"},
    "kube_horizontalpodautoscaler_spec_max_replicas": {"namespace", "horizontalpodautoscaler"},
    "kube_horizontalpodautoscaler_status_current_replicas": {"namespace", "horizontalpodautoscaler"},
}
"""From its documentation (docs/metrics/workload): what of it is used here."""


def without_variables(expression: str) -> str:
    """A query of the dashboard as Grafana would send it."""
    return expression.replace("$__rate_interval", "5m").replace("$namespace", "roadmask")


def triggers() -> dict[str, dict[str, str]]:
    """What the autoscaler asks, and how much of it a pod is to have."""
    scaler = promql.REPOSITORY / "k8s" / "components" / "autoscale-on-queue" / "scaler.yaml"
    found = yaml.safe_load(scaler.read_text(encoding="utf-8"))["spec"]["triggers"]
    return {trigger["name"]: trigger["metadata"] for trigger in found}


def expressions() -> dict[str, str]:
    """Every query, by where it stands."""
    found = {f"rule {rule.get('alert', rule.get('record'))}": rule["expr"] for rule in promql.rules()}
    for panel in promql.dashboard()["panels"]:
        for target in panel.get("targets", []):
            found[f"panel {panel['title']}, {target['refId']}"] = without_variables(target["expr"])
    for name, trigger in triggers().items():
        found[f"trigger {name}"] = trigger["query"]
    return found


EXPRESSIONS = expressions()


@pytest.fixture(scope="session")
def address(toy_folder: Path) -> Iterator[str]:
    """Where a real API answers."""
    command = [sys.executable, "-m", "api", "--port", "0", "--models", str(toy_folder), "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://[\w.]+:\d+", process.stdout.readline())
        assert found, "its first line names its address"
        yield found.group()
        process.terminate()


@pytest.fixture(scope="session")
def scraped(address: str) -> Series:
    """What the API's own /metrics holds after a request of each kind, and what is scraped beside it."""
    frame = codecs.encode_mask(np.ones((32, 64), np.uint8))
    with httpx.Client(base_url=address, timeout=20) as client:
        give_up = time.monotonic() + 20
        while client.get("/v2/health/ready").status_code != 200:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        assert client.post("/segment", content=frame).status_code == 200
        with connect(f"{address.replace('http', 'ws', 1)}/stream") as stream:
            stream.send(frame)
            assert isinstance(stream.recv(timeout=20), str)
            assert isinstance(stream.recv(timeout=20), bytes)
        client.get("/metrics")
        text = client.get("/metrics").text
    found: Series = defaultdict(lambda: defaultdict(set))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name].update({label: found[sample.name][label] | {v} for label, v in sample.labels.items()})
    found["up"] = {}
    for labels in found.values():
        labels.update({label: set() for label in TARGET} | {"job": {"roadmask-api"}})
    return (
        found | recorded() | {name: {label: set() for label in KUBE_STATE_METRICS[name]} for name in KUBE_STATE_METRICS}
    )


def recorded() -> Series:
    """What the rules record: named by what it is grouped by, which are its labels."""
    return {"roadmask:category_share:rate30m": {"namespace": set(), "category": {"flat", "sky"}}}


def test_what_is_recorded_has_the_labels_that_it_is_asked_by() -> None:
    (rule,) = [rule for rule in promql.rules() if "record" in rule]
    assert rule["record"] in recorded()
    assert promql.read(rule["expr"])[1] == set(recorded()[rule["record"]])


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_series_and_label_that_is_asked_for_is_there(where: str, scraped: Series) -> None:
    selectors, labels = promql.read(EXPRESSIONS[where])
    asked = {selector.name for selector in selectors}
    assert asked, "it asks for nothing"
    assert not asked - set(scraped), "no such series"
    there = {label for name in asked for label in scraped[name]}
    assert not labels - there, "no such label to group or join by"
    for selector in selectors:
        for label, sign, value in selector.matchers:
            assert label in scraped[selector.name], f"{selector.name} has no label {label}"
            values = scraped[selector.name][label]
            if label == "status":
                values = {str(int(status)) for status in HTTPStatus} | {"499"}
            wanted = re.split(r"\|", value) if sign in {"=~", "!~"} and "(" not in value else [value]
            for one in wanted if values else ():
                assert any(re.fullmatch(one, it) for it in values), f"{label} is never {one}"


def test_a_series_or_label_that_is_not_there_is_found(scraped: Series) -> None:
    selectors, labels = promql.read(
        'sum by (kind, le) (rate(roadmask_frames{reason=~"a|b",x!="y"}[5m])) > 0.5 offset 1d'
    )
    assert selectors == [promql.Selector("roadmask_frames", (("reason", "=~", "a|b"), ("x", "!=", "y")))]
    assert labels == {"kind", "le"}
    assert "roadmask_frames" not in scraped
    assert scraped["roadmask_rejected_total"]["reason"] == {"full", "stopping", "not_ready", "body"}


def test_what_stands_in_the_queries_is_promql(tmp_path: Path) -> None:
    tool = promql.promtool()
    if tool is None:
        pytest.skip(promql.WITHOUT_PROMTOOL)
    queries = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(EXPRESSIONS.values())]
    file = tmp_path / "queries.yaml"
    for group, sound in (
        (queries, True),
        ([*queries, {"record": "query:broken", "expr": "sum by (x) rate(y)"}], False),
    ):
        file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": group}]}), encoding="utf-8")
        run = subprocess.run([tool, "check", "rules", str(file)], capture_output=True, text=True, timeout=60)
        assert (run.returncode == 0) is sound, run.stdout + run.stderr


def pods(depth: float, served: float, refused: float, count: int = 2) -> dict[str, str]:
    """Series of pods of three places: frames in the queue of each, and what each serves and refuses in a minute."""
    found = {}
    for number in range(count):
        pod = f'namespace="roadmask",pod="roadmask-api-{number}"'
        found[f"roadmask_queue_depth{{{pod}}}"] = f"{depth}x10"
        found[f"roadmask_queue_places{{{pod}}}"] = "3x10"
        found[f"roadmask_frames_total{{{pod}}}"] = f"0+{served / 4}x10"
        found[f'roadmask_rejected_total{{{pod},reason="full"}}'] = f"0+{refused / 4}x10"
    return found


def test_the_autoscaler_gets_as_many_pods_as_the_queues_need(tmp_path: Path) -> None:
    tool = promql.promtool()
    if tool is None:
        pytest.skip(promql.WITHOUT_PROMTOOL)
    cases: list[tuple[dict[str, str], float | None, float]] = [
        # Pods that the queue asks for, and those that the refusals ask for.
        (pods(depth=0, served=60, refused=0), 0, 0),
        (pods(depth=1.5, served=600, refused=0), 2, 0),
        (pods(depth=3, served=600, refused=0), 4, 0),
        (pods(depth=3, served=600, refused=300), 4, 3),
        (pods(depth=3, served=600, refused=6000), 4, 4),
        (pods(depth=3, served=0, refused=600), 4, 4),
        (pods(depth=1, served=600, refused=0.1), 2 / 3 * 2, 0),
        # Without a pod that tells, the queue gives no figure, at which KEDA falls back.
        ({}, None, 0),
    ]
    asked = [
        {
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f"({triggers()[name]['query']}) / {triggers()[name]['threshold']}",
                    "eval_time": "2m",
                    "exp_samples": [] if wanted is None else [{"labels": "{}", "value": wanted}],
                }
                for name, wanted in (("queue", queue), ("refusals", refusals))
            ],
        }
        for series, queue, refusals in cases
    ]
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": asked}), encoding="utf-8")
    run = subprocess.run([tool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
