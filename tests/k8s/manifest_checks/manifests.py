"""What every check reads: the objects of a rendering, the pods they make, and selectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
Check = Callable[[list[Object]], list[str]]
"""What is wrong with the objects of one rendering: a sentence each, none where all is well."""

NAMESPACE = "roadmask"

CLUSTER_WIDE = frozenset({"Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass"})
"""Kinds that belong to no namespace, of those that may appear here."""

QUEUE_PROXY_PORTS = frozenset({8012, 8013, 8022, 8112, 9090, 9091})
"""Of the container that Knative adds: HTTP/1.1, HTTP/2, administration, TLS, and two of metrics.

https://github.com/knative/serving/blob/main/pkg/networking/constants.go
"""

_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True)
class Pod:
    """A pod as its owner's template makes it."""

    owner: str
    """`Deployment/roadmask-api`."""
    namespace: str
    labels: dict[str, str]
    spec: Object = field(repr=False)

    @property
    def containers(self) -> list[Object]:
        """All of them, those that run before the others included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def component(self) -> str:
        """api, gui, train or segment."""
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def serves(self) -> bool:
        """Whether it runs for good, and not to an end."""
        return not self.owner.startswith(("Job/", "CronJob/"))

    @property
    def is_predictor(self) -> bool:
        """Whether KServe makes it, on Knative."""
        return self.owner.startswith("InferenceService/")

    def port(self, number_or_name: int | str) -> int | None:
        """The number of a container port, None where there is none of this number or name."""
        if self.is_predictor and number_or_name in QUEUE_PROXY_PORTS:
            return int(number_or_name)
        for container in self.containers:
            for port in container.get("ports", []):
                if number_or_name in (port["containerPort"], port.get("name")):
                    return int(port["containerPort"])
        return None


def label(item: Object) -> str:
    """`Deployment/roadmask-api`: how complaints name an object."""
    return f"{item['kind']}/{item['metadata']['name']}"


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [item for item in objects if item["kind"] in kinds]


def pods(objects: list[Object]) -> list[Pod]:
    """One for each workload."""
    made = []
    for item in objects:
        if path := _TEMPLATES.get(item["kind"]):
            template = item
            for step in path:
                template = template[step]
            labels, spec = template["metadata"].get("labels", {}), template["spec"]
            made.append(Pod(label(item), item["metadata"].get("namespace", ""), labels, spec))
    return made + _predictors(objects)


def _predictors(objects: list[Object]) -> list[Pod]:
    """KServe makes a pod of what its ServingRuntime says, under what the InferenceService says itself."""
    runtimes = {item["metadata"]["name"]: item["spec"] for item in of_kind(objects, "ServingRuntime")}
    made = []
    for item in of_kind(objects, "InferenceService"):
        own = item["spec"]["predictor"]
        runtime = runtimes.get(own["model"].get("runtime", ""), {"containers": []})
        labels = {**runtime.get("labels", {}), **own.get("labels", {})}
        made.append(Pod(label(item), item["metadata"].get("namespace", ""), labels, {**runtime, **own}))
    return made


def containers(objects: list[Object]) -> Iterator[tuple[Pod, Object, str]]:
    """Each container of each pod, and how complaints name it."""
    for pod in pods(objects):
        for container in pod.containers:
            yield pod, container, f"{pod.owner}, container {container['name']}"


def selects(selector: Object | None, labels: dict[str, str]) -> bool:
    """As Kubernetes decides it; an empty selector selects everything, None nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions", []))


def _meets(expression: Object, labels: dict[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[operator]


def variables(objects: list[Object], container: Object) -> dict[str, str]:
    """The environment that a container is given, ConfigMaps included; values that come from elsewhere are "".

    Later sources win over earlier ones, `env` over `envFrom`, as Kubernetes has it.
    """
    config_maps = {item["metadata"]["name"]: item.get("data", {}) for item in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if reference := source.get("configMapRef"):
            data = config_maps.get(reference["name"], {})
            found |= {source.get("prefix", "") + key: str(value) for key, value in data.items()}
    for entry in container.get("env", []):
        value = entry.get("value", "")
        if key := entry.get("valueFrom", {}).get("configMapKeyRef"):
            value = str(config_maps.get(key["name"], {}).get(key["key"], ""))
        found[entry["name"]] = value
    return found
