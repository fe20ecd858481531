"""The trivial endpoint: reads the body and answers with as many bytes as a mask has, on uvicorn and nothing else.

What the load tool measures against it is what tool, socket and web server cost before anyone has done any work. It
stays as it is while the server changes, so it runs on asyncio's loop, which takes bodies of megabytes from the socket
with less CPU than uvloop does.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import uvicorn

ANSWER_BYTES = 24 * 1024
"""About what a mask of a street of 2048 x 1024 has as PNG."""


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Awaitable[None]]
) -> None:
    """ASGI, without a framework."""
    assert scope["type"] == "http"
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    b"".join(chunks)
    body = bytes(ANSWER_BYTES)
    headers = [(b"content-type", b"image/png"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(application: Any, loop: Literal["auto", "asyncio"]) -> None:
    """Serve on a free port, after a first line that names it.

    Args:
        application: ASGI.
        loop: `auto` takes uvloop where it is installed, as uvicorn does by itself.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        # Connections inherit it. asyncio sets it only where the socket was made with an explicit IPPROTO_TCP; without
        # it the body of an answer waits up to 40 ms for the client to acknowledge the headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(application, loop=loop, lifespan="off", log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve(app, "asyncio")
