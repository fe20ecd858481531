"""What of a container can be had on this machine without a container runtime."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CGROUP = "/sys/fs/cgroup"

_READABLE = """
import os, api.app, gui.settings
from runtime import model_files
for path in model_files.SHIPPED.glob("*.onnx"):
    path.open("rb").close()
print(os.__file__)
"""
_CAPABILITY_SETS = ("--bounding-set", "--inh-caps", "--ambient-caps")


@dataclass(frozen=True)
class Machine:
    """What can stand before a command, so that it runs as in a container."""

    becomes: list[str] | None
    """The user, without capabilities or a way to get any; None where that can't be done."""
    shows_limits: bool
    """Whether a process can be shown a cgroup that is not its own."""

    def before(self, cgroup: Path) -> list[str]:
        """What stands before the command; `cgroup` is the folder that it takes for its cgroup, if that can be."""
        shown = []
        if self.shows_limits:
            script = f'mount --bind "$0" {CGROUP} && exec "$@"'
            shown = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(cgroup)]
        return [*shown, *(self.becomes or [])]


def machine(user: int) -> Machine:
    """This one, and what it can do for a user of the images."""
    return Machine(_ways_to_become(user), _shows_limits())


def _ways_to_become(user: int) -> list[str] | None:
    """Where the interpreter lies in a folder that is root's alone, one capability is left: to read."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return None
    drop = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={user}", "--no-new-privs"]
    for kept in ("", ",+dac_read_search"):
        way = [*drop, *(f"{name}=-all{kept}" for name in _CAPABILITY_SETS)]
        told = subprocess.run([*way, sys.executable, "-c", _READABLE], cwd="/", capture_output=True, text=True)
        # An interpreter that can't read its own library takes another's of the same version.
        if told.returncode == 0 and told.stdout.strip() == os.__file__:
            return way
    return None


def _shows_limits() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    trial = ["unshare", "--mount", "--propagation", "private", "mount", "--bind", "/", CGROUP]
    return subprocess.run(trial, capture_output=True).returncode == 0
