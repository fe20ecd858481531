"""Turns rendered manifests into what `podman kube play` runs on one machine, and says how to ask it.

    kubectl kustomize k8s/overlays/local | python k8s/kube_play.py --port api=8000 --port gui=8080 -o play.yaml

Each Deployment becomes one pod: its own template, so that command, settings, user, read-only root, volumes and limits
are the manifest's. Changed is only what a machine without a cluster has no place for:

- The pod shares the machine's network, because container networks need a bridge, which not every sandbox has. So each
  listens on 127.0.0.1 alone, at the port that is given, and the page finds the API there.
- No probes: podman runs them by systemd and with curl in the container. Their routes are printed for the caller to ask.
- A container that ends is not started anew: whoever tries something out wants to read why it ended.
- Variables stand in `env` alone: where `envFrom` gives the same, podman 4 lets it win, Kubernetes does not.

On standard output, one line a pod: component, image, port, startup route, readiness route, seconds that it may take to
end.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

COMPONENT = "app.kubernetes.io/component"

ADDRESSES = {
    "api": {"ROADMASK_HOST": "127.0.0.1", "ROADMASK_PORT": "{api}"},
    "gui": {
        "ROADMASK_GUI_HOST": "127.0.0.1",
        "ROADMASK_GUI_PORT": "{gui}",
        "ROADMASK_GUI_API": "http://127.0.0.1:{api}",
    },
}
"""Component to the variables that say where it listens and whom it asks."""


def pod(deployment: dict[str, Any], settings: dict[str, dict[str, str]], ports: dict[str, int]) -> dict[str, Any]:
    """The pod of a Deployment's template, for podman.

    Args:
        deployment: as rendered.
        settings: name of a ConfigMap to its data.
        ports: component to the port that it listens on.

    Raises:
        ValueError: a Deployment of neither API nor page, or one whose ConfigMap was not rendered.
    """
    name = deployment["metadata"]["name"]
    template = deployment["spec"]["template"]
    component = template["metadata"]["labels"].get(COMPONENT, "")
    if component not in ADDRESSES:
        raise ValueError(f"{name} is of component '{component}': only {' and '.join(ADDRESSES)} can be run")
    spec = {**template["spec"], "hostNetwork": True, "restartPolicy": "Never"}
    # podman's volumes are the machine's, whichever pod asks: two pods have a /tmp each.
    spec["volumes"] = [{**volume, "name": f"{name}-{volume['name']}"} for volume in spec.get("volumes", [])]
    addresses = {key: value.format(**ports) for key, value in ADDRESSES[component].items()}
    spec["containers"] = [_container(one, name, settings, addresses) for one in spec["containers"]]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": name}, "spec": spec}


def _container(
    given: dict[str, Any], pod_name: str, settings: dict[str, dict[str, str]], addresses: dict[str, str]
) -> dict[str, Any]:
    dropped = ("ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "envFrom")
    container = {key: value for key, value in given.items() if key not in dropped}
    variables: dict[str, dict[str, Any]] = {}
    for source in given.get("envFrom", []):
        wanted = source.get("configMapRef", {}).get("name")
        if wanted not in settings:
            raise ValueError(f"{pod_name} takes its settings from {source}, which was not rendered")
        variables |= {key: {"name": key, "value": value} for key, value in settings[wanted].items()}
    variables |= {one["name"]: one for one in given.get("env", [])}
    variables |= {key: {"name": key, "value": value} for key, value in addresses.items()}
    container["env"] = list(variables.values())
    mounts = given.get("volumeMounts", [])
    container["volumeMounts"] = [{**mount, "name": f"{pod_name}-{mount['name']}"} for mount in mounts]
    return container


def line(deployment: dict[str, Any], ports: dict[str, int]) -> str:
    """What the caller has to know of a pod."""
    template = deployment["spec"]["template"]
    component = template["metadata"]["labels"][COMPONENT]
    container = template["spec"]["containers"][0]
    routes = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")]
    grace = template["spec"].get("terminationGracePeriodSeconds", 30)
    return " ".join([component, container["image"], str(ports[component]), *routes, str(grace)])


def _port(text: str) -> tuple[str, int]:
    component, _, number = text.partition("=")
    if component not in ADDRESSES or not number.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no port: give api=8000 or gui=8080")
    return component, int(number)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 2 and one line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("kube_play.py", description=__doc__, formatter_class=raw)
    parser.add_argument("--port", type=_port, action="append", default=[], metavar="COMPONENT=PORT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the pods and their settings")
    given = parser.parse_args(arguments)
    try:
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  the one package that a bare Python lacks here
    except ImportError:
        print("kube_play.py: PyYAML is missing: pip install pyyaml", file=sys.stderr)
        return 2
    documents = [one for one in yaml.safe_load_all(sys.stdin) if one]
    deployments = [one for one in documents if one["kind"] == "Deployment"]
    maps = [one for one in documents if one["kind"] == "ConfigMap"]
    settings = {one["metadata"]["name"]: one.get("data", {}) for one in maps}
    ports = {"api": 8000, "gui": 8080, **dict(given.port)}
    try:
        if not deployments:
            raise ValueError("there is no Deployment in what was rendered")
        pods = [pod(one, settings, ports) for one in deployments]
    except ValueError as error:
        print(f"kube_play.py: {error}", file=sys.stderr)
        return 2
    given.output.write_text(yaml.safe_dump_all(maps + pods))
    print("\n".join(line(one, ports) for one in deployments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
