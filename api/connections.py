"""Connections that hold what nobody needs: who sends its headers slowly, endlessly or never is cut off.

uvicorn's HTTP protocol waits for a request's headers for ever and keeps as many as come, waits for ever for the rest of
a body whose request was answered already, and of a pipeline tells only the newest request that the client has left.
Connections that idle between two requests are its own `timeout_keep_alive`'s business, bodies that are read
`api.uploads`'.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADER_BYTES = 64 * 2**10
"""Of a request's line and headers; h11, the parser that uvicorn has for want of httptools, has the same limit."""

LINGER_S = 2.0
"""How long a client that is cut off may take to read why."""

LAST_REQUEST_S = 0.5
"""How long a connection that idles when the server stops may take for one more request: it may be on its way already,
and closing would lose it. Longer than the time between two frames of a camera."""


class TimedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to everything."""

    header_timeout_s: float
    """From the connection's start, or from the first byte of a later request on it, to the end of the headers."""
    body_timeout_s: float
    """From an answer that did not wait for the body to the end of the body, which is read and dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        """The request that is being answered; uvicorn's `cycle` is the newest, which may wait behind it."""
        self._expects_headers = True
        self._has_begun = False
        """Whether a byte of these headers came."""
        self._header_bytes = 0
        """Of the pieces that held nothing else."""
        self._is_all_header = False
        """Whether the piece that is being parsed holds nothing but headers, as far as it is known."""
        self._is_last = False
        """Whether the server stops, and the next answer closes the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is due from here on."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more, and nobody waits for an answer."""
        self._stop_timer()
        self._stop_body_timer()
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Bytes outside of a body are headers to come, line breaks between two requests included."""
        self._is_all_header = self._expects_headers
        if self._expects_headers:
            self._has_begun = True
            self._start_timer()
        super().data_received(data)
        if self._is_all_header and not self.transport.is_closing():
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._cut_off(b"431 Request Header Fields Too Large", "the headers have more than 64 KiB")

    def on_message_begin(self) -> None:
        """A request's first byte. It may come with the last of the request before."""
        super().on_message_begin()
        self._has_begun = True
        self._start_timer()

    def on_headers_complete(self) -> None:
        """They came in time."""
        self._expects_headers = self._is_all_header = False
        self._stop_timer()
        super().on_headers_complete()
        if self._is_last and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Whatever comes now belongs to the next request."""
        self._expects_headers, self._has_begun, self._header_bytes = True, False, 0
        self._stop_body_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Half a request that waited behind this one in a pipeline has its time from here on."""
        if self._header_timer is not None:
            self._stop_timer()
            self._start_timer()
        if not self._expects_headers and self._body_timer is None:
            self._body_timer = self.loop.call_later(self.body_timeout_s, self.transport.abort)
        super().on_response_complete()

    def shutdown(self) -> None:
        """The server stops. uvicorn's own would close what idles at once, and reset what arrives at that moment."""
        self._is_last = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LAST_REQUEST_S, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _start_timer(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_timeout_s, self._time_out)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _time_out(self) -> None:
        self._header_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request of a pipeline is still being answered; reading may be paused because of it.
            self._start_timer()
        elif self._has_begun:
            self._cut_off(b"408 Request Timeout", f"the headers did not arrive within {self.header_timeout_s:g} s")
        else:
            self.transport.close()  # nothing was asked: an answer would be taken for one to whatever comes next

    def _cut_off(self, status: bytes, detail: str) -> None:
        body = detail.encode()
        length = str(len(body)).encode()
        self.transport.write(
            b"HTTP/1.1 "
            + status
            + b"\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: "
            + length
            + b"\r\nconnection: close\r\n\r\n"
            + body
        )
        self.transport.close()
        # Closing waits until everything is read; a client that reads nothing must not hold the connection that way.
        self.loop.call_later(LINGER_S, self.transport.abort)


def with_timeouts(header_s: float, body_s: float) -> type[TimedHttpProtocol]:
    """The protocol with its timeouts, for uvicorn's `http` setting."""
    return type("TimedHttpProtocol", (TimedHttpProtocol,), {"header_timeout_s": header_s, "body_timeout_s": body_s})
