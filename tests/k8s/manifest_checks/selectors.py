"""Selectors select what they are meant for."""

from __future__ import annotations

from manifest_checks.manifests import NAMESPACE, Object, label, of_kind, pods, selects

CLIENT = "roadmask-client"
"""Whoever carries it, of whatever namespace, may ask the API."""


def own_pods(objects: list[Object]) -> list[str]:
    """A workload selects its own pods and nobody else's; its spread and affinity rules count its own pods."""
    wrong = []
    workloads = {label(item): item for item in of_kind(objects, "Deployment", "StatefulSet", "DaemonSet")}
    for pod in pods(objects):
        for name, workload in workloads.items():
            selected = selects(workload["spec"]["selector"], pod.labels)
            if selected and name != pod.owner:
                wrong.append(f"{name} selects the pods of {pod.owner}")
            if not selected and name == pod.owner:
                wrong.append(f"{name} doesn't select its own pods")
        for spread in pod.spec.get("topologySpreadConstraints", []):
            if not selects(spread.get("labelSelector"), pod.labels):
                wrong.append(f"{pod.owner}: the spread over {spread['topologyKey']} doesn't count its own pods")
        if pod.owner in workloads and not pod.spec.get("topologySpreadConstraints"):
            wrong.append(f"{pod.owner}: no topologySpreadConstraints, so one node may get all of its pods")
    return wrong


def others_pods(objects: list[Object]) -> list[str]:
    """Services, budgets and policies select the pods of one component, which are there."""
    wrong = []
    for item in of_kind(objects, "Service", "PodDisruptionBudget", "NetworkPolicy"):
        selector = _selector(item)
        if not selector:
            if item["kind"] != "NetworkPolicy":
                wrong.append(f"{label(item)} has no selector")
            continue
        selected = {pod.owner for pod in pods(objects) if selects(selector, pod.labels)}
        if not selected:
            wrong.append(f"{label(item)} selects no pod")
        if len(selected) > 1:
            wrong.append(f"{label(item)} selects the pods of {', '.join(sorted(selected))}")
    return wrong


def _selector(item: Object) -> Object:
    if item["kind"] == "Service":
        return {"matchLabels": item["spec"]["selector"]} if item["spec"].get("selector") else {}
    found: Object = item["spec"].get("podSelector" if item["kind"] == "NetworkPolicy" else "selector", {})
    return found


def monitors(objects: list[Object]) -> list[str]:
    """A ServiceMonitor selects a Service, on a port that it names."""
    wrong = []
    for monitor in of_kind(objects, "ServiceMonitor"):
        spec = monitor["spec"]
        within = spec.get("namespaceSelector", {})
        if within and NAMESPACE not in within.get("matchNames", []) and not within.get("any"):
            wrong.append(f"{label(monitor)} doesn't look into the namespace {NAMESPACE}")
        found = [
            item
            for item in of_kind(objects, "Service")
            if selects(spec["selector"], item["metadata"].get("labels", {}))
        ]
        if not found:
            wrong.append(f"{label(monitor)} selects no Service")
        for service in found:
            names = {port.get("name") for port in service["spec"]["ports"]}
            for endpoint in spec["endpoints"]:
                if endpoint.get("port") not in names:
                    wrong.append(f"{label(monitor)}: {label(service)} has no port {endpoint.get('port')}")
    return wrong


def peers(objects: list[Object]) -> list[str]:
    """Peers of our own namespace are there, and a client is whoever carries the one label, and no other condition."""
    wrong = []
    for policy in of_kind(objects, "NetworkPolicy"):
        for peer in policy_peers(policy):
            selector = peer.get("podSelector")
            if not selector:
                continue
            wanted = selector.get("matchLabels", {})
            if CLIENT in wanted:
                if selector != {"matchLabels": {CLIENT: "true"}}:
                    wrong.append(f"{label(policy)}: clients are narrowed to {selector}")
                if peer.get("namespaceSelector") != {}:
                    wrong.append(f"{label(policy)}: clients of other namespaces are left out")
            elif "namespaceSelector" not in peer and not any(selects(selector, pod.labels) for pod in pods(objects)):
                wrong.append(f"{label(policy)}: the peer {wanted} is no pod")
    return wrong


def policy_peers(policy: Object) -> list[Object]:
    """All peers of a NetworkPolicy, of both directions."""
    spec = policy["spec"]
    rules = [*((rule, "from") for rule in spec.get("ingress", [])), *((rule, "to") for rule in spec.get("egress", []))]
    return [peer for rule, key in rules for peer in rule.get(key, [])]
