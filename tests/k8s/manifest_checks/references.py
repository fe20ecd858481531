"""What objects name is there: volumes, settings, accounts, targets, backends; and nothing is there twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from manifest_checks.manifests import CLUSTER_WIDE, NAMESPACE, Object, containers, label, of_kind, pods

BROUGHT = {
    ("PersistentVolumeClaim", "roadmask-models"): "where an operator keeps models is the cluster's business",
    ("PersistentVolumeClaim", "roadmask-frames"): "the frames of a bulk job are the operator's",
    ("PersistentVolumeClaim", "roadmask-masks"): "likewise the place of the masks",
    ("PersistentVolumeClaim", "roadmask-data"): "the data sets of a training are the operator's",
    ("PersistentVolumeClaim", "roadmask-runs"): "likewise the place of the runs",
    ("Secret", "roadmask-api-keys"): "keys don't belong into a repository",
    ("Secret", "roadmask-tls"): "certificates are issued on the cluster",
}
"""What a rendering may name although it is not in it: an operator, or a controller, brings it; and why."""


def duplicates(objects: list[Object]) -> list[str]:
    """Nothing is there twice: objects, and in pods the names that have to be their own."""
    # Of two versions of one group it is the same object.
    groups = [item["apiVersion"].rpartition("/")[0] for item in objects]
    names = [
        (group, label(item), item["metadata"].get("namespace")) for group, item in zip(groups, objects, strict=True)
    ]
    wrong = [f"{name} is there twice" for (_, name, _), count in Counter(names).items() if count > 1]
    for pod in pods(objects):
        wrong += _twice(f"{pod.owner}: the container", [item["name"] for item in pod.containers])
        wrong += _twice(f"{pod.owner}: the volume", [item["name"] for item in pod.spec.get("volumes", [])])
    for _, container, where in containers(objects):
        wrong += _twice(f"{where}: the variable", [item["name"] for item in container.get("env", [])])
        wrong += _twice(f"{where}: the mount", [item["mountPath"] for item in container.get("volumeMounts", [])])
        wrong += _twice(f"{where}: the port", [item.get("name") for item in container.get("ports", [])])
    return wrong


def _twice(what: str, names: list[Any]) -> list[str]:
    return [f"{what} {name} is there twice" for name, count in Counter(names).items() if count > 1]


def namespaces(objects: list[Object]) -> list[str]:
    """Everything that belongs to a namespace belongs to ours."""
    wrong = []
    for item in objects:
        found = item["metadata"].get("namespace")
        if item["kind"] in CLUSTER_WIDE and found:
            wrong.append(f"{label(item)} belongs to no namespace, but names {found}")
        if item["kind"] not in CLUSTER_WIDE and found != NAMESPACE:
            wrong.append(f"{label(item)} is in the namespace {found}, not in {NAMESPACE}")
    return wrong


def volumes(objects: list[Object]) -> list[str]:
    """Every mount has its volume, and every volume is mounted."""
    wrong = []
    for pod in pods(objects):
        there = {volume["name"] for volume in pod.spec.get("volumes", [])}
        mounted = {mount["name"] for item in pod.containers for mount in item.get("volumeMounts", [])}
        wrong += [f"{pod.owner}: the mount {name} has no volume" for name in sorted(mounted - there)]
        wrong += [f"{pod.owner}: the volume {name} is mounted nowhere" for name in sorted(there - mounted)]
    return wrong


def _needed(objects: list[Object]) -> list[tuple[str, str, str]]:
    """Kind and name of what pods name, and who does."""
    needed = []
    for pod in pods(objects):
        if account := pod.spec.get("serviceAccountName"):
            needed.append(("ServiceAccount", account, pod.owner))
        for volume in pod.spec.get("volumes", []):
            for source in (volume, *volume.get("projected", {}).get("sources", [])):
                if "configMap" in source:
                    needed.append(("ConfigMap", source["configMap"]["name"], pod.owner))
                if "secret" in source:
                    name = source["secret"].get("secretName") or source["secret"].get("name")
                    needed.append(("Secret", name, pod.owner))
                if "persistentVolumeClaim" in source:
                    name = source["persistentVolumeClaim"]["claimName"]
                    needed.append(("PersistentVolumeClaim", name, pod.owner))
    for _, container, where in containers(objects):
        sources = [*container.get("envFrom", []), *(item.get("valueFrom", {}) for item in container.get("env", []))]
        for source in sources:
            for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                for reference in (source.get(f"{key}Ref"), source.get(f"{key}KeyRef")):
                    if reference:
                        needed.append((kind, reference["name"], where))
    for ingress in of_kind(objects, "Ingress"):
        needed += [("Secret", item["secretName"], label(ingress)) for item in ingress["spec"].get("tls", [])]
    return needed


def references(objects: list[Object]) -> list[str]:
    """What pods name is in the rendering, or among what operators bring; what is generated is of use to somebody."""
    there = {(item["kind"], item["metadata"]["name"]) for item in objects}
    needed = _needed(objects)
    wrong = [
        f"{who}: the {kind} {name} is not there"
        for kind, name, who in needed
        if (kind, name) not in there and (kind, name) not in BROUGHT
    ]
    used = {(kind, name) for kind, name, _ in needed}
    for item in of_kind(objects, "ConfigMap", "Secret", "ServiceAccount"):
        # Grafana finds its dashboards by this label.
        found_by_label = "grafana_dashboard" in item["metadata"].get("labels", {})
        if (item["kind"], item["metadata"]["name"]) not in used and not found_by_label:
            wrong.append(f"{label(item)} is used by nobody")
    return wrong


def accounts(objects: list[Object]) -> list[str]:
    """Every pod has an account of its component, and neither it nor the account mounts a token."""
    wrong = []
    for pod in pods(objects):
        if not pod.spec.get("serviceAccountName"):
            wrong.append(f"{pod.owner}: no serviceAccountName, so it is the namespace's default account")
        if pod.spec.get("automountServiceAccountToken") is not False:
            wrong.append(f"{pod.owner}: automountServiceAccountToken is not false")
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            wrong.append(f"{label(account)}: automountServiceAccountToken is not false")
    return wrong


def targets(objects: list[Object]) -> list[str]:
    """Autoscalers scale what is there, one each, and what they scale doesn't set `replicas` itself."""
    wrong, scaled = [], []
    workloads = {label(item): item for item in of_kind(objects, "Deployment", "StatefulSet")}
    for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        name = f"{target.get('kind', 'Deployment')}/{target['name']}"
        scaled.append(name)
        if name not in workloads:
            wrong.append(f"{label(scaler)} scales {name}, which is not there")
        elif "replicas" in workloads[name]["spec"]:
            wrong.append(f"{name} sets replicas, which {label(scaler)} is to set")
    wrong += [f"{name} is scaled by two" for name, count in Counter(scaled).items() if count > 1]
    unscaled = [item for name, item in workloads.items() if name not in scaled and "replicas" not in item["spec"]]
    return wrong + [f"{label(item)}: no autoscaler, and no replicas" for item in unscaled]


def backends(objects: list[Object]) -> list[str]:
    """Ingresses and routes lead to Services that are there, on ports that these have."""
    services = {item["metadata"]["name"]: item["spec"].get("ports", []) for item in of_kind(objects, "Service")}
    wrong = []
    for owner, name, port in _backends(objects):
        if name not in services:
            wrong.append(f"{owner} leads to the Service {name}, which is not there")
        elif not any(port in (item["port"], item.get("name")) for item in services[name]):
            wrong.append(f"{owner} leads to port {port} of the Service {name}, which it has not")
    return wrong


def _backends(objects: list[Object]) -> list[tuple[str, str, int | str]]:
    found: list[tuple[str, str, int | str]] = []
    for ingress in of_kind(objects, "Ingress"):
        paths = [path for rule in ingress["spec"].get("rules", []) for path in rule.get("http", {}).get("paths", [])]
        for backend in [ingress["spec"].get("defaultBackend"), *(path["backend"] for path in paths)]:
            if backend:
                port = backend["service"]["port"]
                found.append((label(ingress), backend["service"]["name"], port.get("number") or port["name"]))
    for route in of_kind(objects, "HTTPRoute"):
        for rule in route["spec"].get("rules", []):
            for backend in rule.get("backendRefs", []):
                if backend.get("kind", "Service") == "Service":
                    found.append((label(route), backend["name"], backend["port"]))
    return found
