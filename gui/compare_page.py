"""The page `/compare`."""

from __future__ import annotations

from nicegui import ui
from starlette.requests import Request

from gui.shell import Site, shell


def register(site: Site) -> None:
    """Put the page at its address."""

    @ui.page("/compare", title="roadmask")
    async def page(request: Request) -> None:
        with shell(request, "compare") as chosen:
            ui.label(f"compare, {chosen.language}")
