"""The page `/models`."""

from __future__ import annotations

from nicegui import ui
from starlette.requests import Request

from gui.shell import Site, shell


def register(site: Site) -> None:
    """Put the page at its address."""

    @ui.page("/models", title="roadmask")
    async def page(request: Request) -> None:
        with shell(request, "models") as chosen:
            ui.label(f"models, {chosen.language}")
