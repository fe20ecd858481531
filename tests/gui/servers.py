"""What it takes to start a server of this package from a test."""

from __future__ import annotations

import os
import subprocess
import time

import httpx


def inherited() -> dict[str, str]:
    """This process's environment, without what makes NiceGUI take a server of its own for a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "NICEGUI"))}


def ready(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a server answers."""
    give_up = time.monotonic() + 60
    while True:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < give_up, "it did not come up"
        time.sleep(0.1)
