"""Who reaches whom, by the NetworkPolicies as the cluster's network evaluates them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from manifest_checks.manifests import of_kind
from manifest_checks.network import Place, passes, pod_of

Objects = list[dict[str, Any]]

CLIENT = {"roadmask-client": "true"}
PAGE = {"app.kubernetes.io/name": "roadmask", "app.kubernetes.io/component": "gui"}
DNS = Place("DNS", {"k8s-app": "kube-dns"}, "kube-system")
OTHERS = {
    "stranger": Place("stranger", {"app": "x"}),
    "stranger elsewhere": Place("stranger elsewhere", {"app": "x"}, "default"),
    "client": Place("client", CLIENT),
    "client elsewhere": Place("client elsewhere", CLIENT, "vision"),
    "no client": Place("no client", {"roadmask-client": "false"}, "vision"),
    "page elsewhere": Place("page elsewhere", PAGE, "default"),
    "Prometheus": Place("Prometheus", {"app": "prometheus"}, "monitoring"),
    "DNS": DNS,
    "DNS's namesake": Place("DNS's namesake", {"k8s-app": "kube-dns"}, "default"),
    "node's DNS": Place("node's DNS", address="169.254.20.10"),
    "internet": Place("internet", address="203.0.113.7"),
    "metadata service": Place("metadata service", address="169.254.169.254"),
}

# Who asks, whom, on which port, whether it passes: in every overlay whose API is a Deployment.
TABLE = [
    ("gui", "api", 8000, True),
    ("gui", "api", 22, False),
    ("client elsewhere", "api", 8000, True),
    ("client", "api", 9000, False),
    ("Prometheus", "api", 8000, True),
    ("internet", "gui", 8080, True),
    ("stranger elsewhere", "gui", 8080, True),
    # Whoever joins our namespace gets out of it only by a policy that comes along.
    ("client", "api", 8000, False),
    ("stranger", "gui", 8080, False),
    ("internet", "gui", 22, False),
    ("api", "gui", 8080, False),
    ("api", "internet", 443, False),
    ("api", "metadata service", 80, False),
    ("api", "stranger", 80, False),
    ("api", "DNS", 53, True),
    ("api", "DNS", 443, False),
    ("api", "node's DNS", 53, True),
    ("api", "DNS's namesake", 53, False),
    ("gui", "DNS", 53, True),
    ("gui", "internet", 443, False),
    ("gui", "metadata service", 80, False),
    ("gui", "stranger", 80, False),
    ("stranger", "client", 80, False),
]
# Where nobody comes through a node's port.
CLOSED_IN_CLUSTERS = [
    ("stranger", "api", 8000, False),
    ("stranger elsewhere", "api", 8000, False),
    ("no client", "api", 8000, False),
    ("page elsewhere", "api", 8000, False),
    ("internet", "api", 8000, False),
]
DEPLOYED = (
    "overlays/cpu",
    "overlays/cuda",
    "overlays/openvino",
    "overlays/local",
    "cpu + monitoring",
    "cpu + api-keys",
)
CASES = [
    *((name, *case) for name in DEPLOYED for case in TABLE),
    *((name, *case) for name in DEPLOYED if "local" not in name for case in CLOSED_IN_CLUSTERS),
    *(("overlays/local", asks, "api", 8000, True) for asks in ("internet", "stranger elsewhere")),
]


def place(objects: Objects, name: str) -> Place:
    return OTHERS[name] if name in OTHERS else pod_of(objects, name)


@pytest.mark.parametrize(("rendering", "asks", "asked", "port", "allowed"), CASES)
def test_who_reaches_whom(
    rendered: Callable[[str], Objects], rendering: str, asks: str, asked: str, port: int, allowed: bool
) -> None:
    objects = rendered(rendering)
    protocols = ("UDP", "TCP") if port == 53 else ("TCP",)
    for protocol in protocols:
        assert passes(objects, place(objects, asks), place(objects, asked), port, protocol) is allowed


@pytest.mark.parametrize(
    ("asks", "asked", "port", "allowed"),
    [
        ("gateway", "api", 8012, True),
        ("gateway", "api", 22, False),
        ("gui", "gateway", 8081, True),
        ("gui", "internet", 443, False),
        ("client", "api", 8012, False),
        ("stranger", "api", 8000, False),
        ("Prometheus", "api", 8000, True),
        ("api", "internet", 443, False),
        ("api", "DNS", 53, True),
    ],
)
def test_on_kserve_requests_come_through_the_gateway(
    rendered: Callable[[str], Objects], asks: str, asked: str, port: int, allowed: bool
) -> None:
    objects = rendered("overlays/kserve")
    gateway = Place("gateway", {"app": "3scale-kourier-gateway"}, "kourier-system")
    places = [gateway if name == "gateway" else place(objects, name) for name in (asks, asked)]
    assert passes(objects, *places, port) is allowed


def test_traces_let_the_api_out_to_the_collector_alone(rendered: Callable[[str], Objects]) -> None:
    objects = rendered("cpu + traces")
    api, collector = pod_of(objects, "api"), Place("collector", namespace="observability")
    assert passes(objects, api, collector, 4318)
    assert not passes(objects, api, collector, 22)
    assert not passes(objects, api, OTHERS["internet"], 4318)
    assert not passes(objects, pod_of(objects, "gui"), collector, 4318)
    assert not passes(rendered("overlays/cpu"), api, collector, 4318)


def test_the_evaluator_sees_a_policy_that_is_too_wide(rendered: Callable[[str], Objects]) -> None:
    objects = copy.deepcopy(rendered("overlays/cpu"))
    api = pod_of(objects, "api")
    policy = next(item for item in of_kind(objects, "NetworkPolicy") if item["metadata"]["name"] == "roadmask-api")
    policy["spec"]["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}]})
    assert passes(objects, api, OTHERS["internet"], 443)
    assert not passes(objects, api, OTHERS["metadata service"], 80)
    # Labels beside each other in one peer narrow it, as `includeSelectors` would: a client is let in no more.
    policy["spec"]["ingress"][0]["from"][1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] = "api"
    assert not passes(objects, OTHERS["client"], api, 8000)
    objects.remove(policy)
    assert not passes(objects, OTHERS["client"], api, 8000), "the namespace is closed by itself"
