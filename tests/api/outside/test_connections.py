"""Connections on which headers come slowly, endlessly or never."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import time

import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from websockets.sync.client import connect

from api.connections import with_timeouts
from api.request_ids import RequestIds

TIMEOUT_S = 0.5

LOOPS = [
    "asyncio",
    pytest.param("uvloop", marks=pytest.mark.skipif(not importlib.util.find_spec("uvloop"), reason="no uvloop here")),
]


async def _slow(_request: Request) -> Response:
    await asyncio.sleep(TIMEOUT_S * 3)
    return PlainTextResponse("slow")


@pytest.fixture(params=LOOPS)
def server(serve, request):
    routes = [Route("/slow", _slow)]
    return serve(Middleware(RequestIds), routes=routes, http=with_timeouts(TIMEOUT_S, TIMEOUT_S), loop=request.param)


def read_all(line: socket.socket) -> bytes:
    data = b""
    while piece := line.recv(65536):
        data += piece
    return data


def test_who_sends_nothing_is_cut_off_without_a_word(server):
    with server.connect() as line:
        began = time.monotonic()
        assert line.recv(100) == b""
        assert time.monotonic() - began > TIMEOUT_S / 2


def read_until(line: socket.socket, end: bytes) -> bytes:
    data = bytearray()
    while not data.endswith(end):
        piece = line.recv(2**20)
        assert piece, f"the connection ended after {bytes(data[:300])!r}"
        data += piece
    return bytes(data)


@pytest.mark.parametrize("start", [b"G", b"GET /items/a HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\r\n"])
def test_who_sends_headers_slowly_gets_a_408(server, start):
    with server.connect() as line:
        line.sendall(start)
        answer = read_all(line)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in answer
    assert b"0.5 s" in answer


def test_a_byte_now_and_then_wins_no_time(server):
    with server.connect() as line:
        line.settimeout(TIMEOUT_S / 10)
        began = time.monotonic()
        line.sendall(b"GET /items/a HTTP/1.1\r\nX-Slow: ")
        answer = None
        while answer is None:
            assert time.monotonic() - began < 10
            try:
                line.sendall(b"y")
                answer = line.recv(65536)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                answer = b"HTTP/1.1 408 "  # its last byte crossed the answer
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_later_request_of_a_connection_has_the_same_time(server):
    request = b"GET /items/a HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as line:
        for _ in range(2):
            line.sendall(request)
            read_until(line, b"\r\n\r\na")
            time.sleep(TIMEOUT_S * 2)  # idling between two requests is not what is timed
        line.sendall(request[:10])
        assert read_all(line).startswith(b"HTTP/1.1 408 ")


def test_line_breaks_do_not_hold_a_connection(server):
    with server.connect() as line:
        line.sendall(b"GET /items/a HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(line, b"\r\n\r\na")
        line.sendall(b"\r\n")
        assert read_all(line).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_not_its_business(server):
    with server.connect() as line:
        line.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        for byte in (b"a", b"b", b"c", b"d"):
            time.sleep(TIMEOUT_S * 0.7)
            line.sendall(byte)
        answer = read_until(line, b"abcd")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_websocket_may_be_quiet(server):
    with connect(server.socket_url) as stream:
        time.sleep(TIMEOUT_S * 2)
        stream.send(b"frame")
        assert stream.recv() == b"frame"


def test_endless_headers_get_a_431(server):
    with server.connect() as line:
        line.sendall(b"GET /items/a HTTP/1.1\r\nHost: x\r\n")
        answer = b""
        try:
            for number in range(3000):
                line.sendall(b"X-%d: %s\r\n" % (number, b"y" * 100))
            answer = read_all(line)
        except (BrokenPipeError, ConnectionResetError):
            return  # it was cut off while the test was still sending
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_many_requests_and_large_bodies_are_no_long_headers(server):
    for _ in range(400):
        assert server.http.get("/items/a", headers={"X-Filler": "y" * 500}).status_code == 200
    body = b"x" * 200_000
    with server.connect() as line:
        for _ in range(3):
            line.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + body)
            answer = read_until(line, body)
            assert answer.startswith(b"HTTP/1.1 200 ")


def test_half_a_request_behind_one_that_is_worked_on_waits_for_it(server):
    with server.connect() as line:
        line.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET /items/a HTTP/1.1\r\n")
        read_until(line, b"\r\n\r\nslow")
        line.sendall(b"Host: x\r\n\r\n")
        assert read_until(line, b"\r\n\r\na").startswith(b"HTTP/1.1 200 ")
