"""JSON from strangers: bounded in memory, whatever it holds."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from api.errors import RequestMalformed
from api.inference_protocol import numbers

INFER = "/v2/models/accurate/infer"
LENGTH = "Inference-Header-Content-Length"


HOSTILE = {
    "brackets": b"[" * 2**21,
    "quotes": b'"' * 2**21,
    "escaped quotes": b'"\\"' * 2**20,
    "texts": b'"a",' * 2**19,
    "keys": b'"data":' * 2**18,
    "lists": b'"data":[' * 2**18,
    "empty lists": b'{"data":[' + b"[]," * 2**19 + b"[]]}",
    "spaces in a list": b'{"data":[' + b" " * 2**21 + b"]}",
    "digits in a list": b'{"data":[' + b"1" * 2**22 + b"]}",
    "numbers in a list": b'{"data":[' + b"1," * 2**20 + b"1]}",
    "objects": b"{}," * 2**19,
}


def read_all(text: bytes) -> None:
    _, data = numbers.load(text, len(text))
    if data is not None:
        numbers.whole_bytes(data, 3072)


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_json_takes_more_memory_than_its_text(kind):
    text = HOSTILE[kind]
    tracemalloc.start()
    try:
        with pytest.raises(RequestMalformed):
            read_all(text)
        # As Python objects the empty lists would take 33 MB, and the objects 45.
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[100,200,255,0,7,13]", [100, 200, 255, 0, 7, 13]),
        ("[[1, 2],\n[[3]], 4]", [1, 2, 3, 4]),
        ("[1,2,3,4,5,6,]", None),
        ("[1,,2]", None),
        ("[1 2]", None),
        ("[1][2]", None),
        ("[[1,2]", None),
        ("[1,[],2]", None),
        ("[01,2]", None),
    ],
)
def test_numbers_are_the_same_wherever_their_text_is_cut(monkeypatch, text, expected, chunk):
    monkeypatch.setattr(numbers, "CHUNK", chunk)
    data = memoryview(text.encode())
    try:
        read: list[int] | None = list(numbers.whole_bytes(data, text.count(",") + 1))
    except RequestMalformed:
        read = None
    # A cut that finds no comma near it may refuse a list, and never reads another one.
    assert read == expected or (read is None and chunk < 5)


def test_an_id_and_names_have_an_end(server, assert_refused):
    assert_refused(server.http.post(INFER, json={"inputs": [], "id": "x" * 70_000}), 400, "65536")


def test_bodies_are_held_against_what_all_may_hold_while_they_are_taken_apart(start, images, binary, assert_refused):
    server = start()
    service = server.app.state.service
    held = service.settings.max_buffered_bytes - service.settings.max_body_bytes
    service.buffered.take(held)
    asked = binary(images)
    packed = gzip.compress(asked["content"])
    headers = {**asked["headers"], "Content-Encoding": "gzip"}
    assert server.http.post(INFER, content=packed, headers=headers).status_code == 200
    service.buffered.take(1)
    assert_refused(server.http.post(INFER, content=packed, headers=headers), 503, "bytes")
    service.buffered.give_back(held + 1)
    assert server.http.post(INFER, content=packed, headers=headers).status_code == 200
