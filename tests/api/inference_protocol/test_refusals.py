"""What clients can do wrong with tensors: each gets its status and one sentence, and none a 500."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

INFER = "/v2/models/accurate/infer"
LENGTH = "Inference-Header-Content-Length"


ONE = np.zeros((1, 32, 32, 3), np.uint8)
TENSOR = {"name": "image", "shape": [1, 32, 32, 3], "datatype": "UINT8", "data": [0] * ONE.size}


def as_request(**changed: Any) -> dict[str, Any]:
    """A request whose tensor has been changed; a key that is changed to ... is left out."""
    return {"inputs": [{key: value for key, value in {**TENSOR, **changed}.items() if value is not ...}]}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], ["object"]),
        ("text", ["object"]),
        ({}, ["inputs"]),
        ({"inputs": []}, ["inputs", "image"]),
        ({"inputs": {}}, ["inputs"]),
        ({"inputs": [1]}, ["inputs"]),
        ({"inputs": [TENSOR, TENSOR]}, ["2 lists"]),
        ({"inputs": [TENSOR, {"name": "image"}]}, ["exactly one"]),
        (as_request(name="img"), ['"img"', "'image'"]),
        (as_request(name=...), ["null", "'image'"]),
        (as_request(name="x" * 1000), ["..."]),
        (as_request(datatype="FP32"), ["FP32", "UINT8"]),
        (as_request(datatype=...), ["UINT8"]),
        (as_request(shape=...), ["shape"]),
        (as_request(shape=[32, 32, 3]), ["[32, 32, 3]", "batch"]),
        (as_request(shape="1,32,32,3"), ["shape"]),
        (as_request(shape=[1, 32, 32, 4]), ["32, 4]"]),
        (as_request(shape=[1, 32, 32.0, 3]), ["32.0"]),
        (as_request(shape=[True, 32, 32, 3]), ["true"]),
        (as_request(shape=[0, 32, 32, 3]), ["at least 1"]),
        (as_request(shape=[1, 0, 32, 3]), ["at least 1"]),
        (as_request(shape=[-1, -32, 32, 3]), ["at least 1"]),
        (as_request(shape=[257, 32, 32, 3]), ["257", "256"]),
        (as_request(shape=[10**300, 32, 32, 3]), ["256"]),
        (as_request(shape=[1, 10**300 + 1, 32, 3]), ["multiples of 32"]),
        (as_request(shape=[1, 32 * 10**300, 32, 3]), ["524288"]),
        (as_request(shape=[1, 33, 32, 3]), ["33 x 32", "multiples of 32"]),
        (as_request(shape=[1, 512, 1056, 3]), ["512 x 1056", "524288"]),
        (as_request(shape=[1, 32, 64, 3]), ["6144", "3072"]),
        (as_request(shape=[2, 32, 32, 3]), ["6144", "3072"]),
        (as_request(data=...), ["neither"]),
        (as_request(data="AAAA"), ["neither"]),
        (as_request(data={}), ["neither"]),
        (as_request(data=[]), ["3072", "0"]),
        (as_request(data=[0] * 3073), ["3072", "more than 3072"]),
        (as_request(data=[0] * 3071 + [256]), ["255"]),
        (as_request(data=[0] * 3071 + [10**400]), ["255"]),
        (as_request(data=[0] * 3071 + [-1]), ["'-'", "255"]),
        (as_request(data=[0] * 3071 + [1.0]), ["'.'", "whole"]),
        (as_request(data=[0] * 3071 + [True]), ["'t'", "whole"]),
        (as_request(data=[0] * 3071 + [None]), ["'n'", "whole"]),
        (as_request(data=["a"] * 3072), ["255"]),
        (as_request(data=[{"a": 1}]), ["255"]),
        (as_request(parameters=[]), ["parameters of 'image'"]),
        (as_request(parameters={"binary_data_size": 3072}), ["both"]),
        (as_request(parameters={"shared_memory_region": "a"}), ["shared memory"]),
        ({**as_request(), "id": 7}, ["id"]),
        ({**as_request(), "parameters": 7}, ["parameters of the request"]),
        ({**as_request(), "parameters": {"timeout": -1}}, ["timeout", "-1"]),
        ({**as_request(), "parameters": {"timeout": "1"}}, ["timeout", "microseconds"]),
        ({**as_request(), "parameters": {"binary_data_output": 1}}, ["binary_data_output"]),
        ({**as_request(), "outputs": "mask"}, ["outputs"]),
        ({**as_request(), "outputs": ["mask"]}, ["outputs"]),
        ({**as_request(), "outputs": [{}]}, ["null", "'mask'"]),
        ({**as_request(), "outputs": [{"name": "logits"}]}, ["logits", "'mask'"]),
        ({**as_request(), "outputs": [{"name": "mask"}] * 2}, ["2 times"]),
        ({**as_request(), "outputs": [{"name": "mask", "parameters": {"binary_data": "yes"}}]}, ["binary_data"]),
        ({**as_request(), "outputs": [{"name": "mask", "parameters": {"classification": 3}}]}, ["classification"]),
        ({**as_request(), "outputs": [{"name": "mask", "parameters": {"shared_memory_region": "a"}}]}, ["shared"]),
    ],
)
def test_a_request_that_is_wrong_is_told_so(server, asked, words, assert_refused):
    assert_refused(server.http.post(INFER, json=asked), 400, *words)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b"null",
        b"\xff\xfe{}",
        "{}".encode("utf-16"),
        b'{"inputs": NaN}',
        b'{"id": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'"' * 1000,
        b'{"inputs":[{"data":[1,2',
        b'{"inputs":[{"data":[1,2]]}',
        b'{"data":[1],"inputs":[{"data":[1]}]}',
    ],
)
def test_what_is_no_json_is_told_so(server, body, assert_refused):
    assert_refused(server.http.post(INFER, content=body), 400)


@pytest.mark.parametrize(
    ("changed", "length", "more", "words"),
    [
        ({}, 0, b"x", ["3072", "3073"]),
        ({"parameters": {"binary_data_size": 3071}}, 0, b"", ["3071", "3072"]),
        ({"parameters": {"binary_data_size": 10**300}}, 0, b"", ["3072"]),
        ({"parameters": {"binary_data_size": -3072}}, 0, b"", ["-3072"]),
        ({"parameters": {"binary_data_size": 3072.0}}, 0, b"", ["3072.0"]),
        ({"parameters": {"binary_data_size": True}}, 0, b"", ["true"]),
        ({"parameters": {}, "data": [0] * 3072}, 0, b"", ["3072 bytes follow"]),
        ({"data": [0]}, 0, b"", ["both"]),
        ({"shape": [1, 32, 64, 3]}, 0, b"", ["6144"]),
        ({}, 1, b"", ["not JSON"]),
        ({}, -1, b"", ["not JSON"]),
        ({}, 5000, b"", ["bytes of the body"]),
        ({}, 10**11, b"", ["bytes of the body"]),
    ],
)
def test_a_binary_tensor_that_is_wrong_is_told_so(server, changed, length, more, words, binary, assert_refused):
    asked = binary(ONE, **changed)
    told = int(asked["headers"][LENGTH]) + length
    answer = server.http.post(INFER, content=asked["content"] + more, headers={LENGTH: str(told)})
    assert_refused(answer, 400, *words)


@pytest.mark.parametrize("length", ["-1", "x", "", "1.0", "1" * 5000, "0x10"])
def test_a_length_of_json_that_is_no_number(server, length, assert_refused):
    assert_refused(server.http.post(INFER, content=b"{}", headers={LENGTH: length}), 400, LENGTH)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_wrong_method(server, method, assert_refused):
    assert_refused(server.http.request(method, INFER), 405, "POST")


@pytest.mark.parametrize("path", ["/v2/models/none/infer", "/v2/models/accurate/versions/1/infer", "/v2/nothing"])
def test_what_is_not_there(server, images, path, binary, assert_refused):
    assert_refused(server.http.post(path, **binary(images)), 404)


def test_requests_broken_at_random_get_an_answer_each(server, frame, tensor, binary):
    image = frame(32, 32)[None]
    bodies = [binary(image), {"content": json.dumps({"inputs": [tensor(image)]}).encode(), "headers": {}}]
    noise = np.random.default_rng(11)
    for asked, _ in itertools.product(bodies, range(150)):
        broken = bytearray(asked["content"])
        end = int(asked["headers"].get(LENGTH, len(broken)))
        for place in noise.integers(0, end, 3):
            broken[place] = noise.choice(list(b'{}[]",:0 9\\\x00\xff'))
        answer = server.http.post(INFER, content=bytes(broken), headers=asked["headers"])
        assert answer.status_code in (200, 400, 404), answer.text
