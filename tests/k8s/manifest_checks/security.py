"""Pod Security's `restricted` profile, field by field, and what this project asks beyond it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ has the fields and the values that are allowed.
"""

from __future__ import annotations

import re

from manifest_checks.containerfiles import file_of
from manifest_checks.manifests import Object, containers, label, of_kind, pods

USER = 10001
"""Of the images: their files belong to root, so this user can't change them."""

VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)

_REFERENCE = re.compile(r"(?P<name>[^:@]+)(:(?P<tag>[\w.-]+))?(@sha256:(?P<digest>[0-9a-f]{64}))?")


def pod_security(objects: list[Object]) -> list[str]:
    """What a namespace that enforces `restricted` would refuse."""
    wrong = []
    for pod in pods(objects):
        told = _pod_fields(pod.spec)
        wrong += [f"{pod.owner}: {what}" for what in told]
    for pod, container, where in containers(objects):
        wrong += [f"{where}: {what}" for what in _container_fields(container, pod.spec.get("securityContext", {}))]
    return wrong


def _pod_fields(spec: Object) -> list[str]:
    wrong = [f"{name} is on" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if kinds - VOLUMES or not kinds:
            wrong.append(f"the volume {volume['name']} is of the kind {', '.join(kinds) or 'of none'}")
    context = spec.get("securityContext", {})
    for name in ("sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"):
        if context.get(name):
            wrong.append(f"securityContext.{name} is set")
    if 0 in context.get("supplementalGroups", []) or context.get("fsGroup") == 0:
        wrong.append("a group of it is root's")
    return wrong


def _container_fields(container: Object, of_pod: Object) -> list[str]:
    own = container.get("securityContext", {})
    both = {**of_pod, **own}
    wrong = []
    if own.get("privileged"):
        wrong.append("privileged")
    if own.get("allowPrivilegeEscalation") is not False:
        wrong.append("allowPrivilegeEscalation is not false")
    if own.get("capabilities", {}).get("drop") != ["ALL"]:
        wrong.append("capabilities are not all dropped")
    if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        wrong.append(f"the capabilities {own['capabilities']['add']} are added")
    if both.get("runAsNonRoot") is not True:
        wrong.append("runAsNonRoot is not true")
    if both.get("runAsUser") == 0:
        wrong.append("runAsUser is root")
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        wrong.append(f"seccompProfile is {both.get('seccompProfile')}")
    if own.get("procMount", "Default") != "Default" or own.get("seLinuxOptions") or own.get("windowsOptions"):
        wrong.append("procMount, seLinuxOptions or windowsOptions is set")
    wrong += [f"the host's port {port['hostPort']}" for port in container.get("ports", []) if port.get("hostPort")]
    return wrong


def hardening(objects: list[Object]) -> list[str]:
    """Beyond `restricted`: a user and a group of its own, nothing of the image writable, no Service's address given."""
    wrong = []
    for pod, container, where in containers(objects):
        both = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
        for name in ("runAsUser", "runAsGroup"):
            if both.get(name) != USER:
                wrong.append(f"{where}: {name} is {both.get(name)}, not {USER}")
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            wrong.append(f"{where}: readOnlyRootFilesystem is not true")
    for pod in pods(objects):
        if pod.spec.get("enableServiceLinks") is not False:
            wrong.append(f"{pod.owner}: enableServiceLinks is not false")
    for namespace in of_kind(objects, "Namespace"):
        labels = namespace["metadata"].get("labels", {})
        for mode in ("enforce", "audit", "warn"):
            if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                wrong.append(f"{label(namespace)}: {mode} is not restricted")
    return wrong


def images(objects: list[Object]) -> list[str]:
    """Images are pinned by a tag other than latest or by digest, and name no registry."""
    wrong = []
    for _, container, where in containers(objects):
        found = _REFERENCE.fullmatch(container.get("image", ""))
        if not found:
            wrong.append(f"{where}: '{container.get('image', '')}' is no image")
            continue
        if found["digest"] is None and found["tag"] in (None, "latest"):
            wrong.append(f"{where}: the image {container['image']} is not pinned")
        if not file_of(container["image"]).is_file():
            wrong.append(f"{where}: there is no {file_of(container['image']).name} that makes {container['image']}")
        host = found["name"].split("/")[0]
        if "/" in found["name"] and ("." in host or host == "localhost"):
            wrong.append(f"{where}: the image {container['image']} names the registry {host}")
    return wrong
