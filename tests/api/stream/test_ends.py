"""`WS /stream`: how it ends, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket


def test_a_text_message_ends_the_stream_after_what_was_admitted(
    closed_gate, gated, frame, encode, open_stream, answer, close_code, fill
):
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


def test_a_signal_ends_streams_after_what_was_admitted(
    closed_gate, gated, frame, encode, open_stream, answer, close_code, fill
):
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


def test_draining_ends_a_stream_at_its_next_frame(start, frame, encode, open_stream, answer, close_code):
    server = start()
    with open_stream(server) as client:
        client.send(encode(frame()))
        assert answer(client)[0]["seq"] == 0
        server.app.state.service.scheduler.drain()
        client.send(encode(frame()))
        assert close_code(client) == 1012


def test_a_model_that_is_unloaded_ends_its_streams_and_one_that_is_loaded_anew_does_not(
    start, frame, encode, open_stream, answer, close_code
):
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


def test_of_a_client_that_vanishes_nothing_is_left(
    closed_gate, gated, frame, encode, open_stream, answer, wait_until, fill
):
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
