"""Clients of `/stream`, and a server whose model waits until a test lets it go on."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


@pytest.fixture(scope="session")
def open_stream() -> Callable[..., ClientConnection]:
    """`open_stream(server, "?model=accurate")`: a client of its stream."""

    def connected(server: Any, query: str = "", **options: Any) -> ClientConnection:
        url = server.url.replace("http", "ws", 1)
        return connect(f"{url}/stream{query}", compression=None, max_size=None, **options)

    return connected


@pytest.fixture(scope="session")
def answer() -> Callable[[ClientConnection], tuple[dict[str, Any], np.ndarray | None]]:
    """`answer(client)`: the next text message, and the mask that follows it where it tells of no error."""

    def receive(client: ClientConnection) -> tuple[dict[str, Any], np.ndarray | None]:
        told = json.loads(client.recv(timeout=20))
        if "error" in told:
            return told, None
        data = client.recv(timeout=20)
        assert isinstance(data, bytes)
        return told, np.array(Image.open(io.BytesIO(data)))

    return receive


@pytest.fixture(scope="session")
def close_code() -> Callable[[ClientConnection], int]:
    """`close_code(client)`: the code with which the server ends the stream, after no other message."""

    def receive(client: ClientConnection) -> int:
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        assert closed.value.rcvd is not None, "the connection was cut without a word"
        return closed.value.rcvd.code

    return receive


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """`wait_until(condition)`: 20 s at most."""

    def wait(condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < give_up
            time.sleep(0.005)

    return wait


@pytest.fixture
def closed_gate(start, gated) -> Callable[..., Any]:
    """A server with a stand-in model, warm, whose gate is closed."""

    def started(**settings: Any) -> Any:
        gated.gate.set()
        server = start(gated, **settings)
        gated.close_gate()
        return server

    return started


@pytest.fixture(scope="session")
def fill(wait_until) -> Callable[..., None]:
    """`fill(client, server, gated, first, second)`: send two frames of which one is inferred and one waits for it."""

    def send(client: ClientConnection, server: Any, gated: Any, first: bytes, second: bytes) -> None:
        before = server.app.state.service.scheduler.places_taken
        client.send(first)
        assert gated.entered.acquire(timeout=10)
        client.send(second)
        wait_until(lambda: server.app.state.service.scheduler.places_taken == before + 2)

    return send
