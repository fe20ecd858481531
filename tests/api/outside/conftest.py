"""Small applications on real sockets: each layer is tested around a few routes of the test's own."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from api.errors import HANDLERS
from api.metrics import Metrics, metrics


@dataclass
class Served:
    """A server that runs, and a client of it."""

    port: int
    http: httpx.Client
    app: Starlette

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stream"

    def connect(self) -> socket.socket:
        """A bare connection whose reads end after 10 s."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextmanager
def serving(app: Starlette, **config: Any) -> Iterator[Served]:
    told = {"log_config": None, "log_level": "warning", "access_log": False, "lifespan": "off"} | config
    server = uvicorn.Server(uvicorn.Config(app, **told))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                yield Served(port, client, app)
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


async def _item(request: Request) -> Response:
    return PlainTextResponse(request.path_params["name"], headers={"Roadmask-Model": "accurate-int8"})


async def _echo(request: Request) -> Response:
    logging.getLogger("api.test").warning("it is being worked on")
    return Response(await request.body())


async def _mistake(_request: Request) -> Response:
    raise ZeroDivisionError("the test's own")


async def _half(_request: Request) -> Response:
    async def pass_by(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ZeroDivisionError("in the middle")

    return pass_by  # type: ignore[return-value]


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    async for data in websocket.iter_bytes():
        if data == b"mistake":
            raise ZeroDivisionError("in a stream")
        await websocket.send_bytes(data)


async def _unaccepted(_websocket: WebSocket) -> None:
    raise ZeroDivisionError("before the handshake")


ROUTES = [
    Route("/items/{name}", _item),
    Route("/echo", _echo, methods=["POST"]),
    Route("/mistake", _mistake),
    Route("/half", _half),
    Route("/v2/health/live", lambda _request: PlainTextResponse("live")),
    Route("/v2/health/ready", lambda _request: PlainTextResponse("ready")),
    Route("/v2/health/started", lambda _request: PlainTextResponse("started")),
    Route("/metrics", metrics),
    WebSocketRoute("/stream", _stream),
    WebSocketRoute("/unaccepted", _unaccepted),
]

Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(Middleware(...), ..., routes=[...], **uvicorn_settings)`: a small application with these layers."""
    with ExitStack() as stack:

        def served(*layers: Middleware, routes: Any = (), **config: Any) -> Served:
            app = Starlette(routes=[*routes, *ROUTES], middleware=layers, exception_handlers=HANDLERS)
            app.router.redirect_slashes = False
            figures = next((layer.kwargs["metrics"] for layer in layers if "metrics" in layer.kwargs), None)
            app.state.service = SimpleNamespace(metrics=figures)
            return stack.enter_context(serving(app, **config))

        yield served


@pytest.fixture
def figures() -> Metrics:
    return Metrics(lambda: 3, lambda: 4)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Waits, 10 s at most, until a function gives something: what is logged and counted after the answer."""

    def wait(look: Callable[[], Any]) -> Any:
        give_up = time.monotonic() + 10
        while not (found := look()):
            assert time.monotonic() < give_up, "it never came"
            time.sleep(0.01)
        return found

    return wait
