"""What NetworkPolicies let through, evaluated as the cluster's network does it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from manifest_checks.manifests import NAMESPACE, Object, of_kind, pods, selects


@dataclass(frozen=True)
class Place:
    """Where a packet comes from or goes to: a pod somewhere in the cluster, or an address outside of it."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = NAMESPACE
    namespace_labels: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """Named container ports."""
    address: str = ""
    """Outside of the cluster; "" is a pod."""

    @property
    def all_namespace_labels(self) -> dict[str, str]:
        """With the one that Kubernetes sets by itself."""
        return {**self.namespace_labels, "kubernetes.io/metadata.name": self.namespace}


def pod_of(objects: list[Object], component: str) -> Place:
    """The pod of a component of the rendering.

    Raises:
        StopIteration: there is none.
    """
    pod = next(pod for pod in pods(objects) if pod.component == component)
    named = {
        port["name"]: port["containerPort"]
        for container in pod.containers
        for port in container.get("ports", [])
        if "name" in port
    }
    labels = next((item["metadata"].get("labels", {}) for item in of_kind(objects, "Namespace")), {})
    return Place(component, pod.labels, NAMESPACE, labels, named)


def passes(objects: list[Object], source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection is let out of where it comes from and into where it goes."""
    out = _direction(objects, source, target, port, protocol, "Egress", target.ports)
    into = _direction(objects, target, source, port, protocol, "Ingress", target.ports)
    return out and into


def _direction(
    objects: list[Object],
    own: Place,
    other: Place,
    port: int,
    protocol: str,
    direction: str,
    named: dict[str, int],
) -> bool:
    """Without a policy that selects it everything passes, else what one of them allows."""
    if own.address or own.namespace != NAMESPACE:
        return True  # another's policies, which we don't know
    policies = [
        item["spec"]
        for item in of_kind(objects, "NetworkPolicy")
        if selects(item["spec"]["podSelector"], own.labels) and direction in item["spec"]["policyTypes"]
    ]
    if not policies:
        return True
    rules_key, peers_key = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    rules = [rule for policy in policies for rule in policy.get(rules_key, [])]
    return any(
        _meets_peers(rule.get(peers_key), other) and _meets_ports(rule.get("ports"), port, protocol, named)
        for rule in rules
    )


def _meets_peers(peers: list[Object] | None, other: Place) -> bool:
    return not peers or any(_meets_peer(peer, other) for peer in peers)


def _meets_peer(peer: Object, other: Place) -> bool:
    if block := peer.get("ipBlock"):
        if not other.address:
            return False  # pods are told by labels: whether an address range covers them is the network's choice
        address = ipaddress.ip_address(other.address)
        excepted = any(address in ipaddress.ip_network(part) for part in block.get("except", []))
        return address in ipaddress.ip_network(block["cidr"]) and not excepted
    if other.address:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], other.all_namespace_labels):
            return False
    elif other.namespace != NAMESPACE:
        return False
    return selects(peer.get("podSelector", {}), other.labels)


def _meets_ports(ports: list[Object] | None, port: int, protocol: str, named: dict[str, int]) -> bool:
    if not ports:
        return True
    for item in ports:
        wanted = item.get("port")
        number = named.get(wanted) if isinstance(wanted, str) else wanted
        last = item.get("endPort", number)
        if item.get("protocol", "TCP") != protocol:
            continue
        if wanted is None or (number is not None and number <= port <= last):
            return True
    return False


def closed(objects: list[Object]) -> list[str]:
    """Each component has its own policy of both directions, and where the namespace is made, it is closed besides."""
    wrong = []
    policies = [item["spec"] for item in of_kind(objects, "NetworkPolicy")]
    for pod in pods(objects):
        for direction in ("Ingress", "Egress"):
            own = [item for item in policies if item["podSelector"] and selects(item["podSelector"], pod.labels)]
            if not any(direction in item["policyTypes"] for item in own):
                wrong.append(f"{pod.owner}: no policy of its own closes its {direction.lower()}")
    everyone = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if of_kind(objects, "Namespace") and everyone not in policies:
        wrong.append("no policy closes the namespace to whoever joins it later")
    return wrong
