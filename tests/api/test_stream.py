"""`WS /stream` over real sockets: order, newest wins, ends, and what a client can't take from the server."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from api import stream_protocol


def open_stream(server: Any, query: str = "", **options: Any) -> ClientConnection:
    url = server.url.replace("http", "ws", 1)
    return connect(f"{url}/stream{query}", compression=None, max_size=None, **options)


def answer(client: ClientConnection) -> tuple[dict[str, Any], np.ndarray | None]:
    """The next text message, and the mask that follows it where it tells of no error."""
    told = json.loads(client.recv(timeout=20))
    if "error" in told:
        return told, None
    data = client.recv(timeout=20)
    assert isinstance(data, bytes)
    return told, np.array(Image.open(io.BytesIO(data)))


def close_code(client: ClientConnection) -> int:
    """The code with which the server ends the stream, after no other message."""
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=20)
    assert closed.value.rcvd is not None, "the connection was cut without a word"
    return closed.value.rcvd.code


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.fixture
def closed_gate(start, gated):
    """A server with a stand-in model, warm, whose gate is closed."""

    def started(**settings: Any) -> Any:
        gated.gate.set()
        server = start(gated, **settings)
        gated.close_gate()
        return server

    return started


def fill(client: ClientConnection, server: Any, gated: Any, first: bytes, second: bytes) -> None:
    """Send two frames of which one is inferred and one waits for it."""
    before = server.app.state.service.scheduler.places_taken
    client.send(first)
    assert gated.entered.acquire(timeout=10)
    client.send(second)
    wait_until(lambda: server.app.state.service.scheduler.places_taken == before + 2)


# Masks, in order.


def test_each_frame_gets_its_mask_with_seq_and_timings(server, frame, mask_of, encode):
    with open_stream(server) as client:
        assert client.response.headers["Roadmask-Model"] == "accurate-int8"
        assert client.response.headers["Roadmask-Provider"] == "cpu"
        for seq in range(5):
            pixels = frame(40 + seq, 60)
            npy = io.BytesIO()
            np.save(npy, pixels)
            client.send(npy.getvalue() if seq == 4 else encode(pixels, "PNG" if seq % 2 else "BMP"))
            told, mask = answer(client)
            assert (told["seq"], told["passed_over"]) == (seq, 0)
            assert list(told["timings_ms"]) == ["decode", "queue", "infer", "encode"]
            np.testing.assert_array_equal(mask, mask_of(pixels))


def test_a_frame_in_fragments_is_one_frame(server, frame, mask_of, encode):
    data = encode(frame())
    with open_stream(server) as client:
        client.send([data[:100], data[100:101], b"", data[101:]])
        told, mask = answer(client)
        assert told["seq"] == 0
        np.testing.assert_array_equal(mask, mask_of(frame()))


def test_a_model_can_be_asked_for(server, frame, mask_of, encode):
    with open_stream(server, "?model=accurate-fp32") as client:
        assert client.response.headers["Roadmask-Model"] == "accurate-fp32"
        client.send(encode(frame()))
        np.testing.assert_array_equal(answer(client)[1], mask_of(frame()) + 1)


def test_masks_come_in_order_and_every_frame_is_accounted_for(server, frame, mask_of, encode):
    sent = [frame(48, 64 + seq) for seq in range(60)]
    with open_stream(server) as client:
        for pixels in sent:
            client.send(encode(pixels))
        seqs, accounted = [], 0
        while not seqs or seqs[-1] < len(sent) - 1:
            told, mask = answer(client)
            np.testing.assert_array_equal(mask, mask_of(sent[told["seq"]]))
            seqs.append(told["seq"])
            accounted += 1 + told["passed_over"]
            assert accounted == told["seq"] + 1
    assert seqs == sorted(set(seqs))


def test_the_newest_frame_wins(closed_gate, gated, frame, encode):
    server = closed_gate()
    with open_stream(server) as client:
        fill(client, server, gated, encode(frame(48, 64)), encode(frame(48, 65)))
        for seq in range(2, 10):
            client.send(encode(frame(48, 64 + seq)))
        assert client.ping().wait(10), "the server has not read all of them"
        assert server.app.state.service.scheduler.places_taken == 2
        gated.gate.set()
        for seq, passed_over in ((0, 0), (1, 0), (9, 7)):
            told, mask = answer(client)
            assert (told["seq"], told["passed_over"]) == (seq, passed_over)
            np.testing.assert_array_equal(mask, np.full((48, 64 + seq), 5))
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.2)


def test_a_frame_that_is_none_is_told_so_and_the_stream_goes_on(server, frame, encode):
    good = encode(frame())
    with open_stream(server) as client:
        for seq, data in enumerate((good, b"junk", good[:200], b"", good)):
            client.send(data)
            told, mask = answer(client)
            assert (told["seq"], told["passed_over"]) == (seq, 0)
            assert (mask is None) == (seq in (1, 2, 3))
            if mask is None:
                assert set(told) == {"seq", "passed_over", "error"}
                assert told["error"]
                assert "\n" not in told["error"]


def test_a_frame_over_the_limit_on_pixels_is_told_so(start, frame, encode):
    with open_stream(start(max_pixels=3000)) as client:
        client.send(encode(frame(100, 100)))
        assert "3000" in answer(client)[0]["error"]
        client.send(encode(frame(20, 20)))
        assert answer(client)[0]["seq"] == 1


# Handshakes that are refused.


def refusal(server: Any, query: str = "") -> Any:
    with pytest.raises(InvalidStatus) as refused:
        open_stream(server, query)
    return refused.value.response


def test_an_unknown_model_is_refused_with_404(server):
    told = refusal(server, "?model=none")
    assert (told.status_code, told.headers["Content-Type"]) == (404, "application/problem+json")
    assert "none" in json.loads(told.body)["detail"]


def test_a_model_that_is_not_ready_is_refused_with_503(start, gated):
    told = refusal(start(gated, wait=False))
    assert told.status_code == 503
    assert int(told.headers["Retry-After"]) > 0


def test_a_server_that_stops_refuses_with_503(start):
    server = start()
    server.app.state.service.scheduler.drain()
    told = refusal(server)
    assert (told.status_code, told.headers["Retry-After"]) == (503, "5")


# Ends.


def test_a_text_message_ends_the_stream_after_what_was_admitted(closed_gate, gated, frame, encode):
    server = closed_gate()
    with open_stream(server) as client:
        fill(client, server, gated, encode(frame()), encode(frame()))
        client.send("frame")
        client.send(encode(frame()))
        assert client.ping().wait(10)
        gated.gate.set()
        assert [answer(client)[0]["seq"] for _ in range(2)] == [0, 1]
        assert "binary" in json.loads(client.recv(timeout=20))["error"]
        assert close_code(client) == 1003


def test_a_signal_ends_streams_after_what_was_admitted(closed_gate, gated, frame, encode):
    server = closed_gate()
    with open_stream(server) as idle, open_stream(server) as client:
        fill(client, server, gated, encode(frame()), encode(frame()))
        client.send(encode(frame()))
        assert client.ping().wait(10)
        server.server.handle_exit(signal.SIGTERM, None)
        assert close_code(idle) == 1012
        gated.gate.set()
        for seq in range(2):
            told, mask = answer(client)
            assert told["seq"] == seq
            assert (mask == 5).all()
        assert close_code(client) == 1012


def test_draining_ends_a_stream_at_its_next_frame(start, frame, encode):
    server = start()
    with open_stream(server) as client:
        client.send(encode(frame()))
        assert answer(client)[0]["seq"] == 0
        server.app.state.service.scheduler.drain()
        client.send(encode(frame()))
        assert close_code(client) == 1012


def test_a_model_that_is_unloaded_ends_its_streams_and_one_that_is_loaded_anew_does_not(start, frame, encode):
    server = start()
    models = server.app.state.service.models
    loop = server.server.servers[0].get_loop()
    with open_stream(server) as client:
        client.send(encode(frame()))
        answer(client)
        asyncio.run_coroutine_threadsafe(models.load("accurate"), loop).result(20)
        client.send(encode(frame()))
        assert answer(client)[0]["seq"] == 1
        asyncio.run_coroutine_threadsafe(models.unload("accurate"), loop).result(20)
        client.send(encode(frame()))
        assert close_code(client) == 1013


def test_of_a_client_that_vanishes_nothing_is_left(closed_gate, gated, frame, encode):
    server = closed_gate()
    scheduler = server.app.state.service.scheduler
    loop = server.server.servers[0].get_loop()

    def stream_tasks() -> list[str]:
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks(loop)]
        return [name for name in names if name.startswith("_Stream.") or "websocket" in name]

    for _ in range(4):
        gated.gate.clear()
        with open_stream(server) as client:
            fill(client, server, gated, encode(frame()), encode(frame()))
            assert stream_tasks()
            client.send(encode(frame()))
            client.socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: scheduler.places_taken == 1)  # the inference that has begun
        wait_until(lambda: not stream_tasks())
        gated.gate.set()
        wait_until(lambda: scheduler.places_taken == 0)
        assert not gated.entered.acquire(timeout=0.1), "a frame was inferred for nobody"
    with open_stream(server) as client:
        client.send(encode(frame()))
        assert answer(client)[0]["seq"] == 0


# Sharing.


def test_streams_take_turns_and_leave_a_place_for_requests(closed_gate, gated, frame, encode, monkeypatch):
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


def test_a_full_queue_is_no_error_of_a_stream(closed_gate, gated, frame, encode):
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


def test_frames_of_a_client_that_does_not_read_are_passed_over(closed_gate, gated, encode, monkeypatch):
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


# What a client can't take.


@pytest.mark.parametrize("size", [100_001, 30_000_000])
def test_a_message_over_the_limit_ends_the_stream_with_1009(start, frame, encode, size):
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


def test_a_message_that_does_not_arrive_in_time_ends_the_stream(start, frame, encode):
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


def test_messages_and_bodies_that_are_being_read_have_a_limit_together(start):
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
