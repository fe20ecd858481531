"""How many there are, and how one goes and another comes, without losing a frame."""

from __future__ import annotations

from manifest_checks.containerfiles import module
from manifest_checks.manifests import Object, containers, label, of_kind, pods, selects, variables

from api.settings import Settings
from gui.__main__ import STOP_WITHIN_S

PROXIES_LEARN_S = 3
"""What proxies and endpoint lists take to learn that a pod is going, as a rule; preStop is no shorter."""

MARGIN_S = 5
"""Between the last answer's latest moment and the kill."""


def scaling(objects: list[Object]) -> list[str]:
    """The least is no more than the most, and more than none; a budget lets a node be drained."""
    wrong = []
    for item in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        spec = item["spec"]
        least = spec.get("minReplicas", spec.get("minReplicaCount", 1 if "metrics" in spec else 0))
        most = spec.get("maxReplicas", spec.get("maxReplicaCount", 100))
        if least > most:
            wrong.append(f"{label(item)}: at least {least}, at most {most}")
        if least < 1:
            wrong.append(f"{label(item)}: down to none, and a frame can't wait for a pod")
    for service in of_kind(objects, "InferenceService"):
        predictor = service["spec"]["predictor"]
        if predictor.get("minReplicas", 1) > predictor.get("maxReplicas", 1):
            wrong.append(f"{label(service)}: at least {predictor['minReplicas']}, at most {predictor['maxReplicas']}")
    return wrong + _budgets(objects)


def _budgets(objects: list[Object]) -> list[str]:
    wrong = []
    for budget in of_kind(objects, "PodDisruptionBudget"):
        spec = budget["spec"]
        for workload in of_kind(objects, "Deployment", "StatefulSet"):
            if not selects(spec["selector"], workload["spec"]["template"]["metadata"]["labels"]):
                continue
            kept = spec.get("minAvailable", 0)
            least = _least(objects, workload)
            if spec.get("maxUnavailable") in (0, "0%") or kept == "100%" or (isinstance(kept, int) and kept >= least):
                wrong.append(f"{label(budget)}: no pod may be evicted, so no node can be drained")
    budgeted = [item["spec"]["selector"] for item in of_kind(objects, "PodDisruptionBudget")]
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        if not any(selects(item, workload["spec"]["template"]["metadata"]["labels"]) for item in budgeted):
            wrong.append(f"{label(workload)}: no PodDisruptionBudget")
    return wrong


def _least(objects: list[Object], workload: Object) -> int:
    for item in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        if item["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]:
            return int(item["spec"].get("minReplicas", item["spec"].get("minReplicaCount", 1)))
    return int(workload["spec"].get("replicas", 1))


def rollout(objects: list[Object]) -> list[str]:
    """An update starts a pod before it ends one."""
    wrong = []
    for workload in of_kind(objects, "Deployment"):
        strategy = workload["spec"].get("strategy", {})
        rolling = strategy.get("rollingUpdate", {})
        if strategy.get("type") != "RollingUpdate" or rolling.get("maxUnavailable") not in (0, "0%"):
            wrong.append(f"{label(workload)}: an update may take a pod away before there is another")
        elif rolling.get("maxSurge") in (None, 0, "0%"):
            wrong.append(f"{label(workload)}: no update can begin with maxSurge {rolling.get('maxSurge')}")
    return wrong


def grace(objects: list[Object]) -> list[str]:
    """Who serves waits for the proxies before it stops, and has time for what it admitted before it is killed."""
    wrong = []
    for pod, container, where in containers(objects):
        name = module(container)
        if not pod.owner.startswith("Deployment/") or name not in ("api", "gui"):
            continue
        waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if waits < PROXIES_LEARN_S:
            wrong.append(f"{where}: preStop waits {waits} s, proxies take {PROXIES_LEARN_S} to learn that it is going")
        finishes = STOP_WITHIN_S
        if name == "api":
            finishes = int(
                variables(objects, container).get("ROADMASK_SHUTDOWN_TIMEOUT_S") or Settings.shutdown_timeout_s
            )
        granted = pod.spec.get("terminationGracePeriodSeconds", 30)
        if granted < waits + finishes + MARGIN_S:
            wrong.append(f"{where}: killed after {granted} s, but it may need {waits} + {finishes} + {MARGIN_S}")
        if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            wrong.append(f"{where}: why it ended wouldn't be in the pod's status")
    return wrong


def affinity(objects: list[Object]) -> list[str]:
    """A visitor's requests come back to the pod that drew the page."""
    wrong = []
    for service in of_kind(objects, "Service"):
        selector = {"matchLabels": service["spec"].get("selector") or {"": "nobody"}}
        page = any(pod.component == "gui" and selects(selector, pod.labels) for pod in pods(objects))
        if page and service["spec"].get("sessionAffinity") != "ClientIP":
            wrong.append(f"{label(service)}: sessionAffinity is not ClientIP")
    return wrong
