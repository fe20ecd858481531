"""Compressed requests and answers."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import numpy as np
import pytest

INFER = "/v2/models/accurate/infer"
LENGTH = "Inference-Header-Content-Length"


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_request_is_unpacked(server, images, masks, coding, pack, tensor, binary):
    asked = binary(images)
    asked["headers"]["Content-Encoding"] = coding
    answer = server.http.post(INFER, content=pack(asked["content"]), headers=asked["headers"])
    assert answer.json()["outputs"][0]["data"] == masks.ravel().tolist()
    as_text = json.dumps({"inputs": [tensor(images)]}).encode()
    answer = server.http.post(INFER, content=pack(as_text), headers={"Content-Encoding": coding})
    assert answer.json()["outputs"][0]["data"] == masks.ravel().tolist()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, deflate;q=0.5, gzip;q=0.4", "deflate"),
        ("gzip;q=0", None),
        ("gzip;q=x", None),
        ("br", None),
        ("", None),
    ],
)
def test_an_answer_is_compressed_as_its_client_accepts(server, images, masks, accepted, coding, binary, mask_in):
    asked = binary(images, {"parameters": {"binary_data_output": True}})
    answer = server.http.post(
        INFER, content=asked["content"], headers={**asked["headers"], "Accept-Encoding": accepted}
    )
    assert answer.headers.get("content-encoding") == coding
    np.testing.assert_array_equal(mask_in(answer), masks)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("damage", ["cut", "noise", "more", "empty"])
def test_a_body_that_is_badly_compressed_is_told_so(server, coding, damage, assert_refused):
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](b"{}" * 1000)
    body = {"cut": packed[:-3], "noise": b"{}", "more": packed + b"x", "empty": b""}[damage]
    assert_refused(server.http.post(INFER, content=body, headers={"Content-Encoding": coding}), 400, coding)


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "zstd"])
def test_a_coding_that_is_not_handled(server, coding, assert_refused):
    assert_refused(server.http.post(INFER, content=b"x", headers={"Content-Encoding": coding}), 415, coding, "gzip")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_body_that_unpacks_to_more_than_the_limit_is_refused_before_it_does(start, coding, pack, assert_refused):
    server = start(max_body_bytes=100_000)
    bomb = pack(bytes(90_000_000))
    tracemalloc.start()
    try:
        answer = server.http.post(INFER, content=bomb, headers={"Content-Encoding": coding})
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert_refused(answer, 413, "100000")
    within = server.http.post(INFER, content=pack(b" " * 100_000), headers={"Content-Encoding": coding})
    assert_refused(within, 400)
