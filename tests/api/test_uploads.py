"""Bodies that are too much, too slow or badly wrapped: each is refused before it costs anything."""

from __future__ import annotations

import socket
import struct
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image


def npy_header(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header tells this size, with hardly any data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# Too much.


def test_a_body_over_the_limit_is_refused_by_its_length_without_being_read(server):
    with socket.create_connection(("127.0.0.1", server.http.base_url.port), timeout=10) as line:
        line.sendall(b"POST /segment HTTP/1.1\r\nHost: a\r\nContent-Length: 33554433\r\n\r\n")
        told = line.recv(65536)
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"33554432" in told


@pytest.mark.parametrize("with_length", [True, False])
def test_a_body_over_the_limit_is_refused(start, assert_problem, with_length):
    server = start(max_body_bytes=100_000)

    def chunks() -> Iterator[bytes]:
        for _ in range(400):
            yield bytes(1000)

    answer = server.http.post("/segment", content=bytes(400_000) if with_length else chunks())
    assert_problem(answer, 413, "100000")
    # The connection is still good, and so is a body of just the limit.
    assert_problem(server.http.post("/segment", content=bytes(100_000)), 400)


def test_a_body_without_an_end_is_refused_at_the_limit(start):
    server = start(max_body_bytes=100_000)
    with socket.create_connection(("127.0.0.1", server.http.base_url.port), timeout=10) as line:
        line.sendall(b"POST /segment HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        line.sendall((b"3e8\r\n" + bytes(1000) + b"\r\n") * 101)
        assert line.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_over_the_default_limit_is_refused(server, assert_problem):
    assert_problem(server.http.post("/segment", content=bytes(32 * 2**20 + 1)), 413)
    assert_problem(server.http.post("/segment", files={"a": ("a.png", bytes(32 * 2**20))}), 413)


@pytest.mark.parametrize(
    "body",
    [
        png_of_size(60_000, 60_000),
        png_of_size(50_000_001, 1),
        png_of_size(2**31 - 1, 2**31 - 1),
        npy_header("|u1", "(60000, 60000, 3)"),
        npy_header("|u1", "(99999999999999999999, 99999999999999999999, 3)"),
    ],
)
def test_an_image_of_too_many_pixels_is_refused_by_its_header(server, assert_problem, body):
    assert_problem(server.http.post("/segment", content=body), 413, "50000000")


def test_the_pixel_limit_is_a_setting(start, assert_problem, encode):
    server = start(max_pixels=100)
    assert server.http.post("/segment", content=encode(Image.new("RGB", (10, 10)))).status_code == 200
    assert_problem(server.http.post("/segment", content=encode(Image.new("RGB", (101, 1)))), 413, "101 x 1")


def test_a_body_that_does_not_arrive_in_time_is_given_up(start):
    server = start(body_timeout_s=0.3)
    with socket.create_connection(("127.0.0.1", server.http.base_url.port), timeout=10) as line:
        line.sendall(b"POST /segment HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, told = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    assert b"0.3 s" in told


def test_a_client_that_leaves_takes_nothing_with_it(server, frame, encode):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.http.base_url.port), timeout=10) as line:
            line.sendall(b"POST /segment HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
    assert server.http.post("/segment", content=encode(frame())).status_code == 200


# Forms.


def form(*parts: bytes, boundary: bytes = b"b") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


FILE = b'Content-Disposition: form-data; name="a"; filename="a.png"\r\n\r\nbytes'
FIELD = b'Content-Disposition: form-data; name="a"\r\n\r\nbytes'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (form(), ""),
        (form(FIELD), "no files"),
        (form(FILE, FILE), "2 files"),
        (form(*[FIELD] * 65), "parts"),
        (form(FILE, boundary=b"other"), "broken"),
        (form(FILE)[:-6], "closing boundary"),
        (form(FILE)[:30], "closing boundary"),
        (form(FILE.replace(b":", b"")), "broken"),
        (form(b"x" * 5000 + b": y\r\n\r\n"), "broken"),
        (b"", "closing boundary"),
        (form(FILE), "not an image"),
        (form(FILE.removesuffix(b"bytes")), "empty"),
    ],
)
def test_a_form_that_is_wrong_is_told_so(server, assert_problem, body, words):
    answer = server.http.post("/segment", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert_problem(answer, 400, words)


@pytest.mark.parametrize("parameters", ["", "; boundary=", '; boundary=""', "; boundary", "; boundary=" + "b" * 300])
def test_a_form_without_a_boundary_is_told_so(server, assert_problem, parameters):
    answer = server.http.post(
        "/segment", content=form(FILE), headers={"Content-Type": f"multipart/form-data{parameters}"}
    )
    assert_problem(answer, 400, "oundary")
