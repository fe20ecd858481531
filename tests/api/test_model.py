"""`GET /model`: what is served, and who runs it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from runtime import auto, cores, model_files, providers
from runtime.errors import Stopping


def test_the_model_tells_provider_nodes_and_threads(server: Any) -> None:
    told = server.http.get("/model").json()
    assert told["model"] == "accurate-int8"
    assert told["provider"] == "cpu"
    assert told["threads"] == 1
    assert list(told["nodes"]) == ["cpu"]
    assert told["nodes"]["cpu"] > 5
    assert told["nodes"]["cpu"] == sum(told["operators"]["cpu"].values())
    assert told["operators"]["cpu"]["ArgMax"] == 1
    assert told["contract"]["precision"] == "int8"


def test_the_threads_are_the_sessions_own(start: Callable[..., Any]) -> None:
    assert start(threads=None).http.get("/model").json()["threads"] == cores.available()


def test_of_a_name_the_precision_that_suits_the_provider_is_served(start: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(model_files, "adds_bytes_exactly", lambda: False)
    served = start(providers=providers.parse("CPUExecutionProvider"))
    assert served.http.get("/model").json()["model"] == "accurate-fp32"
    assert served.http.get("/model?model=accurate-int8").json()["model"] == "accurate-int8"


def test_auto_chooses_before_the_server_is_ready_and_says_why(toy_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "api", "--port", "0", "--models", str(toy_folder), "--providers", "auto"]
    with subprocess.Popen(
        [*command, "--cache", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            line = server.stdout.readline()
            told = httpx.get(f"{line.split()[0]}/model").json()
        finally:
            server.terminate()
        log = server.stderr.read()
    assert line.endswith("serves accurate-fp32, nodes on cpu (5)\n")
    assert (told["provider"], told["nodes"]) == ("cpu", {"cpu": 5})
    assert '"auto: ' in log


def test_a_server_that_stops_waits_for_no_measurement(start: Callable[..., Any], monkeypatch: Any) -> None:
    began, ended = threading.Event(), threading.Event()

    def measure(*_: object, check: Callable[[], object]) -> None:
        began.set()
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            try:
                check()
            except Stopping:
                ended.set()
                raise
            time.sleep(0.01)

    monkeypatch.setattr(auto, "choose", measure)
    served = start(wait=False, providers=(providers.AUTO,))
    assert began.wait(20)
    assert served.http.get("/v2/health/ready").status_code == 503
    assert not ended.is_set()
    served.server.should_exit = True
    assert ended.wait(10)
