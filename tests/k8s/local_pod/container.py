"""A container of a rendering as a local process: its command, environment, user and limits, without its file system."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType

from local_pod.machine import Machine
from manifest_checks.containerfiles import arguments, image_of, module
from manifest_checks.manifests import Object, Pod, pods, variables
from manifest_checks.ports import DEFAULT_PORTS
from manifest_checks.quantities import parse

OPEN_FILES = 1024
"""What some runtimes give a container; others give a million."""

WITH_OPEN_FILES = ["sh", "-c", f'ulimit -n {OPEN_FILES} && exec "$@"', "sh"]
"""Before a command: it begins with that limit. Set from outside it would come late, and once the process is another
user's not at all."""


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def _affinity(cores: int) -> Iterator[None]:
    """So many cores for the processes that this thread starts meanwhile: a child inherits the affinity."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(ours)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


class Container:
    """Runs within a `with` block, and is killed at its end."""

    def __init__(
        self,
        objects: list[Object],
        component: str,
        folder: Path,
        machine: Machine,
        changed: Mapping[str, str] | None = None,
        without: str = "",
    ) -> None:
        """Starts nothing yet.

        Args:
            objects: the rendering that it is in.
            component: of the pod.
            folder: takes what the machine writes for it: logs, and the folders of its mounts.
            machine: what it can do to make it feel at home.
            changed: environment of the test's own, on top of the rendering's.
            without: a mount that is empty of files, and not even a folder.
        """
        self.pod: Pod = next(pod for pod in pods(objects) if pod.component == component)
        self.spec: Object = self.pod.spec["containers"][0]
        self.port = free_port()
        self._machine = machine
        self._folder = folder
        # Not below pytest's own folder, which no other user may enter.
        self._mounts = Path(tempfile.mkdtemp(prefix="mounts-"))
        self._mounts.chmod(0o755)
        self._map_mounts(without)
        self._environment = self._mapped(objects, changed or {})

    def _map_mounts(self, without: str) -> None:
        self._places = {}
        for mount in self.spec.get("volumeMounts", []):
            place = self._mounts / mount["name"]
            self._places[mount["mountPath"]] = place
            if mount["mountPath"] != without:
                place.mkdir()
                place.chmod(0o555 if mount.get("readOnly") else 0o777)
        self.root = self._mounts / "root"
        self.root.mkdir()
        self.root.chmod(0o555)

    def place(self, path: str) -> str:
        """Where a path of the container is on this machine; what lies on no mount is where it is."""
        for mount, place in self._places.items():
            if PurePosixPath(path).is_relative_to(mount):
                return str(place / PurePosixPath(path).relative_to(mount))
        return path

    def _mapped(self, objects: list[Object], changed: Mapping[str, str]) -> dict[str, str]:
        """The container's environment; rewritten where it names what is elsewhere here: paths, port, interpreter."""
        given = {**image_of(self.spec).environment, **variables(objects, self.spec), **changed}
        mapped = {name: self.place(value) if value.startswith("/") else value for name, value in given.items()}
        mapped[DEFAULT_PORTS[module(self.spec)][0]] = str(self.port)
        mapped["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
        mapped["TMPDIR"] = self.place("/tmp")
        return mapped

    @property
    def command(self) -> list[str]:
        """What is run: the image's `python` is this test's."""
        first, *rest = arguments(self.spec)
        assert first == "python", f"the container runs {first}"
        return [sys.executable, *rest]

    def limit(self, name: str) -> float:
        """Cores, or bytes."""
        return float(parse(self.spec["resources"]["limits"][name]))

    def _cgroup(self) -> Path:
        """What a container sees of its limits, as version 2 tells them."""
        folder = self._mounts / "cgroup"
        folder.mkdir()
        folder.joinpath("cpu.max").write_text(f"{self.limit('cpu') * 100_000:.0f} 100000\n")
        folder.joinpath("memory.max").write_text(f"{self.limit('memory'):.0f}\n")
        return folder

    def __enter__(self) -> Container:
        folder = image_of(self.spec).folder
        with ExitStack() as at_end:
            at_end.callback(shutil.rmtree, self._mounts)
            with (
                self._log("stdout").open("wb") as out,
                self._log("stderr").open("wb") as errors,
                _affinity(max(1, round(self.limit("cpu")))),
            ):
                self.process = subprocess.Popen(
                    [*WITH_OPEN_FILES, *self._machine.before(self._cgroup()), *self.command],
                    cwd=self.place(folder) if folder != "/" else self.root,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=errors,
                    umask=0o022,
                )
                at_end.callback(self.process.wait)
                at_end.callback(self.process.kill)
            # Whatever failed before this line has ended the process by now.
            self._at_end = at_end.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._at_end.close()

    def _log(self, name: str) -> Path:
        return self._folder / f"{self.pod.component}.{name}"

    @property
    def log(self) -> str:
        """What it wrote to standard error so far."""
        return self._log("stderr").read_text(errors="replace")

    @property
    def runs_its_command(self) -> bool:
        """Whether what stands before the command is over: from then on it has the user and the rights that it keeps."""
        told = Path(f"/proc/{self.process.pid}/cmdline").read_bytes()
        return told == b"".join(os.fsencode(word) + b"\0" for word in self.command)

    @property
    def most_memory(self) -> int:
        """The most that it ever had resident, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def terminate(self) -> None:
        """What the kubelet does once preStop is over."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> tuple[int, float]:
        """The exit status, and the seconds that it took.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        began = time.monotonic()
        return self.process.wait(timeout_s), time.monotonic() - began
