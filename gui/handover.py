"""What a visitor gave stays when language or palette change: the page before hands it to the one that replaces it.

Nothing is put aside for it. While a browser loads a page anew, the page before it is still open, or its client lives
on for NiceGUI's `reconnect_timeout`: the new one asks it, by a cookie that assets/preferences.js sets for that request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from nicegui import ui

from gui.pictures import Pictures
from gui.uploads import Chosen

COOKIE = "roadmask_from"
"""The token of the page before, known to its visitor alone."""

_MEDIA_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp", b"BM": "image/bmp"}


@dataclass(frozen=True)
class Held:
    """What a visitor gave to a page and chose there."""

    image: Chosen | None = None
    truth: Chosen | None = None
    model: str | None = None
    second: str | None = None
    """Where there are two models."""


_BY_TOKEN: dict[str, tuple[str, Callable[[], Held]]] = {}
"""Of every page that is open: its path, and what tells what it holds. It goes with the page's client."""


def hand_over(held: Callable[[], Held], pictures: Pictures) -> Held:
    """Let the page that is being made hand over what it holds.

    Args:
        held: tells that, when the page after it is made.
        pictures: where the browser finds an image again; the addresses that it had end with the page before.

    Returns:
        What the page before it held, if this one replaces it.
    """
    client = ui.context.client
    token = secrets.token_urlsafe(16)
    _BY_TOKEN[token] = (client.page.path, held)
    client.on_delete(lambda: _BY_TOKEN.pop(token, None))
    ui.add_head_html(f'<script>window.roadmaskPage = "{token}";</script>')
    path, before = _BY_TOKEN.get(client.request.cookies.get(COOKIE, ""), ("", Held))
    found = before() if path == client.page.path else Held()
    if found.image is None:
        return found
    data = found.image.data
    kind = next((kind for start, kind in _MEDIA_TYPES.items() if data.startswith(start)), "image/tiff")
    return replace(found, image=replace(found.image, url=pictures.add(data, kind)))
