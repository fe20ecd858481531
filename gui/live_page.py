"""The page `/live`."""

from __future__ import annotations

from nicegui import ui
from starlette.requests import Request

from gui.shell import Site, shell


def register(site: Site) -> None:
    """Put the page at its address."""

    @ui.page("/live", title="roadmask")
    async def page(request: Request) -> None:
        with shell(request, "live") as chosen:
            ui.label(f"live, {chosen.language}")
