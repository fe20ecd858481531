"""How many cores this process may really use: the smaller of its affinity and its cgroup's CPU quota.

Thread pools sized by the host's core count fight each other inside a container's quota.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def _quota(root: Path) -> float:
    """CPUs that the cgroup grants, infinity without a limit; version 2 (`cpu.max`), else version 1."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    return math.inf if quota in ("max", "-1") else int(quota) / int(period)


def available(root: Path = _CGROUP) -> int:
    """Whole cores that may be used, at least 1; a quota of 1.5 CPUs counts as 2, so that none lies idle."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, math.ceil(min(_quota(root), affinity))))
