"""`WS /stream`: streams beside each other, beside requests, and with a client that does not read."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np


def test_streams_take_turns_and_leave_a_place_for_requests(
    closed_gate, gated, frame, encode, monkeypatch, open_stream, answer, wait_until, fill
):
    server = closed_gate(queue_size=3)
    scheduler = server.app.state.service.scheduler
    bodies = [encode(frame(32, width)) for width in (32, 64, 96, 128, 160)]
    admitted: list[int] = []
    submit = scheduler.submit

    def noted(model: Any, prepare: Any, *rest: Any) -> Any:
        scheduler.check()
        images = prepare()
        admitted.append(images.shape[2])
        return submit(model, lambda: images, *rest)

    monkeypatch.setattr(scheduler, "submit", noted)
    with open_stream(server) as first, open_stream(server) as second, ThreadPoolExecutor(1) as clients:
        fill(first, server, gated, bodies[0], bodies[1])
        second.send(bodies[2])
        assert second.ping().wait(10)
        first.send(bodies[3])
        assert first.ping().wait(10)
        assert scheduler.places_taken == 2
        request = clients.submit(httpx.post, f"{server.url}/segment", content=bodies[4], timeout=20)
        wait_until(lambda: scheduler.places_taken == 3)
        gated.gate.set()
        assert request.result().status_code == 200
        assert answer(second)[0]["seq"] == 0
        assert [answer(first)[0]["seq"] for _ in range(3)] == [0, 1, 2]
    assert admitted == [32, 64, 160, 96, 128], "a stream goes before another that has waited longer"


def test_a_full_queue_is_no_error_of_a_stream(closed_gate, gated, frame, encode, open_stream, answer, wait_until):
    server = closed_gate(queue_size=2)
    with open_stream(server) as client, ThreadPoolExecutor(2) as clients:
        requests = [
            clients.submit(httpx.post, f"{server.url}/segment", content=encode(frame()), timeout=20) for _ in range(2)
        ]
        wait_until(lambda: server.app.state.service.scheduler.places_taken == 2)
        for _ in range(5):
            client.send(encode(frame()))
        assert client.ping().wait(10)
        gated.gate.set()
        told, mask = answer(client)
        assert (told["seq"], told["passed_over"]) == (4, 4)
        assert (mask == 5).all()
        assert [request.result().status_code for request in requests] == [200, 200]


def test_frames_of_a_client_that_does_not_read_are_passed_over(
    closed_gate, gated, encode, monkeypatch, open_stream, answer
):
    server = closed_gate()
    gated.gate.set()
    counts = {"inferred": 0}

    def noise(images: np.ndarray) -> np.ndarray:
        counts["inferred"] += 1
        return np.random.default_rng(0).integers(1, 8, images.shape[:3], np.uint8)

    monkeypatch.setattr(gated, "infer", noise)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", server.http.base_url.port))
    body = encode(np.zeros((700, 700, 3), np.uint8))
    sent, since_last = 0, 0
    with open_stream(server, sock=small, max_queue=1) as client:
        while since_last < 40:  # until the socket's buffers are full and the server waits
            before = counts["inferred"]
            client.send(body)
            sent += 1
            time.sleep(0.02)
            since_last = since_last + 1 if counts["inferred"] == before else 0
            assert sent < 1000, "the server goes on for a client that does not read"
        stalled = counts["inferred"]
        for _ in range(200):
            client.send(body)
        sent += 200
        assert counts["inferred"] == stalled
        assert server.http.post("/segment", content=body).status_code == 200
        told, accounted = {"seq": -1}, 0
        while told["seq"] < sent - 1:
            told, _ = answer(client)
            accounted += 1 + told["passed_over"]
        assert accounted == sent
