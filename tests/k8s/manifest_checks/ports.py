"""Ports, by name and number, and what probes ask on them."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from urllib.parse import urlsplit

from manifest_checks.containerfiles import module
from manifest_checks.manifests import NAMESPACE, Object, Pod, containers, label, of_kind, pods, selects, variables

from api.app import create_app
from api.settings import Settings

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")

DEFAULT_PORTS = {"api": ("ROADMASK_PORT", "8000"), "gui": ("ROADMASK_GUI_PORT", "8080")}
"""The setting that says where the module listens, and its default."""


def ports(objects: list[Object]) -> list[str]:
    """A port that a Service, a probe or a policy names is one that the selected pods have."""
    wrong = []
    for service in of_kind(objects, "Service"):
        selector = {"matchLabels": service["spec"].get("selector") or {"": "nobody"}}
        for pod in pods(objects):
            if selects(selector, pod.labels):
                for port in service["spec"]["ports"]:
                    wanted = port.get("targetPort", port["port"])
                    if pod.port(wanted) is None:
                        wrong.append(f"{label(service)}: {pod.owner} has no port {wanted}")
    for pod, container, where in containers(objects):
        own = Pod(pod.owner, pod.namespace, pod.labels, {"containers": [container]})
        for name in PROBES:
            wanted = container.get(name, {}).get("httpGet", {}).get("port")
            if wanted is not None and own.port(wanted) is None:
                wrong.append(f"{where}: its {name} asks port {wanted}, which it has not")
    return wrong + _policy_ports(objects)


def _policy_ports(objects: list[Object]) -> list[str]:
    wrong = []
    for policy in of_kind(objects, "NetworkPolicy"):
        spec = policy["spec"]
        told = [(rule, [spec["podSelector"]]) for rule in spec.get("ingress", [])]
        for rule in spec.get("egress", []):
            # Peers of other namespaces have ports that nobody knows here.
            local = [peer["podSelector"] for peer in rule.get("to", []) if set(peer) == {"podSelector"}]
            told.append((rule, local))
        for rule, selectors in told:
            selected = [pod for pod in pods(objects) if any(selects(selector, pod.labels) for selector in selectors)]
            wrong += [
                f"{label(policy)}: {pod.owner} has no port {port['port']}"
                for port in rule.get("ports", [])
                for pod in selected
                if "port" in port and pod.port(port["port"]) is None
            ]
    return wrong


def listening(objects: list[Object]) -> list[str]:
    """A container listens, by its settings, on the port that the manifest says, for all addresses."""
    wrong = []
    for _, container, where in containers(objects):
        found = module(container)
        if found not in DEFAULT_PORTS:
            continue
        variable, default = DEFAULT_PORTS[found]
        given = variables(objects, container)
        port = int(given.get(variable) or default)
        if port not in [item["containerPort"] for item in container.get("ports", [])]:
            wrong.append(f"{where}: it listens on {port}, which is none of its ports")
        host = variable.replace("PORT", "HOST")
        if given.get(host, "0.0.0.0") not in ("0.0.0.0", "::"):
            wrong.append(f"{where}: {host} is {given[host]}, where nobody else can reach it")
    return wrong


def page_asks_api(objects: list[Object]) -> list[str]:
    """The page asks a Service that is there on a port that it has, or a KServe predictor by the name it will get."""
    services = {item["metadata"]["name"]: item for item in of_kind(objects, "Service")}
    predictors = {f"{item['metadata']['name']}-predictor" for item in of_kind(objects, "InferenceService")}
    wrong = []
    for _, container, where in containers(objects):
        if module(container) != "gui":
            continue
        address = urlsplit(variables(objects, container).get("ROADMASK_GUI_API", ""))
        name, _, rest = (address.hostname or "").partition(".")
        if rest not in ("", NAMESPACE, f"{NAMESPACE}.svc", f"{NAMESPACE}.svc.cluster.local"):
            wrong.append(f"{where}: {address.netloc} is no Service of the namespace {NAMESPACE}")
        elif name in services:
            if (address.port or 80) not in [port["port"] for port in services[name]["spec"]["ports"]]:
                wrong.append(f"{where}: the Service {name} has no port {address.port or 80}")
        elif name not in predictors:
            wrong.append(f"{where}: the Service '{name}', which it asks, is not there")
    return wrong


def probes(objects: list[Object]) -> list[str]:
    """What serves is probed at its start, for readiness and for life, on routes of its own that it has."""
    wrong = []
    for pod, container, where in containers(objects):
        if not pod.serves or module(container) not in DEFAULT_PORTS:
            wrong += [f"{where}: a {name}, but it ends by itself" for name in PROBES if name in container]
            continue
        paths = []
        for name in PROBES:
            path = container.get(name, {}).get("httpGet", {}).get("path")
            if path is None and pod.is_predictor and name == "startupProbe":
                continue  # Knative holds requests back until the pod is ready
            if path is None:
                wrong.append(f"{where}: no {name} that asks over HTTP")
            elif path not in get_routes(module(container)):
                wrong.append(f"{where}: its {name} asks {path}, which is no route")
            else:
                paths.append(path)
        if len(set(paths)) < len(paths):
            wrong.append(f"{where}: two probes ask the same")
    return wrong


_PAGE = """
import json
from nicegui import app
from gui import site
from gui.settings import Settings
site.register(Settings())
print(json.dumps([[route.path, sorted(getattr(route, "methods", None) or ())] for route in app.routes]))
"""


@functools.cache
def get_routes(name: str) -> frozenset[str]:
    """The paths that the API, or the page, answers on GET."""
    if name == "api":
        routes = [(route.path, getattr(route, "methods", None) or ()) for route in create_app(Settings()).routes]
    else:
        # NiceGUI has one application a process, which belongs to the page's own tests here.
        told = subprocess.run([sys.executable, "-c", _PAGE], capture_output=True, text=True, check=True, timeout=60)
        routes = json.loads(told.stdout)
    return frozenset(path for path, methods in routes if "GET" in methods)
