"""The application on uvicorn, from the socket to the exit status."""

from __future__ import annotations

import logging
import signal
import socket
from types import FrameType

import cv2
import uvicorn
from starlette.applications import Starlette

from api import connections, logs, stream_protocol
from api.app import create_app
from api.service import Service
from api.settings import Settings
from runtime.errors import ModelInvalid, RoadmaskError

KEEP_ALIVE_S = 75
"""Of an idle connection: longer than the 60 s of common proxies, so that it is the client's side that closes first."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises:
        OSError: the address is taken, not ours, or no address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    # Connections inherit it. asyncio sets it only on sockets that were made for TCP by number, which this one is not:
    # each answer would wait 40 ms for the acknowledgement of its first half.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def configure(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How uvicorn runs the application."""
    # Its warnings tell what is wrong with a form. Whoever sent it is told; a log that strangers can fill is of no use.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        lifespan="on",
        http=connections.with_timeouts(settings.header_timeout_s, settings.body_timeout_s),
        ws=stream_protocol.with_limits(settings.body_timeout_s, app.state.service.buffered),
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,  # images are compressed already
        # At `debug` a WebSocket's every header would be logged, keys included.
        log_config=None,
        log_level="error" if settings.log_level == "error" else "warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which ends with status 0 after a signal, and ends by itself where no model can be loaded."""

    def __init__(self, config: uvicorn.Config, service: Service, address: str = "") -> None:
        """Opens nothing yet.

        Args:
            config: of the application whose service it is.
            service: told when admission ends, asked whether the model is there.
            address: begins the line that is printed once it is; "" prints none.
        """
        super().__init__(config)
        self._service = service
        self._address = address

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End admission at once. uvicorn's own would raise the signal again in the end, and so not exit with 0."""
        self._service.scheduler.drain()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True ends the server."""
        default = self._service.models.default
        if default is not None and self._address:
            nodes = ", ".join(f"{name} ({sum(operators.values())})" for name, operators in default.nodes.items())
            print(f"{self._address} serves {default.name}, nodes on {nodes}", flush=True)
            self._address = ""
        is_over = await super().on_tick(counter) or self._service.failure is not None
        if is_over:
            self._service.buffered.stop_reading()
        return is_over


def run(settings: Settings) -> None:
    """Serve until a signal ends it.

    Raises:
        ModelNotFound, ModelInvalid, ProviderUnavailable: the default model can't be loaded.
        OSError: the address can't be listened on.
    """
    logs.configure(settings.log_level)
    # Frames are fitted on several threads at once: a pool of OpenCV's own would only get in their way.
    cv2.setNumThreads(1)
    app = create_app(settings)
    service: Service = app.state.service
    with listen(settings.host, settings.port) as listening:
        port = listening.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        Server(configure(app, settings), service, f"http://{host}:{port}").run(sockets=[listening])
    if isinstance(service.failure, RoadmaskError):
        raise service.failure
    if service.failure is not None:
        reason = str(service.failure).strip().splitlines() or [type(service.failure).__name__]
        raise ModelInvalid(f"the model '{settings.model}' can't be run: {reason[0]}") from service.failure
