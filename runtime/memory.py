"""How much memory this process may use, and uses."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_STATM = Path("/proc/self/statm")

_UNLIMITED = 2**60
"""Version 1 tells no limit as the largest multiple of a page that fits in 63 bits."""


def limit(root: Path = _CGROUP) -> int | None:
    """Bytes that the cgroup grants, None without a limit; version 2 (`memory.max`), else version 1."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (root / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() and int(text) < _UNLIMITED else None
    return None


def resident() -> int:
    """Bytes of this process that are in memory; 0 where the system does not tell (it does on Linux)."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
