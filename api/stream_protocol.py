"""WebSocket connections that end well: what was admitted is delivered, and nobody's memory or connection is held.

uvicorn's protocol cuts a WebSocket off as soon as the server is told to stop, waits for ever for a client that closes
but does not read what it was sent, and lets any number of clients send the most of a message and then no more. Its
back-pressure is sound: `send` waits while the transport holds more than its high-water mark, and nothing more is read
of a client while a message of its waits for the application.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from api.errors import Unavailable
from api.uploads import Buffered

STOPPING, POLICY, TOO_BIG, TRY_AGAIN_LATER = 1012, 1008, 1009, 1013
"""Close codes (RFC 6455, 7.4.1, and IANA's registry)."""

LINGER_S = 2.0
"""How long a client whose connection ends may take to read the last of it."""

MAX_FRAGMENTS = 16_384
"""Of a message: 2 KiB each at 32 MiB. Empty ones have no size that could be limited."""

MAX_UNREAD_BYTES = 2**20
"""Beyond it a client that pings and does not read its pongs is cut off: they are written without any back-pressure."""


class StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, with an end to everything."""

    message_timeout_s: float
    """For a message to arrive, from its first byte on."""
    buffered: Buffered
    """What is held of messages and bodies that are being read, on all connections together."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held = 0
        """Bytes of an incomplete message, as `buffered` knows."""
        self._message_timer: asyncio.TimerHandle | None = None
        self._is_cut_off = False

    def shutdown(self) -> None:
        """Tell the application that the server stops; it is the one to close."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.queue.put_nowait({"type": "websocket.disconnect", "code": STOPPING})
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is held any more."""
        self._stop_timer()
        self._hold(0)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Of a client that was cut off all is dropped: closing on unread bytes would destroy what it was told."""
        if self._is_cut_off:
            return
        super().data_received(data)
        held = len(self.conn.reader.buffer) + (self.conn.current_size or 0)
        if self._is_cut_off or self.transport.is_closing():
            held = 0
        try:
            self._hold(held)
        except Unavailable as error:
            self._cut_off(TRY_AGAIN_LATER, str(error))
            return
        if not held:
            self._stop_timer()
        elif self._message_timer is None:
            self._message_timer = self.loop.call_later(self.message_timeout_s, self._time_out)

    def send_receive_event_to_app(self) -> None:
        """A message is complete: whatever comes is the next one's."""
        self._stop_timer()
        super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """A fragment of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self._cut_off(TOO_BIG, f"the message has more than {MAX_FRAGMENTS} fragments")
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer it."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()

    def handle_close(self, event: Frame) -> None:
        """The client closes; it may never read what it was sent before."""
        super().handle_close(event)
        self.loop.call_later(LINGER_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """The client answers no ping, so it is likely to read nothing either."""
        super().keepalive_timeout()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """The client broke the protocol, or a message is too big: the parser has prepared what it is told."""
        if self.conn.close_sent is None:  # there is no WebSocket yet
            self.transport.abort()
            return
        self._is_cut_off = True
        self._stop_timer()
        self._hold(0)
        self.frames = []
        self.queue.put_nowait({"type": "websocket.disconnect", "code": self.conn.close_sent.code})
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # uvicorn closes at the application's end where there is no such timer.
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    async def send(self, message: ASGISendEvent) -> None:
        """As uvicorn's; a close that the client does not answer in time ends the connection whatever it has read."""
        await super().send(message)
        if message["type"] == "websocket.close" and self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _hold(self, size: int) -> None:
        if size > self._held:
            self.buffered.take(size - self._held)
        else:
            self.buffered.give_back(self._held - size)
        self._held = size

    def _stop_timer(self) -> None:
        if self._message_timer is not None:
            self._message_timer.cancel()
            self._message_timer = None

    def _time_out(self) -> None:
        self._message_timer = None
        self._cut_off(POLICY, f"the message did not arrive within {self.message_timeout_s:g} s")

    def _cut_off(self, code: int, reason: str) -> None:
        if self._is_cut_off or self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(code, reason[:120])
        self.handle_parser_exception()


def with_limits(message_timeout_s: float, buffered: Buffered) -> type[StreamProtocol]:
    """The protocol with its limits, for uvicorn's `ws` setting."""
    return type("StreamProtocol", (StreamProtocol,), {"message_timeout_s": message_timeout_s, "buffered": buffered})
