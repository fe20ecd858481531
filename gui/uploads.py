"""Choosing a file: by drop, click or paste. It is checked in the browser, then sent to the page's server."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from weakref import WeakValueDictionary

from nicegui import app, background_tasks
from nicegui.element import Element
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gui.client import MAX_BYTES
from gui.preferences import Preferences
from gui.styles import add_styles
from gui.texts import uploads as texts


@dataclass(frozen=True)
class Chosen:
    """A file that a visitor gave."""

    name: str
    """As the visitor has it, without folders."""
    data: bytes
    url: str
    """Where the browser has it: it shows the picture from there, without fetching it again."""

    @property
    def stem(self) -> str:
        """The name without its ending, of plain characters alone: a beginning for the names of downloads."""
        stem = re.sub(r"[^A-Za-z0-9_-]", "", self.name.rpartition(".")[0] or self.name)
        return stem[:80] or "image"


OnChosen = Callable[[Chosen], Awaitable[None]]


PATH = "/uploads"

_BY_TOKEN: WeakValueDictionary[str, FileChooser] = WeakValueDictionary()
"""Every page's choosers. One route leads to all of them: FastAPI remembers each function that ever was a route's, and
with a chooser's own it would keep the page and the picture in it."""


def register() -> None:
    """Answer at `/uploads/TOKEN`."""

    @app.post(PATH + "/{token}", include_in_schema=False)
    async def upload(request: Request) -> Response:
        chooser = _BY_TOKEN.get(request.path_params["token"])
        return Response(status_code=404) if chooser is None else await chooser.take(request)


class FileChooser(Element, component="uploads.js"):
    """A place that takes one image file.

    What can't be taken (several files, an empty one, a huge one, no image) is told there and then, by itself, and never
    reaches `on_chosen`; what looks like an image does, and the API decides.
    """

    def __init__(
        self,
        label: str,
        chosen: Preferences,
        on_chosen: OnChosen,
        *,
        whole_page: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Put it where the page is being made.

        Args:
            label: what the file is for; screen readers and eyes get it.
            chosen: the visitor's preferences.
            on_chosen: called in the page's context for each file; a newer file does not wait for an older one.
            whole_page: whether drops and pastes count anywhere on the page; for one chooser of a page at most.
            max_bytes: a file's largest size.
        """
        super().__init__()
        add_styles()
        self._on_chosen = on_chosen
        self._max_bytes = max_bytes
        token = secrets.token_urlsafe(16)
        words = asdict(texts.TEXTS[chosen.language])
        self._props.update(label=label, action=f"{PATH}/{token}", words=words, max_bytes=max_bytes)
        self._props.update(whole_page=whole_page)
        _BY_TOKEN[token] = self
        self.client.on_delete(lambda: _BY_TOKEN.pop(token, None))

    def refuse(self, sentence: str) -> None:
        """Tell why a file was no good, at the place where it was given; the next file takes it away."""
        self.run_method("refuse", sentence)

    async def take(self, request: Request) -> Response:
        """The browser's request: the file as the body, its name and its address there in the query."""
        data = bytearray()
        try:
            async for part in request.stream():
                data += part
                if len(data) > self._max_bytes:
                    return Response(status_code=413)
        except ClientDisconnect:
            return Response(status_code=400)
        url = request.query_params.get("url", "")
        given = Chosen(
            name=request.query_params.get("name", "").replace("\\", "/").rpartition("/")[2] or "image",
            data=bytes(data),
            url=url if url.startswith("blob:") else "",  # into an <img> of the sender's own page, and nothing else
        )
        background_tasks.create(self._on_chosen(given), context=self.client)
        return Response(status_code=204)
