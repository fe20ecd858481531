"""Pictures that a page shows, kept on the page's server while it does, under addresses that nobody can guess."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from nicegui import app, ui
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gui.sub_path import prefix

MAX_BYTES = 512 * 2**20
"""Of all pictures together; the oldest go first. 32 frames of the largest size, or 1,000 ordinary ones."""


@dataclass(frozen=True)
class Picture:
    """Bytes and what they are."""

    data: bytes
    media_type: str
    file_name: str | None
    """As which a browser saves it; None where it is only shown."""


class Pictures:
    """Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._by_token: OrderedDict[str, Picture] = OrderedDict()
        self._bytes = 0

    def add(self, data: bytes, media_type: str, file_name: str | None = None) -> str:
        """Keep a picture until its page is closed.

        Returns:
            Its path, for `src` and `href` of the page's elements: NiceGUI's own prefix for a sub-path included.
        """
        token = secrets.token_urlsafe(16)
        self._by_token[token] = Picture(data, media_type, file_name)
        self._bytes += len(data)
        while self._bytes > MAX_BYTES and len(self._by_token) > 1:
            self._drop(next(iter(self._by_token)))
        ui.context.client.on_delete(lambda: self._drop(token))
        return f"{prefix()}/pictures/{token}"

    def _drop(self, token: str) -> None:
        picture = self._by_token.pop(token, None)
        if picture is not None:
            self._bytes -= len(picture.data)

    def register(self) -> None:
        """Answer at `/pictures/TOKEN`."""

        @app.get("/pictures/{token}")
        def picture(request: Request) -> Response:
            found = self._by_token.get(request.path_params["token"])
            if found is None:
                return PlainTextResponse("no such picture", 404)
            headers = {"Cache-Control": "private, max-age=3600, immutable", "X-Content-Type-Options": "nosniff"}
            if found.file_name is not None:
                headers["Content-Disposition"] = f'attachment; filename="{found.file_name}"'
            return Response(found.data, media_type=found.media_type, headers=headers)
