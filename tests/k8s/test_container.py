"""The rendered containers as local processes: probes, load, SIGTERM, and what they say to bad settings."""

from __future__ import annotations

import copy
import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from local_pod.clients import Clients
from local_pod.container import OPEN_FILES, Container
from local_pod.kubelet import Kubelet
from local_pod.machine import Machine, machine
from manifest_checks.manifests import pods
from manifest_checks.security import USER
from PIL import Image
from websockets.sync.client import connect

Objects = list[dict[str, Any]]
Rendered = Callable[[str], Objects]

PRE_STOP_FACTOR = 0.2
"""Of the rendered preStop: nothing here takes as long to learn of a change as the proxies of a cluster."""

START_S = 90
"""More than a start takes on a machine that is busy otherwise."""


@pytest.fixture(scope="module")
def here() -> Machine:
    """What this machine can do to make a process feel as in a container."""
    return machine(USER)


@pytest.fixture(scope="module")
def frame() -> bytes:
    """A JPEG of 512 x 256."""
    noise = np.random.default_rng(6).integers(0, 256, (32, 64, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(noise).resize((512, 256)).save(written, "JPEG")
    return written.getvalue()


def pre_stop(container: Container) -> float:
    return PRE_STOP_FACTOR * float(container.spec["lifecycle"]["preStop"]["sleep"]["seconds"])


def stop(container: Container, clients: Clients | None = None) -> tuple[int, float]:
    """As a cluster does it: out of the endpoints while preStop runs, then SIGTERM; exit status and seconds."""
    waits = pre_stop(container)
    time.sleep(waits / 2)
    if clients is not None:
        clients.remove_endpoint()
    time.sleep(waits / 2)
    container.terminate()
    return container.wait(container.pod.spec["terminationGracePeriodSeconds"] - waits)


def test_the_api_loses_no_request_when_its_pod_goes(
    rendered: Rendered, tmp_path: Path, here: Machine, frame: bytes
) -> None:
    with (
        Container(rendered("overlays/cpu"), "api", tmp_path, here) as api,
        Kubelet(api.spec, api.port) as kubelet,
    ):
        assert kubelet.was_ready.wait(START_S), api.log
        with Clients(api.port, frame) as clients:
            clients.wait_for(40, timeout_s=60)
            wait_for(lambda: len(kubelet.of("readinessProbe")) > 2 and len(kubelet.of("livenessProbe")) > 0)
            assert (kubelet.dropouts, kubelet.restarts) == (0, []), kubelet.asked
            memory = api.most_memory
            before = clients.tally.answered
            status, took = stop(api, clients)
            clients.join(5)
        tally = clients.tally
        told = f"{tally.sent} sent: {tally.answered} answered, {tally.refused} refused with 503, {len(tally.lost)} lost"
        print(f"{told}; exit {took:.1f} s after SIGTERM, {memory >> 20} MiB")
        assert tally.lost == [], told
        assert tally.answered > before, "it served no more as soon as its pod began to go"
        assert status == 0, api.log
        assert kubelet.restarts == []
        assert memory < 0.9 * api.limit("memory")
        assert list(api.root.iterdir()) == [], "it wrote beside its volumes"


def test_the_page_comes_up_and_goes_while_a_browser_is_connected(
    rendered: Rendered, tmp_path: Path, here: Machine
) -> None:
    changed = {"ROADMASK_GUI_API": "http://127.0.0.1:9"}
    with (
        Container(rendered("overlays/cpu"), "gui", tmp_path, here, changed) as page,
        Kubelet(page.spec, page.port) as kubelet,
    ):
        assert kubelet.was_ready.wait(START_S), page.log
        assert "roadmask" in httpx.get(f"http://127.0.0.1:{page.port}/", timeout=60).text
        address = f"ws://127.0.0.1:{page.port}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        with connect(address, open_timeout=60) as browser:
            assert str(browser.recv(60)).startswith("0{"), "no handshake of Socket.IO"
            memory = page.most_memory
            status, took = stop(page)
        print(f"exit {took:.1f} s after SIGTERM, {memory >> 20} MiB")
        assert status == 0, page.log
        assert kubelet.restarts == []
        assert memory < 0.9 * page.limit("memory")
        assert list(page.root.iterdir()) == [], "it wrote beside its volumes"


@pytest.mark.parametrize("component", ["api", "gui"])
def test_it_runs_as_the_rendered_user(rendered: Rendered, tmp_path: Path, here: Machine, component: str) -> None:
    if here.becomes is None:
        pytest.skip(f"no process of user {USER} can be started here: that takes root and setpriv (package util-linux)")
    with Container(rendered("overlays/cpu"), component, tmp_path, here) as container:
        context = container.pod.spec["securityContext"]
        wait_for(lambda: container.runs_its_command)
        status = Path(f"/proc/{container.process.pid}/status").read_text()
        told = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
        assert told["Uid"] == [str(context["runAsUser"])] * 4
        assert told["Gid"] == [str(context["runAsGroup"])] * 4
        assert told["NoNewPrivs"] == ["1"]
        # What may be left is to read: bit 2.
        assert int(told["CapEff"][0], 16) in (0, 1 << 2)


def test_its_limit_of_open_files_holds_from_its_first_moment(rendered: Rendered, tmp_path: Path) -> None:
    tells = Machine(becomes=["sh", "-c", "ulimit -Sn; ulimit -Hn"], shows_limits=False)
    with Container(rendered("overlays/cpu"), "api", tmp_path, tells) as container:
        assert container.wait(START_S)[0] == 0, container.log
    assert (tmp_path / "api.stdout").read_text().split() == [str(OPEN_FILES)] * 2


def test_nothing_is_left_of_a_container_that_can_not_be_entered(
    rendered: Rendered, tmp_path: Path, here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(rendered("overlays/cpu"), "api", tmp_path, here)

    def refuse(pid: int, cores: list[int]) -> None:
        if hasattr(container, "process"):
            raise PermissionError(pid, cores)

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with pytest.raises(PermissionError), container:
        pytest.fail("it was entered")
    assert container.process.returncode == -signal.SIGKILL
    assert not container.root.parent.exists()


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def with_memory(objects: Objects, limit: str) -> Objects:
    changed = copy.deepcopy(objects)
    for pod in pods(changed):
        pod.spec["containers"][0]["resources"]["limits"]["memory"] = limit
    return changed


def refusal(container: Container) -> str:
    """The line with which it ended, which Kubernetes shows as the pod's status; it was ready at no time."""
    with container, Kubelet(container.spec, container.port) as kubelet:
        status, _ = container.wait(START_S)
        assert not any(answer.is_success for answer in kubelet.asked if answer.probe != "livenessProbe")
    assert status == 2, container.log
    lines = container.log.splitlines()
    # Before the last there may be the server's own JSON lines.
    assert all(line.startswith("{") for line in lines[:-1]), container.log
    return lines[-1]


@pytest.mark.parametrize(
    ("rendering", "changed", "words"),
    [
        ("overlays/cpu", {"ROADMASK_PROVIDERS": "gpu"}, ("ROADMASK_PROVIDERS", "gpu")),
        ("overlays/cpu", {"ROADMASK_THREADS": "two"}, ("ROADMASK_THREADS", "two")),
        ("overlays/cpu", {"ROADMASK_MODEL": "precise"}, ("precise",)),
        # As it is, where there is no GPU: onnxruntime's package for CPUs has no such provider.
        ("overlays/cuda", {}, ("cuda",)),
        # A volume that is there and holds no models.
        ("cpu + model-volume", {}, ("models",)),
    ],
)
def test_what_is_wrong_is_one_line_and_never_ready(
    rendered: Rendered, tmp_path: Path, here: Machine, rendering: str, changed: dict[str, str], words: tuple[str, ...]
) -> None:
    line = refusal(Container(rendered(rendering), "api", tmp_path, here, changed))
    print(line)
    assert line.startswith("python -m api: ")
    for word in words:
        assert word in line


def test_a_volume_that_is_missing_is_told(rendered: Rendered, tmp_path: Path, here: Machine) -> None:
    line = refusal(Container(rendered("cpu + model-volume"), "api", tmp_path, here, without="/models"))
    print(line)
    assert "models" in line


def test_too_little_memory_is_told(rendered: Rendered, tmp_path: Path, here: Machine) -> None:
    if not here.shows_limits:
        pytest.skip("a process can't be shown another cgroup here: that takes root, unshare and mount")
    line = refusal(Container(with_memory(rendered("overlays/cpu"), "256Mi"), "api", tmp_path, here))
    print(line)
    assert "the memory limit is 256 MiB" in line


@pytest.mark.parametrize("changed", [{"ROADMASK_GUI_API": "roadmask-api"}, {"ROADMASK_GUI_API_KEY_FILE": "/keys/none"}])
def test_what_is_wrong_for_the_page_is_one_line(
    rendered: Rendered, tmp_path: Path, here: Machine, changed: dict[str, str]
) -> None:
    line = refusal(Container(rendered("overlays/cpu"), "gui", tmp_path, here, changed))
    assert line.startswith("python -m gui: ")
    assert next(iter(changed)) in line
