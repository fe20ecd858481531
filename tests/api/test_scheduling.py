"""Deadlines, clients that leave, batches, and what bodies may hold together, over real sockets."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture
def busy(start, gated, frame, encode):
    """A server whose one inference is under way until the gate is opened, and the answer to come."""
    gated.gate.set()
    server = start(gated, queue_size=8)
    gated.close_gate()
    with ThreadPoolExecutor(1) as clients:
        answer = clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20)
        assert gated.entered.acquire(timeout=20)
        yield server, answer
        gated.gate.set()
        assert answer.result().status_code == 200


def test_a_deadline_that_passes_in_the_queue_is_told_when_it_passes(busy, gated, frame, encode, assert_problem):
    server, answer = busy
    late = server.http.post("/segment", content=encode(frame()), headers={"Request-Timeout-Ms": "100"})
    assert_problem(late, 504, "deadline", "before inference began")
    assert not answer.done(), "nobody waited for the inference of another"
    gated.gate.set()
    answer.result()
    assert not gated.entered.acquire(timeout=0.3), "what was late is not computed"


def test_the_servers_deadline_holds_where_the_request_names_none(start, gated, frame, encode, assert_problem):
    gated.gate.set()
    server = start(gated, request_timeout_ms=150)
    gated.close_gate()
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20)
        assert gated.entered.acquire(timeout=20)
        assert_problem(server.http.post("/segment", content=encode(frame())), 504, "deadline")
        gated.gate.set()
        assert first.result().status_code == 200, "its inference had begun in time"


def test_a_deadline_in_time_changes_nothing(server, frame, encode, mask_of):
    answer = server.http.post("/segment", content=encode(frame()), headers={"Request-Timeout-Ms": "60000"})
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(answer.content))), mask_of(frame()))


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "soon", "3600001", "9" * 400, "٣"])
def test_a_deadline_that_makes_no_sense(server, frame, encode, assert_problem, text):
    headers = {b"Request-Timeout-Ms": text.encode()}
    answer = server.http.post("/segment", content=encode(frame()), headers=headers)
    assert_problem(answer, 400, "Request-Timeout-Ms", "3600000")


def send_head(url: str, length: int, *headers: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    lines = ["POST /segment HTTP/1.1", f"Host: {host}", f"Content-Length: {length}", *headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def test_a_deadline_passes_while_the_body_is_still_coming(server):
    with send_head(server.url, 1000, "Request-Timeout-Ms: 100") as slow:
        slow.sendall(b"x" * 10)
        assert slow.recv(100).startswith(b"HTTP/1.1 504 ")


def test_a_request_whose_client_has_gone_is_not_computed(busy, gated, frame, encode):
    server, answer = busy
    scheduler = server.app.state.service.scheduler
    body = encode(frame())
    with send_head(server.url, len(body)) as gone:
        gone.sendall(body)
        wait_for(lambda: scheduler.places_taken == 2)
    wait_for(lambda: scheduler.places_taken == 1)
    gated.gate.set()
    answer.result()
    assert not gated.entered.acquire(timeout=0.3)


def test_clients_that_vanish_halfway_leave_nothing_behind(server, frame, encode):
    service = server.app.state.service
    body = encode(frame())
    for cut in (0, 1, len(body) // 2, len(body) - 1):
        with send_head(server.url, len(body)) as gone:
            gone.sendall(body[:cut])
    wait_for(lambda: service.buffered._held == 0 and service.scheduler.places_taken == 0)
    assert server.http.post("/segment", content=body).status_code == 200


def test_all_bodies_together_have_a_limit(start, frame, encode, assert_problem):
    server = start(max_buffered_bytes=100_000)
    with send_head(server.url, 200_000) as slow:
        slow.sendall(b"x" * 99_000)
        wait_for(lambda: server.app.state.service.buffered._held >= 99_000)
        refused = server.http.post("/segment", content=encode(frame()))
        assert_problem(refused, 503, "100000")
        assert refused.headers["retry-after"]
    wait_for(lambda: server.app.state.service.buffered._held == 0)
    assert server.http.post("/segment", content=encode(frame())).status_code == 200


def test_the_same_frame_gives_the_same_mask_alone_and_in_a_batch(start, frame, encode, mask_of):
    server = start(queue_size=32, batch_size=4, batch_delay_ms=20.0)
    infer = server.app.state.service.models.default.infer
    sizes = []
    server.app.state.service.models.default.infer = lambda images: sizes.append(len(images)) or infer(images)
    pixels = [frame(48, 64 + 32 * (i % 3)) for i in range(24)]

    def ask(image: np.ndarray) -> bytes:
        return httpx.post(f"{server.url}/segment", content=encode(image), timeout=20).content

    with ThreadPoolExecutor(24) as clients:
        for image, answer in zip(pixels, clients.map(ask, pixels), strict=True):
            np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(answer))), mask_of(image))
    assert max(sizes) > 1, "nothing was batched"
    assert max(sizes) <= 4
