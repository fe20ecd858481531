"""The outermost layer: what ties an answer to its request, and one log line and one count for each.

`X-Request-ID` is given back as it came, or made up; `Frame-Timestamp` and a valid `traceparent` are given back too.
Whatever raises below this layer is logged and answered with a 500 that has the id.
"""

from __future__ import annotations

import logging
import re
import uuid
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from api import logs, traces
from api.errors import problem
from api.handshakes import refuse
from api.logs import Identity
from api.metrics import UNKNOWN_ROUTE, Metrics
from api.trace_context import TraceContext
from api.traces import Traces

logger = logging.getLogger(__name__)

CLIENT_GONE = 499
"""The status that is counted, never sent, where the client left before it was answered; nginx coined it."""

PROBES = frozenset({"/v2/health/started", "/v2/health/ready", "/v2/health/live", "/metrics"})
"""Asked every few seconds for ever: their lines are logged at `debug`, and they are no part of any trace."""

MAX_PATH = 500
"""Characters of a path that are logged."""

_SANE = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
"""What is written to logs and taken from strangers has neither spaces nor control characters, and an end."""


class RequestIds:
    """Middleware, for HTTP and the handshakes of WebSockets; belongs outside of all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics | None = None, traces: Traces | None = None) -> None:
        """Wraps an application.

        Args:
            app: what answers.
            metrics: told of each request, if there is one.
            traces: told of each request, if traces are exported.
        """
        self._app, self._metrics, self._traces = app, metrics, traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._metrics, self._traces)
        current = logs.CURRENT.set(exchange.identity)
        span = traces.CURRENT.set(exchange.span)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except (ClientDisconnect, WebSocketDisconnect):
            exchange.leave()
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer and the log the reason
            await exchange.fail(error)
        finally:
            exchange.end()
            logs.CURRENT.reset(current)
            traces.CURRENT.reset(span)


class _Exchange:
    """One request and its answer, as they pass by."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, metrics: Metrics | None, traces: Traces | None
    ) -> None:
        self._began = perf_counter()
        self._scope, self._receive, self._send, self._metrics = scope, receive, send, metrics
        self._is_http = scope["type"] == "http"
        self._status = 0
        """0 until an answer begins."""
        self._is_answered = False
        self._is_counted = False
        self._client_gone = False
        self._bytes_in = self._bytes_out = 0
        self._model: str | None = None
        told = _told(scope)
        request_id = told.get(b"x-request-id", b"").decode("latin-1")
        if not _SANE.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        context = TraceContext.parse(
            told.get(b"traceparent", b"").decode("latin-1"), told.get(b"tracestate", b"").decode("latin-1")
        )
        is_probe = scope["path"] in PROBES
        self.span = None if traces is None or is_probe else traces.begin(scope, context)
        if self.span is not None:
            context = self.span.context
        self.identity = Identity(request_id, None if context is None else context.trace_id)
        self._added = [(b"x-request-id", request_id.encode())]
        if self._is_http and b"frame-timestamp" in told:
            self._added.append((b"frame-timestamp", told[b"frame-timestamp"]))
        if context is not None:
            self._added += context.headers()

    async def receive(self) -> Message:
        """Counts what comes, and notices when the client leaves."""
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            self._bytes_in += len(message.get("body", b""))
        elif kind == "websocket.receive":
            self._bytes_in += len(message.get("bytes") or message.get("text") or b"")
        elif kind in ("http.disconnect", "websocket.disconnect"):
            self.leave()
        return message

    def leave(self) -> None:
        """The client is gone: of no matter once it has its answer, or its WebSocket is open."""
        self._client_gone = self._client_gone or not (self._is_answered if self._is_http else self._status)

    async def send(self, message: Message) -> None:
        """Adds the headers to whatever begins the answer, and counts what goes."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            self._status = message.get("status", 101)
            self._model = next((v.decode() for n, v in message.get("headers", ()) if n == b"roadmask-model"), None)
            message = {**message, "headers": [*message.get("headers", ()), *self._added]}
        elif kind in ("http.response.body", "websocket.http.response.body"):
            self._bytes_out += len(message.get("body", b""))
            self._is_answered = not message.get("more_body", False)
        elif kind == "websocket.send":
            self._bytes_out += len(message.get("bytes") or message.get("text") or b"")
        elif kind == "websocket.close" and not self._status:
            self._status = 403  # as which the server refuses a handshake that nobody accepts
        if self._is_answered or not self._is_http:
            self._count()  # before it goes: whoever has the answer finds it counted
        await self._send(message)

    async def fail(self, error: Exception) -> None:
        """Log what was raised, and answer it if nothing else was answered yet."""
        logger.error("the server made a mistake", exc_info=error)
        if not self._status:
            answer = problem(self._scope["path"], 500, "the server made a mistake; its log tells which")
            await refuse(self._scope, self.receive, self.send, answer)
        elif self._is_http and not self._is_answered:
            self._status = 500  # the connection breaks off in the middle of an answer that was to be another
        elif not self._is_http and self._status == 101:
            # 1011: "the server is terminating the connection because it encountered an unexpected condition".
            await self.send({"type": "websocket.close", "code": 1011})

    def end(self) -> None:
        """The log line, and the count if the answer was never completed."""
        self._status = self._status or 500  # as the server answers for whoever answers nothing
        self._count()
        route = _route(self._scope)
        level = logging.DEBUG if route in PROBES else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(level, "request", extra=self._line(route))
        self.identity.is_over = True

    def _line(self, route: str | None) -> dict[str, object]:
        client = self._scope.get("client")
        line: dict[str, object] = {
            "method": self._scope.get("method", "GET"),
            "route": route,
            "path": self._scope["path"][:MAX_PATH],
            "status": self._status,
            "duration_ms": round((perf_counter() - self._began) * 1000, 3),
            "client": client[0] if client else None,
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
        }
        if self._model is not None:
            line["model"] = self._model
        return line

    def _count(self) -> None:
        """Once: at the end of an answer, or of a handshake, however long the stream that follows it lasts."""
        if self._is_counted:
            return
        self._is_counted = True
        status = CLIENT_GONE if self._client_gone else self._status
        self._status = status
        route, method = _route(self._scope), self._scope.get("method", "GET")
        if self._metrics is not None:
            self._metrics.request(route or UNKNOWN_ROUTE, method, status, perf_counter() - self._began)
        if self.span is not None:
            self.span.end(route, method, status)


def _told(scope: Scope) -> dict[bytes, bytes]:
    """The headers that matter here; `traceparent` only if it is there once, `tracestate` in one piece."""
    told: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in (b"traceparent", b"tracestate") and name in told:
            told[name] += b"," + value  # makes a traceparent invalid, and is what the standard says of a tracestate
        elif name in (b"x-request-id", b"frame-timestamp", b"traceparent", b"tracestate"):
            told[name] = value
    return told


def _route(scope: Scope) -> str | None:
    """The template of the route that the path led to, such as `/v2/models/{model}/infer`; None if it leads nowhere."""
    return getattr(scope.get("route"), "path_format", None)
