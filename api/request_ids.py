"""What ties an answer to its request: `X-Request-ID`, and the frame's own time stamp."""

from __future__ import annotations

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SANE = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
"""What is written to logs and taken from strangers has neither spaces nor control characters, and an end."""


class RequestIds:
    """Middleware: gives back the request's id, or a new one, and `Frame-Timestamp` as it came, on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _SANE.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        timestamp = headers.get("frame-timestamp")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added["X-Request-ID"] = request_id
                if timestamp is not None:
                    added["Frame-Timestamp"] = timestamp
            await send(message)

        await self._app(scope, receive, send_with_headers)
