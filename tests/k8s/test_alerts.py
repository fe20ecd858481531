"""Each alert fires when it should and is silent when it nearly should; its text leads to what is to be done."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql
import pytest
import yaml
from manifest_checks.renderings import compose, render

ALERTS = {rule["alert"]: rule for rule in promql.rules() if "alert" in rule}

Series = dict[str, str]
"""A series to its values in promtool's notation: `0+6x30` begins at 0 and grows by 6 a minute for 30 minutes."""

POD = 'namespace="roadmask",pod="roadmask-api-1",container="api"'


@dataclass(frozen=True)
class Case:
    """What Prometheus holds when the alert fires, and what it holds when it must not."""

    fires: Series
    silent: tuple[Series, ...]
    minute: int = 30
    """At which it is asked."""


def requests(route: str = "/segment", **rate_by_status: float) -> Series:
    """Requests a minute, by status (`_500=2`)."""
    return {
        f'roadmask_requests_total{{{POD},route="{route}",method="POST",status="{status[1:]}"}}': f"0+{rate}x60"
        for status, rate in rate_by_status.items()
    }


def buckets(name: str, label: str, rates: dict[str, float]) -> Series:
    """A histogram's buckets, each with how many fall into it a minute."""
    return {f'roadmask_{name}_bucket{{{POD},{label},le="{bound}"}}': f"0+{rate}x60" for bound, rate in rates.items()}


def plain(name: str, values: str, labels: str = "") -> Series:
    """One series of a pod."""
    return {f"{name}{{{POD}{labels}}}": values}


def frames(a_minute: float) -> Series:
    return plain("roadmask_frames_total", f"0+{a_minute}x60", ',model="accurate-int8",provider="cpu"')


def refused(a_minute: float, reason: str = "full") -> Series:
    return plain("roadmask_rejected_total", f"0+{a_minute}x60", f',reason="{reason}"')


def day(flat: str, other: str, frames_a_step: int) -> Series:
    """Pixels and frames in steps of a minute: one day, and 2 hours of another."""
    return {
        f'roadmask_pixels_total{{{POD},category="flat"}}': f"0+50x1440 {flat}x120",
        f'roadmask_pixels_total{{{POD},category="object"}}': f"0+50x1440 {other}x120",
        f"roadmask_frames_total{{{POD}}}": f"0+{frames_a_step}x1560",
    }


def workload(name: str, value: str, label: str = "deployment", of: str = "roadmask-api") -> Series:
    return {f'kube_{name}{{namespace="roadmask",{label}="{of}"}}': value}


LAST_END = "kube_pod_container_status_last_terminated_reason"
RESTARTS = "kube_pod_container_status_restarts_total"
MAXIMUM = workload("horizontalpodautoscaler_spec_max_replicas", "10x60", "horizontalpodautoscaler")
REPLICAS = "horizontalpodautoscaler_status_current_replicas"
UP = f'up{{job="roadmask-api",{POD}}}'

CASES = {
    "RoadmaskDown": Case(
        {UP: "0x60"}, ({UP: "1x60"}, {UP: "1x20 0x1 1x40"}, {UP: "0x60", UP.replace("-1", "-2"): "1x60"})
    ),
    "RoadmaskNotReady": Case(
        requests("/v2/health/ready", _503=30),
        (requests("/v2/health/started", _200=30), requests("/v2/health/live", _503=30), requests(_503=30)),
    ),
    "RoadmaskErrors": Case(
        requests(_200=98, _500=2),
        (
            requests(_200=999, _500=1),
            requests(_200=50, _503=25, _504=25),
            requests(_200=100) | requests("/v2/health/ready", _500=30),
        ),
    ),
    "RoadmaskRefusing": Case(
        refused(6) | frames(94),
        (refused(4) | frames(96), refused(50, "stopping") | refused(0) | frames(50)),
    ),
    "RoadmaskSlow": Case(
        buckets("request_seconds", 'route="/segment"', {"0.3": 90, "0.5": 98, "1": 100, "+Inf": 100}),
        (
            buckets("request_seconds", 'route="/segment"', {"0.3": 90, "0.5": 99, "1": 100, "+Inf": 100}),
            buckets("request_seconds", 'route="/compare"', {"0.3": 0, "0.5": 0, "1": 100, "+Inf": 100}),
        ),
    ),
    "RoadmaskStageSlow": Case(
        buckets("stage_seconds", 'stage="infer"', {"0.2": 90, "0.3": 98, "0.5": 100, "+Inf": 100}),
        (buckets("stage_seconds", 'stage="infer"', {"0.2": 90, "0.3": 99, "0.5": 100, "+Inf": 100}),),
    ),
    "RoadmaskDeadlines": Case(
        plain("roadmask_expired_total", "0+2x60") | frames(98),
        (plain("roadmask_expired_total", "0+1x60") | frames(199),),
    ),
    "RoadmaskQueueNearlyFull": Case(
        plain("roadmask_queue_depth", "3x60") | plain("roadmask_queue_places", "3x60"),
        (plain("roadmask_queue_depth", "2x60") | plain("roadmask_queue_places", "3x60"),),
    ),
    "RoadmaskModelLoadFailed": Case(
        plain("roadmask_model_loads_total", "0x20 1x40", ',result="failed"'),
        (
            plain("roadmask_model_loads_total", "0x20 1x40", ',result="loaded"'),
            plain("roadmask_model_loads_total", "0x5 1x55", ',result="failed"'),
        ),
    ),
    "RoadmaskSceneChanged": Case(
        day("72005+5", "72095+95", 10),
        (day("72050+50", "72050+50", 10), day("72030+30", "72070+70", 10), day("72005+5", "72095+95", 1)),
        minute=1540,
    ),
    "RoadmaskMemoryNearLimit": Case(
        plain("process_resident_memory_bytes", "950x60", ',job="roadmask-api"')
        | plain("kube_pod_container_resource_limits", "1000x60", ',resource="memory"'),
        (
            plain("process_resident_memory_bytes", "850x60", ',job="roadmask-api"')
            | plain("kube_pod_container_resource_limits", "1000x60", ',resource="memory"'),
            plain("process_resident_memory_bytes", "950x60", ',job="roadmask-api"'),
        ),
    ),
    "RoadmaskOutOfMemory": Case(
        plain(LAST_END, "0x20 1x40", ',reason="OOMKilled"') | plain(RESTARTS, "0x20 1x40"),
        (
            plain(LAST_END, "0x20 1x40", ',reason="Error"') | plain(RESTARTS, "0x20 1x40"),
            plain(LAST_END, "1x60", ',reason="OOMKilled"') | plain(RESTARTS, "1x60"),
        ),
    ),
    "RoadmaskRestarts": Case(plain(RESTARTS, "0x10 1x3 2x3 3x44"), (plain(RESTARTS, "0x10 1x50"),)),
    "RoadmaskPodsMissing": Case(
        workload("deployment_status_replicas_available", "1x60") | workload("deployment_spec_replicas", "2x60"),
        (
            workload("deployment_status_replicas_available", "2x60") | workload("deployment_spec_replicas", "2x60"),
            workload("deployment_status_replicas_available", "1x60", of="another")
            | workload("deployment_spec_replicas", "2x60", of="another"),
        ),
    ),
    "RoadmaskUpdateStuck": Case(
        workload("deployment_status_replicas_updated", "1x60") | workload("deployment_spec_replicas", "2x60"),
        (workload("deployment_status_replicas_updated", "1x10 2x50") | workload("deployment_spec_replicas", "2x60"),),
    ),
    "RoadmaskAtMaximum": Case(
        workload(REPLICAS, "10x60", "horizontalpodautoscaler") | MAXIMUM,
        (workload(REPLICAS, "9x60", "horizontalpodautoscaler") | MAXIMUM,),
    ),
}


def test_every_alert_has_its_case() -> None:
    assert set(CASES) == set(ALERTS)


@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_and_is_silent(alert: str, tmp_path: Path) -> None:
    tool = promql.promtool()
    if tool is None:
        pytest.skip(promql.WITHOUT_PROMTOOL)
    case = CASES[alert]
    # A day of the other rules would take seconds.
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if rule.get("alert", alert) == alert]}
        for group in promql.rule_groups()["groups"]
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")

    def asked(series: Series, firing: int) -> dict[str, Any]:
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                    "eval_time": f"{case.minute}m",
                    "exp_samples": [{"labels": "{}", "value": firing}],
                }
            ],
        }

    tests = [asked(case.fires, 1), *(asked(series, 0) for series in case.silent)]
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
    run = subprocess.run([tool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_is_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == alert.lower(), "a heading's anchor is the heading in small letters"
    text = (promql.REPOSITORY / path).read_text(encoding="utf-8")
    (paragraph,) = re.findall(rf"^## {alert}\n\n(.+?)(?=\n\n## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert paragraph.lower().startswith(f"*{rule['labels']['severity']}.*")
    assert ("kube_" in rule["expr"]) is ("◆" in paragraph), "whether it needs kube-state-metrics"


def test_no_paragraph_is_of_an_alert_that_is_gone() -> None:
    text = (promql.MONITORING / "ALERTS.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (\w+)$", text, re.MULTILINE)) == set(ALERTS)


def test_descriptions_name_labels_that_the_alert_has() -> None:
    for alert, rule in ALERTS.items():
        grouped = promql.read(rule["expr"])[1]
        of_the_series = {"namespace", "pod", "container", "deployment"} if "by (" not in rule["expr"] else grouped
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]))
        assert named <= of_the_series, f"{alert} names {named - of_the_series}"


def test_with_api_keys_prometheus_is_given_one(tmp_path: Path, rendered: Callable[[str], list[dict[str, Any]]]) -> None:
    def monitor(objects: list[dict[str, Any]]) -> dict[str, Any]:
        (found,) = [item for item in objects if item["kind"] == "ServiceMonitor"]
        endpoint: dict[str, Any] = found["spec"]["endpoints"][0]
        return endpoint

    assert "authorization" not in monitor(rendered("cpu + monitoring"))
    with_keys = monitor(render(compose(tmp_path / "with_keys", "cpu", ("monitoring", "api-keys"))))
    assert with_keys["authorization"]["credentials"] == {"name": "roadmask-api-keys", "key": "metrics"}
