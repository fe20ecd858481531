"""Deadlines and a full queue, as the protocol tells them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx


def test_the_timeout_of_the_request_is_its_deadline(start, gated, images, binary, assert_refused):
    gated.gate.set()
    server = start(gated, queue_size=8)
    gated.close_gate()
    url = f"{server.url}/v2/models/gated/infer"
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(httpx.post, url, **binary(images), timeout=20)
        assert gated.entered.acquire(timeout=10)
        asked = binary(images, {"parameters": {"timeout": 200_000}})
        began = time.monotonic()
        assert_refused(server.http.post(url, **asked), 504, "deadline")
        both = binary(images, {"parameters": {"timeout": 10**18}})
        both["headers"]["Request-Timeout-Ms"] = "100"
        assert_refused(server.http.post(url, **both), 504, "deadline")
        assert time.monotonic() - began < 10, "it was told when its turn came, not at the deadline"
        gated.gate.set()
        assert first.result().status_code == 200
    for timeout in (0, 10**300):
        asked = binary(images, {"parameters": {"timeout": timeout}})
        assert server.http.post(url, **asked).status_code == 200


def test_a_full_queue_refuses(start, gated, images, binary, assert_refused):
    gated.gate.set()
    server = start(gated, queue_size=1)
    gated.close_gate()
    url = f"{server.url}/v2/models/gated/infer"
    with ThreadPoolExecutor(1) as clients:
        first = clients.submit(httpx.post, url, **binary(images), timeout=20)
        assert gated.entered.acquire(timeout=10)
        refused = server.http.post(url, **binary(images))
        assert_refused(refused, 503, "full")
        assert refused.headers["retry-after"] == "1"
        gated.gate.set()
        assert first.result().status_code == 200
