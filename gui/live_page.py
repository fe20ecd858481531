"""The page `/live`: the browser's camera or a video, with each frame's mask over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from nicegui import ui
from starlette.requests import Request

from gui import relay
from gui.client import REASONS, TIMEOUT_S, ApiError
from gui.palettes import CATEGORIES, PALETTES
from gui.preferences import Preferences
from gui.settings import Settings
from gui.shell import Site, shell
from gui.styles import add_styles
from gui.texts import live as texts
from gui.texts import shell as shell_texts

RETRY_S = 10
"""Until an API that was away is asked again which models it has."""


class LiveView(ui.element, component="assets/live/live.js", esm={"roadmask": "assets", "roadmask-live": "assets/live"}):
    """Picture, controls and figures. It all runs in the browser, which opens `relay.PATH` by itself."""

    def __init__(self, chosen: Preferences, settings: Settings) -> None:
        """Shows no model to choose from yet.

        Args:
            chosen: gives the language and the colours.
            settings: name the API in sentences.
        """
        super().__init__()
        common = shell_texts.TEXTS[chosen.language]
        told = {"api": settings.api, "seconds": TIMEOUT_S, "status": "{status}"}  # the status is known in the browser
        errors = {name: getattr(common, name).format(**told) for name in REASONS}
        self._props["words"] = asdict(texts.TEXTS[chosen.language]) | errors
        self._props["colors"] = PALETTES[chosen.palette]
        self._props["categories"] = [common.categories[name] for name in CATEGORIES]
        self._props["models"] = []

    def offer(self, models: Sequence[str]) -> None:
        """Let the visitor choose among models, beside the API's default."""
        self._props["models"] = list(models)
        self.update()


def register(site: Site) -> None:
    """Put the page and its stream at their addresses."""
    relay.register(site)

    @ui.page("/live", title="roadmask")
    async def page(request: Request) -> None:
        add_styles("live.css")
        with shell(request, "live") as chosen:
            title = texts.TEXTS[chosen.language].title
            ui.html(f'<h1 class="rm-title">{title}</h1>', sanitize=False)
            view = LiveView(chosen, site.settings)

            async def offer_models() -> None:
                try:
                    entries = await site.client.models()
                except ApiError:
                    return  # the next try may find it
                view.offer([entry["name"] for entry in entries if not entry["reason"]])
                asking.cancel()

            asking = ui.timer(RETRY_S, offer_models)
