"""Starting, being ready, being full, and stopping."""

from __future__ import annotations

import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from api.server import listen
from runtime.categories import CATEGORIES

ROOT = Path(__file__).parents[2]


def test_ready_only_after_the_model_is_warm(start, gated, frame, encode):
    server = start(gated, wait=False)
    assert gated.entered.acquire(timeout=10), "nothing warms the model up"
    assert server.http.get("/v2/health/live").status_code == 200
    not_started, not_ready = server.http.get("/v2/health/started"), server.http.get("/v2/health/ready")
    for answer in (not_started, not_ready, server.http.post("/segment", content=encode(frame()))):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "loaded" in answer.text
    assert list(not_ready.json()) == ["error"]
    told = server.http.get("/metrics").text
    assert 'roadmask_rejected_total{reason="not_ready"} 1.0' in told, "the request counts, the probes do not"
    gated.gate.set()
    server.wait_until_ready()
    assert server.http.get("/v2/health/started").json() == {"started": True}
    assert server.http.post("/segment", content=encode(frame())).status_code == 200


def test_the_warm_up_is_at_the_full_size(start, gated, monkeypatch):
    seen = []
    monkeypatch.setattr(gated, "infer", lambda images: seen.append(images.shape) or np.ones(images.shape[:3], np.uint8))
    start(gated)
    assert seen == [(1, 512, 1024, 3)]


def test_a_full_queue_refuses_at_once_and_finishes_what_it_has(start, gated, frame, encode):
    gated.gate.set()
    server = start(gated, queue_size=3)
    gated.gate.clear()
    body = encode(frame())
    with ThreadPoolExecutor(3) as clients:
        admitted = [clients.submit(httpx.post, f"{server.url}/segment", content=body, timeout=20) for _ in range(3)]
        give_up = time.monotonic() + 10
        while server.app.state.service.scheduler.places_taken < 3:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        began = time.monotonic()
        refused = server.http.post("/segment", content=body)
        assert time.monotonic() - began < 2
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "full" in refused.json()["detail"]
        assert server.http.get("/v2/health/ready").status_code == 200
        gated.gate.set()
        for answer in admitted:
            assert answer.result().status_code == 200
            mask = np.array(Image.open(io.BytesIO(answer.result().content)))
            np.testing.assert_array_equal(mask, np.full((48, 64), 5))
    assert server.http.post("/segment", content=body).status_code == 200


def test_as_many_inferences_run_at_a_time_as_are_set_while_others_decode(start, gated, frame, encode):
    gated.gate.set()
    server = start(gated, queue_size=5)
    gated.close_gate()
    with ThreadPoolExecutor(4) as clients:
        answers = [
            clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20) for _ in range(4)
        ]
        assert gated.entered.acquire(timeout=10)
        assert not gated.entered.acquire(timeout=0.3)
        # A body that can't be decoded is told so although every inference is behind the gate.
        assert server.http.post("/segment", content=b"junk").status_code == 400
        gated.gate.set()
        assert [answer.result().status_code for answer in answers] == [200] * 4


def test_the_event_loop_is_free_while_a_model_works(start, gated, frame, encode):
    gated.gate.set()
    server = start(gated)
    gated.close_gate()
    with ThreadPoolExecutor(1) as clients:
        answer = clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20)
        assert gated.entered.acquire(timeout=20)
        for _ in range(5):  # with a loop that is held up by the inference none of these would be answered
            assert server.http.get("/v2/health/live").status_code == 200
        assert not answer.done()
        gated.gate.set()
        assert answer.result().status_code == 200


def test_draining_refuses_what_is_new(start, frame, encode):
    server = start()
    server.app.state.service.scheduler.drain()
    for answer in (server.http.get("/v2/health/ready"), server.http.post("/segment", content=encode(frame()))):
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "stopping" in answer.text
    for path in ("/v2/health/started", "/v2/health/live"):
        assert server.http.get(path).status_code == 200


def test_a_request_that_is_on_its_way_when_the_server_stops_is_answered(start, gated, frame, encode, monkeypatch):
    monkeypatch.setattr("api.connections.LAST_REQUEST_S", 10)  # the test may be slow; it closes the connection itself
    gated.gate.set()
    server = start(gated)
    gated.close_gate()
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as kept, ThreadPoolExecutor(1) as clients:
        kept.request("GET", "/categories")
        kept.getresponse().read()
        admitted = clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20)
        try:
            assert gated.entered.acquire(timeout=20)
            server.server.handle_exit(signal.SIGTERM, None)
            give_up = time.monotonic() + 10
            while True:  # until it listens no more: by then it has looked at every connection
                try:
                    socket.create_connection((host, int(port)), timeout=1).close()
                except OSError:
                    break
                assert time.monotonic() < give_up
            kept.request("POST", "/segment", encode(frame()))
            answer = kept.getresponse()
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            assert answer.headers["retry-after"]
        finally:
            gated.gate.set()
        assert admitted.result().status_code == 200


def test_categories(server):
    assert server.http.get("/categories").json() == [
        {"id": c.id, "name": c.name, "color": list(c.color), "label_ids": list(c.label_ids)} for c in CATEGORIES
    ]


def test_model_tells_its_contract(server):
    told = server.http.get("/model").json()
    assert (told["model"], told["provider"], told["threads"]) == ("accurate-int8", "cpu", 1)
    assert told["contract"]["precision"] == "int8"
    assert server.http.get("/model?model=accurate-fp32").json()["model"] == "accurate-fp32"
    assert server.http.get("/model?model=none").status_code == 404


# The command itself, in a process of its own.


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "api", *map(str, arguments)]


def test_sigterm_answers_the_request_that_is_there_and_exits_with_0(slow_model_folder, frame, mask_of, encode):
    process = subprocess.Popen(
        command("--port", 0, "--models", slow_model_folder, "--threads", 1),
        cwd=ROOT,
        env={**os.environ, "ROADMASK_LOG_LEVEL": "warning"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert "serves accurate-int8, nodes on cpu" in line
        url = line.split()[0]
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as idle, ThreadPoolExecutor(1) as clients:
            answer = clients.submit(httpx.post, f"{url}/segment", content=encode(frame()), timeout=20)
            time.sleep(1)  # on a busy machine too, the request has arrived; the model takes 2 s
            process.send_signal(signal.SIGTERM)
            assert idle.recv(100) == b"", "idle connections are closed"
            assert not answer.done(), "the model of this test is too fast: nothing was under way"
            assert answer.result().status_code == 200
            mask = np.array(Image.open(io.BytesIO(answer.result().content)))
        np.testing.assert_array_equal(mask, mask_of(frame()))
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out, errors) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "/nonexistent"], "/nonexistent"),
        (["--port", "70000"], "--port"),
        (["--port", "x"], "--port"),
        (["--threads", "0"], "--threads"),
        (["--providers", "gpu"], "gpu"),
        (["--providers", "cuda"], "cuda"),
        (["--host", "256.1.1.1"], "256.1.1.1"),
        (["--what"], "--what"),
    ],
)
def test_bad_input_is_one_line_and_status_2(model_folder, arguments, words):
    models = [] if "--models" in arguments else ["--models", model_folder]
    ended = subprocess.run(
        command("--port", 0, *models, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert words in ended.stderr


def test_a_model_that_can_not_be_loaded_is_one_line_and_status_2(tmp_path):
    (tmp_path / "accurate-int8.onnx").write_bytes(b"this is no model")
    ended = subprocess.run(
        command("--port", 0, "--models", tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert "accurate-int8.onnx" in ended.stderr


def test_a_port_that_is_taken_is_one_line_and_status_2(model_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            command("--port", port, "--models", model_folder), cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert f":{port}: Address already in use" in ended.stderr


def test_help_has_an_example_and_needs_no_server(capsys):
    helped = subprocess.run(command("--help"), cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert helped.returncode == 0
    assert "curl --data-binary @frame.jpg" in helped.stdout
    told = subprocess.run(command("--version"), cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (told.returncode, told.stdout.split()[0]) == (0, "roadmask")


def test_serving_imports_no_training():
    heavy = ("tensorflow", "keras", "train", "convert", "gui", "onnx", "tf2onnx")
    code = f"import api.server, sys; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ended.stdout.strip() == "[]", ended.stderr


def test_connections_answer_without_waiting_for_acknowledgements():
    with listen("127.0.0.1", 0) as listening:
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
