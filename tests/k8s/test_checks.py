"""Each check is shown to fail: one thing is broken in a rendering that is sound, and the check names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from manifest_checks.broken import MISSING, TWICE, Broken
from manifest_checks.quantities import parse
from manifest_checks.table import CHECKS

COMPONENT = "app.kubernetes.io/component"
MONITORING, QUEUE, INGRESS = "cpu + monitoring", "cpu + autoscale-on-queue", "cpu + ingress"
KSERVE = "overlays/kserve"
HOST_PATH = {"name": "h", "hostPath": {"path": "/"}}
SECRET = {"name": "s", "secret": {"secretName": "s"}}
EARLY = [{"name": "A", "value": "$(INDEX)"}, {"name": "INDEX", "value": "1"}]
PRIVILEGED = {"name": "i", "image": "roadmask/gui:0.1.0", "securityContext": {"privileged": True}}

REFERENCES = [
    Broken("duplicates", "Service/roadmask-api is there twice", "Service/roadmask-api", TWICE),
    Broken("duplicates", "variable X is there twice", "api env", [{"name": "X", "value": "1"}] * 2),
    Broken("duplicates", "mount /tmp is there twice", "api volumeMounts +", {"name": "cache", "mountPath": "/tmp"}),
    Broken("namespaces", "not in roadmask", "Service/roadmask-api metadata namespace", "default"),
    Broken("namespaces", "in the namespace None", "Service/roadmask-api metadata namespace", MISSING),
    Broken("volumes", "the mount cache has no volume", "api-pod volumes 1", MISSING),
    Broken("volumes", "the volume cache is mounted nowhere", "api volumeMounts 1", MISSING),
    Broken("references", "ServiceAccount who", "api-pod serviceAccountName", "who"),
    Broken("references", "ConfigMap roadmask-api is not", "api envFrom 0 configMapRef name", "roadmask-api"),
    Broken("references", "is used by nobody", "api envFrom", MISSING),
    Broken("references", "Secret s is not", "api-pod volumes +", SECRET),
    Broken("references", "ServiceAccount/roadmask-api is used by nobody", "Deployment/roadmask-api", MISSING),
    Broken("accounts", "default account", "api-pod serviceAccountName", MISSING),
    Broken(
        "accounts", "default account", "InferenceService/roadmask spec predictor serviceAccountName", MISSING, KSERVE
    ),
    Broken("accounts", "automountServiceAccountToken", "api-pod automountServiceAccountToken", True),
    Broken("accounts", "t/roadmask-gui: auto", "ServiceAccount/roadmask-gui automountServiceAccountToken", MISSING),
    Broken("targets", "scales Deployment/api", "scaler scaleTargetRef name", "api"),
    Broken("targets", "sets replicas", "Deployment/roadmask-api spec replicas", 2),
    Broken("targets", "no replicas", "HorizontalPodAutoscaler/roadmask-api", MISSING),
    Broken("targets", "scaled by two", "HorizontalPodAutoscaler/roadmask-api", TWICE),
    Broken("backends", "which is not there", "Service/roadmask-api", MISSING, INGRESS),
    Broken("backends", "which it has not", "Service/roadmask-api spec ports 0", {"port": 9}, INGRESS),
    Broken("backends", "which it has not", "Service/roadmask-gui spec ports 0", {"port": 9}, "cpu + gateway"),
]
SELECTORS = [
    Broken("own_pods", "doesn't select its own", f"api-selector {COMPONENT}", "nobody"),
    Broken("own_pods", "selects the pods of Deployment/roadmask-gui", f"api-selector {COMPONENT}", MISSING),
    Broken(
        "own_pods",
        "doesn't count its own",
        "api-pod topologySpreadConstraints 0 labelSelector",
        {"matchLabels": {"a": "b"}},
    ),
    Broken("own_pods", "no topologySpread", "api-pod topologySpreadConstraints", MISSING),
    Broken("others_pods", "roadmask-api selects no pod", f"Service/roadmask-api spec selector {COMPONENT}", "nobody"),
    Broken(
        "others_pods",
        "pods of Deployment/roadmask-api, Dep",
        f"Service/roadmask-gui spec selector {COMPONENT}",
        MISSING,
    ),
    Broken("others_pods", "has no selector", "Service/roadmask-gui spec selector", MISSING),
    Broken("others_pods", "Budget/roadmask-api selects no pod", f"budget selector matchLabels {COMPONENT}", "nobody"),
    Broken(
        "others_pods", "Policy/roadmask-api selects no", f"api-policy podSelector matchLabels {COMPONENT}", "nobody"
    ),
    Broken(
        "monitors", "selects no Service", "ServiceMonitor/roadmask-api spec selector matchLabels a", "b", MONITORING
    ),
    Broken("monitors", "has no port web", "ServiceMonitor/roadmask-api spec endpoints 0 port", "web", MONITORING),
    Broken(
        "monitors",
        "doesn't look into",
        "ServiceMonitor/roadmask-api spec namespaceSelector",
        {"matchNames": ["a"]},
        MONITORING,
    ),
    Broken("peers", "is no pod", f"api-policy ingress 0 from 0 podSelector matchLabels {COMPONENT}", "nobody"),
    Broken("peers", "clients are narrowed", f"api-policy ingress 0 from 1 podSelector matchLabels {COMPONENT}", "api"),
    Broken("peers", "other namespaces are left out", "api-policy ingress 0 from 1 namespaceSelector", MISSING),
]
PORTS = [
    Broken("ports", "Service/roadmask-api: Deployment", "Service/roadmask-api spec ports 0 targetPort", "web"),
    Broken("ports", "livenessProbe asks port web", "api livenessProbe httpGet port", "web"),
    Broken(
        "ports", "Policy/roadmask-api: Deployment/roadmask-api has no port 8", "api-policy ingress 0 ports 0 port", 8
    ),
    Broken(
        "ports", "-gui: Deployment/roadmask-api has no", "NetworkPolicy/roadmask-gui spec egress 0 ports 0 port", "web"
    ),
    Broken("listening", "it listens on 8001", "api-settings ROADMASK_PORT", "8001"),
    Broken("listening", "nobody else can reach", "api-settings ROADMASK_HOST", "127.0.0.1"),
    Broken("page_asks_api", "has no port 80", "gui-settings ROADMASK_GUI_API", "http://roadmask-api"),
    Broken("page_asks_api", "'api', which it asks", "gui-settings ROADMASK_GUI_API", "http://api:8000"),
    Broken("page_asks_api", "no Service of the", "gui-settings ROADMASK_GUI_API", "http://roadmask-api.default:8000"),
    Broken("probes", "/healthz, which is no route", "api readinessProbe httpGet path", "/healthz"),
    Broken("probes", "/segment, which is no route", "api readinessProbe httpGet path", "/segment"),
    Broken("probes", "/ready, which is no route", "gui readinessProbe httpGet path", "/ready"),
    Broken("probes", "two probes ask the same", "api readinessProbe httpGet path", "/v2/health/live"),
    Broken("probes", "no startupProbe", "api startupProbe", MISSING),
    Broken("probes", "no livenessProbe", "ServingRuntime/roadmask spec containers 0 livenessProbe", MISSING, KSERVE),
    Broken("page_asks_api", "'roadmask-predictor', which", "InferenceService/roadmask metadata name", "a", KSERVE),
    Broken("ports", "has no port 8014", "api-policy ingress 0 ports 0 port", 8014, KSERVE),
]
AMOUNTS = [
    Broken("quantities", "'1Gb' is no quantity", "api resources limits memory", "1Gb"),
    Broken("quantities", "'0' is not more than 0", "api resources requests cpu", "0"),
    Broken("quantities", "'64MB' is no quantity", "api-pod volumes 0 emptyDir sizeLimit", "64MB"),
    Broken("resources", "requests 3 of cpu, more than its limit 2", "api resources requests cpu", "3"),
    Broken("resources", "no limits of memory", "api resources limits memory", MISSING),
    Broken("resources", "its request is its limit", "api resources requests memory", "512Mi"),
    Broken("resources", "can't be shared", "api resources requests nvidia.com/gpu", MISSING, "overlays/cuda"),
    Broken("threads", "4 threads, but the CPU limit is 2", "api-settings ROADMASK_THREADS", "4"),
    Broken("threads", "ROADMASK_THREADS is not set", "api-settings ROADMASK_THREADS", MISSING),
    Broken("scratch", "no sizeLimit", "api-pod volumes 0 emptyDir", {}),
    Broken("scratch", "may store", "api-pod volumes 0 emptyDir sizeLimit", "1Gi"),
    Broken("scaling", "at least 20, at most 10", "scaler minReplicas", 20),
    Broken("scaling", "at least 2, at most 1", "ScaledObject/roadmask-api spec maxReplicaCount", 1, QUEUE),
    Broken("scaling", "at least 20, at most 10", "InferenceService/roadmask spec predictor minReplicas", 20, KSERVE),
    Broken("scaling", "down to none", "ScaledObject/roadmask-api spec minReplicaCount", 0, QUEUE),
    Broken("scaling", "no pod may be evicted", "budget maxUnavailable", 0),
    Broken("scaling", "no pod may be evicted", "budget minAvailable", 2),
    Broken("scaling", "no PodDisruptionBudget", "PodDisruptionBudget/roadmask-api", MISSING),
    Broken("rollout", "take a pod away", "api-rolling maxUnavailable", "25%"),
    Broken("rollout", "take a pod away", "Deployment/roadmask-api spec strategy", {"type": "Recreate"}),
    Broken("rollout", "no update can begin", "api-rolling maxSurge", 0),
    Broken("grace", "killed after 30 s", "api-pod terminationGracePeriodSeconds", 30),
    Broken("grace", "killed after 40 s", "api-settings ROADMASK_SHUTDOWN_TIMEOUT_S", "60"),
    Broken("grace", "preStop waits 0 s", "gui lifecycle", MISSING),
    Broken("grace", "in the pod's status", "api terminationMessagePolicy", MISSING),
    Broken("affinity", "sessionAffinity", "Service/roadmask-gui spec sessionAffinity", MISSING),
]
SECURITY = [
    Broken("pod_security", "hostNetwork is on", "api-pod hostNetwork", True),
    Broken("pod_security", "of the kind hostPath", "api-pod volumes +", HOST_PATH),
    Broken("pod_security", "sysctls", "api-pod securityContext sysctls", [{"name": "a", "value": "b"}]),
    Broken("pod_security", "root's", "api-pod securityContext supplementalGroups", [0]),
    Broken("pod_security", "privileged", "api securityContext privileged", True),
    Broken("pod_security", "container i: privileged", "api-pod initContainers", [PRIVILEGED]),
    Broken("pod_security", "allowPrivilegeEscalation", "api securityContext allowPrivilegeEscalation", MISSING),
    Broken("pod_security", "not all dropped", "api securityContext capabilities drop", ["NET_RAW"]),
    Broken("pod_security", "['SYS_ADMIN'] are added", "api securityContext capabilities add", ["SYS_ADMIN"]),
    Broken("pod_security", "runAsNonRoot is not true", "api-pod securityContext runAsNonRoot", MISSING),
    Broken("pod_security", "runAsNonRoot is not true", "api securityContext runAsNonRoot", False),
    Broken("pod_security", "runAsUser is root", "api securityContext runAsUser", 0),
    Broken("pod_security", "seccompProfile is None", "api-pod securityContext seccompProfile", MISSING),
    Broken("pod_security", "procMount", "api securityContext procMount", "Unmasked"),
    Broken("pod_security", "the host's port 80", "api ports 0 hostPort", 80),
    Broken("hardening", "runAsGroup is None", "api-pod securityContext runAsGroup", MISSING),
    Broken("hardening", "readOnlyRootFilesystem", "api securityContext readOnlyRootFilesystem", MISSING),
    Broken("hardening", "enableServiceLinks", "api-pod enableServiceLinks", MISSING),
    Broken(
        "hardening",
        "enforce is not restricted",
        "Namespace/roadmask metadata labels pod-security.kubernetes.io/enforce",
        "baseline",
    ),
    Broken("images", "is not pinned", "api image", "roadmask/api-cpu:latest"),
    Broken("images", "is not pinned", "api image", "roadmask/api-cpu"),
    Broken("images", "names the registry", "api image", "registry.example/roadmask/api-cpu:0.1.0"),
    Broken("images", "there is no api-fpga.Containerfile", "api image", "roadmask/api-fpga:0.1.0"),
    Broken("images", "is no image", "api image", ""),
    Broken("closed", "roadmask-api: no policy of its own closes its egress", "api-policy policyTypes", ["Ingress"]),
    Broken("closed", "to whoever joins it later", "NetworkPolicy/roadmask-closed", MISSING),
]
SETTINGS = [
    Broken("settings", "knows no ROADMASK_THREAD", "api-settings ROADMASK_THREAD", "2"),
    Broken("settings", "knows no ROADMASK_PORT", "gui env", [{"name": "ROADMASK_PORT", "value": "8080"}]),
    Broken("settings", "ROADMASK_PROVIDERS is 'gpu'", "api-settings ROADMASK_PROVIDERS", "gpu"),
    Broken("settings", "ROADMASK_GUI_API is 'roadmask-api'", "gui-settings ROADMASK_GUI_API", "roadmask-api"),
    Broken("paths", "/var/cache is on no volume", "api-settings ROADMASK_CACHE", "/var/cache"),
    Broken("paths", "ROADMASK_CACHE=/cache is read-only", "api volumeMounts 1 readOnly", True),
    Broken("paths", "ROADMASK_MODELS=/tmp is writable", "api-settings ROADMASK_MODELS", "/tmp"),
    Broken("memory", "the memory limit is 1Gi", "api resources limits memory", "1Gi"),
    Broken("memory", "MiB may be needed", "api-settings ROADMASK_QUEUE_SIZE", "100"),
    Broken("expansions", "A uses $(INDEX), which is not defined before", "api env", EARLY),
    Broken("expansions", "the argument '$(INDEX)/8'", "api args", ["$(INDEX)/8"]),
]  # fmt: skip
BROKEN = [*REFERENCES, *SELECTORS, *PORTS, *AMOUNTS, *SECURITY, *SETTINGS]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_what_is_broken_is_told(rendered: Callable[[str], list[dict[str, Any]]], broken: Broken) -> None:
    sound = rendered(broken.rendering)
    assert not any(broken.words in line for line in CHECKS[broken.check](sound))
    told = CHECKS[broken.check](broken.of(sound))
    assert any(broken.words in line for line in told), told


def test_each_check_is_shown_to_fail() -> None:
    assert {broken.check for broken in BROKEN} == set(CHECKS)


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", "0.25"), ("1Gi", 2**30), (2, 2), ("1.5", "1.5"), ("1e3", 1000), ("100k", 100_000), ("2E", 2 * 10**18)],
)
def test_quantities(text: object, value: object) -> None:
    assert parse(text) == parse(value)


@pytest.mark.parametrize("text", ["", "1 Gi", "1GiB", "m", "0x10", "1K", "two", "1,5"])
def test_no_quantities(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        parse(text)
