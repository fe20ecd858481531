"""How often a model was used, and where the time went."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np

INFER = "/v2/models/accurate/infer"
LENGTH = "Inference-Header-Content-Length"


def stats(server: Any, path: str = "/v2/models/accurate/stats") -> list[dict[str, Any]]:
    return server.http.get(path).json()["model_stats"]


def test_statistics_count_every_use_of_a_model_whichever_route_it_came_by(start, images, frame, encode, binary):
    server = start()
    (before,) = stats(server)
    assert (before["name"], before["inference_count"], before["last_inference"]) == ("accurate", 0, 0)
    began = time.time() * 1000
    assert server.http.post(INFER, **binary(images)).status_code == 200
    assert server.http.post("/segment", content=encode(frame())).status_code == 200
    assert server.http.post("/segment", content=b"junk").status_code == 400
    (after,) = stats(server)
    assert (after["inference_count"], after["execution_count"]) == (3, 2)
    assert began - 1 <= after["last_inference"] <= time.time() * 1000 + 1
    shares = after["inference_stats"]
    assert {name: part["count"] for name, part in shares.items()} == {
        "success": 2,
        "fail": 1,
        "queue": 2,
        "compute_input": 2,
        "compute_infer": 2,
        "compute_output": 2,
        "cache_hit": 0,
        "cache_miss": 0,
    }
    parts = sum(shares[name]["ns"] for name in ("queue", "compute_input", "compute_infer", "compute_output"))
    assert shares["compute_infer"]["ns"] > 0
    assert abs(shares["success"]["ns"] - parts) < 10
    assert [(batch["batch_size"], batch["compute_infer"]["count"]) for batch in after["batch_stats"]] == [
        (1, 1),
        (2, 1),
    ]
    assert all(isinstance(part["ns"], int) for part in shares.values())


def test_a_batch_over_the_budget_counts_as_the_inferences_that_it_took(start, frame, binary):
    server = start()
    batch = np.stack([frame(512, 1024)] * 3)
    assert server.http.post(INFER, **binary(batch)).status_code == 200
    (after,) = stats(server)
    assert (after["inference_count"], after["execution_count"]) == (3, 3)
    assert [(part["batch_size"], part["compute_infer"]["count"]) for part in after["batch_stats"]] == [(1, 3)]


def test_requests_that_share_a_batch_count_as_one_inference(start, images, binary):
    server = start(batch_size=4, batch_delay_ms=1000, queue_size=8)
    with ThreadPoolExecutor(2) as clients:
        answers = [clients.submit(httpx.post, server.url + INFER, **binary(images), timeout=20) for _ in range(2)]
        assert [answer.result().status_code for answer in answers] == [200, 200]
    (after,) = stats(server)
    assert (after["inference_count"], after["execution_count"]) == (4, 1)
    assert [(part["batch_size"], part["compute_infer"]["count"]) for part in after["batch_stats"]] == [(4, 1)]


def test_statistics_of_all_models_are_those_that_are_loaded(start, images, binary):
    server = start()
    server.http.post("/v2/models/accurate-fp32/infer", **binary(images))
    rows = {row["name"]: row["inference_count"] for row in stats(server, "/v2/models/stats")}
    assert rows == {"accurate-int8": 0, "accurate-fp32": 2}
