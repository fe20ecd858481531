"""Which web pages may use the server from a browser: CORS for HTTP, the Origin header for WebSockets.

Neither keeps out anything but browsers; keys do that.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import HANDLERS, problem
from api.handshakes import refuse
from api.settings import Settings

METHODS = ("GET", "POST")

REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Frame-Timestamp",
    "Inference-Header-Content-Length",
    "Request-Timeout-Ms",
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
"""What a page may send beyond what browsers always let it."""

RESPONSE_HEADERS = (
    "Frame-Timestamp",
    "Inference-Header-Content-Length",
    "Retry-After",
    "Roadmask-Confidence",
    "Roadmask-Model",
    "Roadmask-Provider",
    "Roadmask-Quality",
    "Server-Timing",
    "X-Request-ID",
)
"""What a page may read beyond what browsers always let it."""


def middleware(settings: Settings) -> list[Middleware]:
    """What lets the settings' origins read answers, errors included; nothing where no origin is listed."""
    if not settings.cors_origins:
        return []
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=METHODS,
        allow_headers=REQUEST_HEADERS,
        expose_headers=RESPONSE_HEADERS,
    )
    # Starlette's own lies outside of CORS: a page would be told of a network failure instead of a 500.
    return [cors, Middleware(ServerErrorMiddleware, handler=HANDLERS[Exception])]


def check_origin(headers: Headers, settings: Settings) -> bool:
    """Whether a WebSocket may be opened: by whoever sends no Origin, so is no browser, and by pages that are listed.

    Browsers ask no server before they open a WebSocket to it from any page: it is the server that has to look.
    """
    allowed = settings.websocket_origins
    return "*" in allowed or all(origin in allowed for origin in headers.getlist("origin"))


class WebSocketOrigins:
    """Middleware: 403 for the WebSocket of a page that is not listed, before it is accepted."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not check_origin(Headers(scope=scope), self._settings):
            detail = "this page may not open WebSockets here: ROADMASK_WEBSOCKET_ORIGINS lists the origins that may"
            await refuse(scope, receive, send, problem(scope["path"], 403, detail))
            return
        await self._app(scope, receive, send)
