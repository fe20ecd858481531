"""Models that come and go while they are used: nothing is lost, and a bad file changes nothing."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

INFER = "/v2/models/accurate/infer"
LOAD = "/v2/repository/models/accurate/load"
UNLOAD = "/v2/repository/models/accurate/unload"
INDEX = "/v2/repository/index"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of its own, so that its files can be replaced."""
    made = tmp_path / "models"
    made.mkdir()
    return made


@pytest.fixture
def put(folder, model_file) -> Callable[[int], None]:
    """`put(shift)`: replaces the file of `accurate-int8` in one step, as an upgrade has to."""

    def replace(shift: int) -> None:
        # Written beside the folder: in it another file would be another model.
        model_file(folder.parent / "accurate-int8.onnx", shift)
        (folder.parent / "accurate-int8.onnx").replace(folder / "accurate-int8.onnx")

    return replace


@contextmanager
def hammered(server: Any, asks: list[Callable[[httpx.Client], Any]]) -> Iterator[list[Future[list[Any]]]]:
    """A client for each question, which asks it again and again until the block ends; what it was told, in order."""
    stop = threading.Event()

    def ask_on(ask: Callable[[httpx.Client], Any]) -> list[Any]:
        told = []
        with httpx.Client(base_url=server.url, timeout=20) as client:
            while not stop.is_set():
                told.append(ask(client))
        return told

    with ThreadPoolExecutor(len(asks)) as clients:
        answers = [clients.submit(ask_on, ask) for ask in asks]
        try:
            yield answers
        finally:
            stop.set()


def test_a_new_version_is_swapped_in_and_no_request_is_lost(
    start, folder, put, frame, images, binary, mask_in, encode, mask_of
):
    put(1)
    server = start(models=folder, admin=True, queue_size=64)
    asked, picture = binary(images, {"parameters": {"binary_data_output": True}}), encode(frame())
    base = {"tensor": np.stack([mask_of(image) for image in images]), "picture": mask_of(frame())}

    def shift(mask: np.ndarray, kind: str) -> int:
        """By how much all of a mask is higher than that of the first version."""
        assert mask.shape == base[kind].shape
        shifts = np.unique(mask.astype(int) - base[kind])
        assert len(shifts) == 1, "a mask is of two versions"
        return int(shifts[0])

    def by_tensor(client: httpx.Client) -> int:
        return shift(mask_in(client.post(INFER, **asked)), "tensor")

    def by_picture(client: httpx.Client) -> int:
        answer = client.post("/segment", content=picture)
        assert answer.status_code == 200, answer.text
        return shift(np.array(Image.open(io.BytesIO(answer.content))), "picture")

    versions = []
    with hammered(server, [by_tensor, by_tensor, by_picture, by_picture]) as answers:
        for new_shift in (2, 3, 1, 2):
            time.sleep(0.2)
            put(new_shift)
            answer = server.http.post(LOAD)
            assert answer.status_code == 200, answer.text
            # From here on it is the new one that answers.
            assert by_tensor(server.http) == by_picture(server.http) == new_shift - 1
            versions += server.http.get("/v2/models/accurate").json()["versions"]
        time.sleep(0.2)
    assert versions[0] == versions[3] != versions[1] != versions[2]
    for answer in answers:
        told = answer.result()
        changes = [told[0], *(now for before, now in pairwise(told) if now != before)]
        # No answer of an old version comes after one of a newer.
        assert changes in ([0, 1, 2, 0, 1], [1, 2, 0, 1]), changes


def test_a_bad_file_leaves_the_old_one_serving_and_says_why(
    start, folder, put, images, masks, binary, mask_in, assert_refused
):
    put(1)
    server = start(models=folder, admin=True)
    asked = binary(images, {"parameters": {"binary_data_output": True}})
    (folder / "accurate-int8.onnx").write_bytes(b"this is no model")
    for name in ("accurate", "accurate-int8"):
        refused = server.http.post(f"/v2/repository/models/{name}/load")
        assert_refused(refused, 400, "accurate-int8.onnx")
        assert str(folder) not in refused.text
        np.testing.assert_array_equal(mask_in(server.http.post(INFER, **asked)), masks)
    assert server.http.get("/v2/health/ready").status_code == 200
    (folder / "accurate-int8.onnx").unlink()
    assert_refused(server.http.post(LOAD), 404, "accurate")
    np.testing.assert_array_equal(mask_in(server.http.post(INFER, **asked)), masks)
    put(2)
    assert server.http.post(LOAD).status_code == 200
    np.testing.assert_array_equal(mask_in(server.http.post(INFER, **asked)), masks + 1)


def test_what_is_under_way_finishes_on_a_model_that_is_unloaded(start, gated, images, binary, mask_in, assert_refused):
    gated.name = "accurate-int8"  # of which there is a file: it could be loaded, and is not
    gated.gate.set()
    server = start(gated, admin=True)
    gated.close_gate()
    asked = binary(images, {"parameters": {"binary_data_output": True}})
    with ThreadPoolExecutor(1) as clients:
        admitted = clients.submit(httpx.post, server.url + INFER, **asked, timeout=20)
        assert gated.entered.acquire(timeout=10)
        answer = server.http.post(UNLOAD, json={"parameters": {"unload_dependents": True}})
        assert answer.status_code == 200
        assert_refused(server.http.post(INFER, **asked), 503, "unloaded")
        assert not admitted.done()
        gated.gate.set()
        np.testing.assert_array_equal(mask_in(admitted.result()), np.full((2, 32, 64), 5))
    assert_refused(server.http.get("/v2/health/ready"), 503, "unloaded")
    assert server.http.get("/v2/health/started").status_code == 200


def test_the_index_lists_every_file_and_those_alone_that_are_ready_if_asked(start):
    server = start()
    rows = {row["name"]: row for row in server.http.post(INDEX).json()}
    assert set(rows) == {"accurate-int8", "accurate-fp32", "broken-int8"}
    (version,) = server.http.get("/v2/models/accurate").json()["versions"]
    assert rows["accurate-int8"] == {"name": "accurate-int8", "version": version, "state": "READY", "reason": ""}
    assert rows["broken-int8"]["state"] == "UNAVAILABLE"
    assert server.http.get("/v2/models/broken/ready").status_code == 503
    rows = {row["name"]: row for row in server.http.post(INDEX, json={}).json()}
    assert "broken-int8.onnx" in rows["broken-int8"]["reason"]
    assert [row["name"] for row in server.http.post(INDEX, json={"ready": True}).json()] == ["accurate-int8"]


@pytest.mark.parametrize("path", [LOAD, UNLOAD, "/v2/repository/models/none/load"])
def test_administration_is_off_unless_it_is_turned_on(server, assert_refused, path):
    assert_refused(server.http.post(path), 403, "administration is off", "ROADMASK_ADMIN=1")
    assert server.http.get("/v2/models/accurate/ready").status_code == 200


@pytest.mark.parametrize("path", ["/v2/repository/models/none/load", "/v2/repository/models/none/unload"])
def test_a_model_that_is_not_there_is_neither_loaded_nor_unloaded(start, assert_refused, path):
    assert_refused(start(admin=True).http.post(path), 404, "none", "accurate")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (LOAD, b'{"parameters": {"config": "{}"}}', ["'config' is not supported"]),
        (LOAD, b'{"parameters": {"file:1/model.onnx": "AAAA"}}', ["'file:1/model.onnx' is not supported"]),
        (LOAD, b'{"parameters": []}', ["parameters"]),
        (UNLOAD, b'{"parameters": 1}', ["parameters"]),
        (LOAD, b"[]", ["object"]),
        (UNLOAD, b"{", ["not JSON"]),
        (INDEX, b"[" * 50_000, ["nested too deeply"]),
        (INDEX, b'{"ready": 1}', ["ready"]),
        (LOAD, b'{"a": "' + b"a" * 70_000 + b'"}', ["65536"]),
    ],
)
def test_a_body_that_is_wrong_is_told_so(start, assert_refused, path, body, words):
    assert_refused(start(admin=True).http.post(path, content=body), 400, *words)


def test_a_body_over_the_limit_is_refused(start, assert_refused):
    assert_refused(start(admin=True, max_body_bytes=1000).http.post(LOAD, content=b" " * 1001), 413, "1000")
