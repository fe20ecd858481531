"""Where the site begins behind a reverse proxy that serves it under a sub-path."""

from __future__ import annotations

from urllib.parse import quote

from nicegui import ui


def prefix() -> str:
    """What the paths of the page that is being made begin with: "" or like `/sub/path`.

    The header comes from outside and goes into HTML: what a path can't hold is percent-encoded, as NiceGUI does.
    """
    given = ui.context.client.request.headers.get("X-Forwarded-Prefix", "")
    return quote(given.rstrip("/"), safe="/:@!$()*+,;=%")
