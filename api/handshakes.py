"""Refusing a WebSocket before it is one."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


async def refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    """Answer an HTTP request, or a WebSocket's handshake, with an error.

    A server without the ASGI extension for it can refuse a handshake with nothing but 403.
    """
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
    else:
        await answer(scope, receive, send)
