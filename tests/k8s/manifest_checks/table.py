"""All checks, by the names that tests and complaints use."""

from __future__ import annotations

from manifest_checks import network, ports, quantities, references, scaling, security, selectors, settings
from manifest_checks.manifests import Check

_MODULES = {
    references: ("duplicates", "namespaces", "volumes", "references", "accounts", "targets", "backends"),
    selectors: ("own_pods", "others_pods", "monitors", "peers"),
    ports: ("ports", "listening", "page_asks_api", "probes"),
    quantities: ("quantities", "resources", "threads", "scratch"),
    scaling: ("scaling", "rollout", "grace", "affinity"),
    security: ("pod_security", "hardening", "images"),
    settings: ("settings", "paths", "memory", "expansions"),
    network: ("closed",),
}

CHECKS: dict[str, Check] = {name: getattr(module, name) for module, names in _MODULES.items() for name in names}
