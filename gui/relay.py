"""`WS /live/stream`: the API's `/stream` under the page's own origin, so that sub-paths, keys and networks' rules hold.

Messages go both ways as they are, one at a time: the next is read when the one before was taken, so whoever is slow
slows the other down, and of a stream there is no more here than one message each way and what sockets hold. When one
side ends, the other is told the same close code and reason. Where the API's stream can't be opened at all, the browser
gets one text message, because a browser is told nothing of a refused handshake and a close reason is short:

    {"reason": "answered", "said": "there is no model 'x' (there: accurate)", "status": 404}

`reason` and `said` are those of `gui.client.ApiError`; the close code is 4000 + status where there is one, else 1014.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from nicegui import app
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from gui.client import MAX_BYTES, TIMEOUT_S, ApiError, Client, refused
from gui.shell import Site

PATH = "/live/stream"

GOING_AWAY, NO_STATUS, BAD_GATEWAY = 1001, 1005, 1014
"""Close codes (RFC 6455, 7.4.1, and IANA's registry)."""

REFUSED = 4000
"""To which the status is added that the API's handshake was refused with; 4000 to 4999 are free for private use."""

MAX_REASON_BYTES = 123
"""Of a close frame's reason (RFC 6455, 5.5)."""

UNREAD_S = 30
"""A browser that has taken nothing for so long is not there any more; its places at the API are given back."""

CLOSE_S = 2
"""For the API to answer a close."""


def register(site: Site) -> None:
    """Answer at PATH."""

    @app.websocket(PATH)
    async def stream(websocket: WebSocket) -> None:
        await relay(websocket, site.client)


async def relay(websocket: WebSocket, client: Client) -> None:
    """Pass one browser's stream on to the API, until either ends it. Only pages of this origin may open one."""
    if not is_same_origin(websocket.headers):
        refusal = PlainTextResponse("only this site's own pages may open a stream here", 403)
        await websocket.send_denial_response(refusal)
        return
    await websocket.accept()
    try:
        upstream = await _open(client, websocket.query_params.get("model"))
    except ApiError as error:
        await _tell(websocket, error)
        return
    try:
        code, reason = await _pass_on(websocket, upstream)
    finally:
        upstream.transport.close()  # also where the page's server stops, which cancels this
    await _close(websocket, code, reason)


def is_same_origin(headers: Headers) -> bool:
    """Whether it is a browser's request from a page of this site.

    A page can't set the headers of a WebSocket, so a proxy's word for the host that the visitor sees can be believed.
    Schemes are not compared: behind a proxy that ends TLS, they differ.
    """
    origin = urlsplit(headers.get("origin", "")).netloc.lower()
    forwarded = [part.strip() for part in headers.get("x-forwarded-host", "").split(",")]
    here = {_without_port(host) for host in (headers.get("host", ""), *forwarded) if host}
    return bool(origin) and _without_port(origin) in here


def _without_port(host: str) -> str:
    """Lower case, and without the port that goes without saying: some proxies drop it, some add it."""
    return host.lower().removesuffix(":80").removesuffix(":443")


async def _open(client: Client, model: str | None) -> ClientConnection:
    """The API's stream.

    Raises:
        ApiError: as of `Client.request`.
    """
    query = f"?{urlencode({'model': model})}" if model else ""
    address = client.settings.api.replace("http", "ws", 1) + "/stream" + query
    try:
        return await connect(
            address,
            additional_headers=client.headers(),
            compression=None,  # images are compressed already
            open_timeout=TIMEOUT_S,  # a model may have to be loaded first
            close_timeout=CLOSE_S,
            max_size=MAX_BYTES,
            max_queue=2,  # a text message and its mask
        )
    except InvalidStatus as error:
        raise _refused(error) from None
    except TimeoutError:
        raise ApiError("slow") from None
    except (OSError, InvalidHandshake, InvalidURI, EOFError):
        raise ApiError("unreachable") from None


def _refused(error: InvalidStatus) -> ApiError:
    return refused(error.response.status_code, error.response.headers, error.response.body or b"")


async def _tell(websocket: WebSocket, error: ApiError) -> None:
    """What became of the attempt to reach the API, and the end."""
    code = BAD_GATEWAY if error.status is None else REFUSED + error.status
    with suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_json({"reason": error.reason, "said": error.said, "status": error.status})
    await _close(websocket, code, error.said or error.reason)


async def _pass_on(websocket: WebSocket, upstream: ClientConnection) -> tuple[int, str]:
    """Both ways until one side ends; the API is told then.

    Returns:
        The close code and reason for the browser.
    """
    down = asyncio.create_task(_api_to_browser(websocket, upstream))
    up = asyncio.create_task(_browser_to_api(websocket, upstream))
    up.add_done_callback(lambda _up: down.cancel())
    down.add_done_callback(lambda _down: up.cancel())
    try:
        await asyncio.wait((up, down))
    finally:
        up.cancel()
    if not up.cancelled():  # the browser ended it
        code, reason = up.result()
        await upstream.close(code, reason)
        return code, reason
    down.result()
    closed = upstream.protocol.close_rcvd
    if closed is not None:
        return _sendable(closed.code), closed.reason
    await upstream.close(GOING_AWAY)
    return BAD_GATEWAY, ""


async def _browser_to_api(websocket: WebSocket, upstream: ClientConnection) -> tuple[int, str]:
    """Until the browser ends it: with which code and why."""
    while True:
        message: dict[str, Any] = dict(await websocket.receive())
        if message["type"] == "websocket.disconnect":
            return _sendable(message.get("code") or NO_STATUS), message.get("reason") or ""
        data = message.get("bytes")
        # Where the API has ended the stream, the other task still passes on what it sent before, and ends this one.
        with suppress(ConnectionClosed):
            await upstream.send(message["text"] if data is None else data)


async def _api_to_browser(websocket: WebSocket, upstream: ClientConnection) -> None:
    """Until the API ends it, or the browser takes nothing any more."""
    with suppress(ConnectionClosed, TimeoutError, WebSocketDisconnect):
        async for message in upstream:
            async with asyncio.timeout(UNREAD_S):
                await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))


def _sendable(code: int) -> int:
    """The code as it may be sent: those that tell of no close frame, or are nobody's, may not (RFC 6455, 7.4)."""
    known = 1000 <= code <= 1003 or 1007 <= code <= BAD_GATEWAY or 3000 <= code < 5000
    return code if known else GOING_AWAY


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Where it is not closed already."""
    if websocket.client_state is WebSocketState.DISCONNECTED:
        return
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await websocket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
