"""`WS /stream`: what a client can't take from the server."""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from api import stream_protocol


def raw_stream(server: Any) -> socket.socket:
    """A WebSocket whose frames the test writes itself."""
    line = socket.create_connection(("127.0.0.1", server.http.base_url.port), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    line.sendall(
        "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    told = b""
    while not told.endswith(b"\r\n\r\n"):
        told += line.recv(1)
    assert told.startswith(b"HTTP/1.1 101 ")
    return line


def header(size: int, opcode: int = 2, final: bool = True) -> bytes:
    """Of a masked frame whose mask is 0: the payload goes as it is."""
    return struct.pack(">BBQI", opcode | final << 7, 0xFF, size, 0)


def close_frame(line: socket.socket) -> int:
    """The code of the close frame that comes next."""
    told = b""
    while len(told) < 4:
        piece = line.recv(1)
        assert piece, "the connection was cut without a word"
        told += piece
    assert told[0] == 0x88
    return struct.unpack(">H", told[2:4])[0]


@pytest.mark.parametrize("size", [100_001, 30_000_000])
def test_a_message_over_the_limit_ends_the_stream_with_1009(
    start, frame, encode, size, open_stream, answer, close_code
):
    server = start(max_body_bytes=100_000)
    with open_stream(server) as client:
        try:
            client.send(bytes(size))
        except ConnectionClosed:
            assert size > 1_000_000, "it was not all sent when the server refused it"
        assert close_code(client) == 1009
    with open_stream(server) as client:
        client.send(encode(frame()))
        assert answer(client)[0]["seq"] == 0


def test_a_message_that_does_not_arrive_in_time_ends_the_stream(start, frame, encode, wait_until):
    server = start(body_timeout_s=0.4)
    whole = encode(frame())
    with raw_stream(server) as line:
        line.sendall(header(len(whole)) + whole)
        line.recv(65536)
        time.sleep(0.6)  # idling between frames is no matter
        line.sendall(header(len(whole)) + whole[:-1])
        give_up = time.monotonic() + 10
        told = b""
        while b"\x88" not in told or b"did not arrive within 0.4 s" not in told:
            assert time.monotonic() < give_up
            told += line.recv(65536)
    wait_until(lambda: server.app.state.service.buffered._held == 0)


def test_messages_and_bodies_that_are_being_read_have_a_limit_together(start, wait_until):
    server = start(max_buffered_bytes=300_000)
    with raw_stream(server) as first, raw_stream(server) as second:
        first.sendall(header(250_000) + bytes(200_000))
        wait_until(lambda: server.app.state.service.buffered._held >= 200_000)
        second.sendall(header(250_000) + bytes(200_000))
        assert close_frame(second) == 1013
    wait_until(lambda: server.app.state.service.buffered._held == 0)


def test_a_message_of_endless_empty_fragments_ends_the_stream(server):
    with raw_stream(server) as line:
        line.sendall(header(0, final=False) + header(0, opcode=0, final=False) * (stream_protocol.MAX_FRAGMENTS + 1))
        assert close_frame(line) == 1009


def test_a_client_that_pings_and_reads_nothing_is_cut_off(server):
    pings = (struct.pack(">BBI", 0x89, 0x80 | 125, 0) + bytes(125)) * 100

    def flood(line: socket.socket) -> None:
        for _ in range(2000):  # 25 MB of pongs: more than the sockets of a machine hold
            line.sendall(pings)

    with raw_stream(server) as line, pytest.raises(OSError, match=r"reset|Broken pipe"):
        flood(line)


def test_a_frame_that_breaks_the_protocol_ends_the_stream(server):
    with raw_stream(server) as line:
        line.sendall(b"\x82\x01a")  # a client has to mask
        assert close_frame(line) == 1002
