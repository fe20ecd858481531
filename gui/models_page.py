"""The page `/models`: what the API has, what each model promises, how it runs, and two of them on one image."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import background_tasks, ui
from starlette.requests import Request

from gui.asking import Asking
from gui.client import ApiError
from gui.model_card import model_card
from gui.model_choice import READY, UNLOADED
from gui.model_pair import ModelPair
from gui.preferences import Preferences
from gui.shell import Site, shell
from gui.styles import add_styles
from gui.texts.models import TEXTS

LOOK_S = 5.0
"""Between two looks at the list: a model that somebody else loads shows up by itself."""

Told = dict[str, dict[str, Any]]
"""`GET /model`'s JSON by the file's stem; the default's once more under ""."""


def register(site: Site) -> None:
    """Put the page at its address."""

    @ui.page("/models", title="roadmask")
    async def page(request: Request) -> None:
        with shell(request, "models") as chosen, ui.element("div").classes("rm-sheet"):
            add_styles("compare.css")
            ModelsPage(site, chosen)


class ModelsPage:
    """One visitor's page."""

    def __init__(self, site: Site, chosen: Preferences) -> None:
        """Make the page's content where it is being made."""
        self._site = site
        self._chosen = chosen
        self._words = words = TEXTS[chosen.language]
        self._entries: list[dict[str, Any]] | None = None
        ui.label(words.title).props("role=heading aria-level=1").classes("rm-title")
        ui.label(words.lead).classes("rm-lead")
        with ui.element("div").classes("rm-quiet"):
            self._reading = Asking(site, chosen)
        self._list = ui.element("div")
        with ui.element("div").classes("rm-quiet"):
            self._loading = Asking(site, chosen)
        self._cards = ui.element("div").classes("rm-result")
        with ui.element("section").classes("rm-result"):
            ui.element("hr")
            self._pair = ModelPair(site, chosen, partial(self._read, ""))
        background_tasks.create(self._read(words.reading), context=ui.context.client)
        ui.timer(LOOK_S, self._look)

    async def _look(self) -> None:
        if self._entries is not None and not self._reading.waits:
            await self._read("")

    async def _read(self, busy: str) -> None:
        await self._reading.ask(self._ask, self._show, busy)

    async def _ask(self) -> tuple[list[dict[str, Any]], Told] | None:
        """The list and what is told of each loaded model; None where nothing changed."""
        entries = await self._site.client.models()
        if entries == self._entries:
            return None
        told: Told = {}
        for name in ["", *(entry["name"] for entry in entries if entry["state"] == READY)]:
            try:
                told[name] = await self._site.client.model(name or None)
            except ApiError as error:
                if error.status is None:
                    raise
                # Unloaded a moment ago; the next look finds it so.
        return entries, told

    async def _show(self, answer: tuple[list[dict[str, Any]], Told] | None) -> None:
        if answer is None:
            return
        self._entries, told = answer
        default = told.pop("", {}).get("model")
        self._list.clear()
        with self._list:
            self._rows(self._entries, default)
        self._cards.clear()
        with self._cards:
            # The default first: it is what answers.
            for name in sorted(told, key=lambda name: name != default):
                model_card(told[name], name == default, self._chosen)
        self._pair.offer(self._entries, default)

    def _rows(self, entries: list[dict[str, Any]], default: str | None) -> None:
        words = self._words
        if not entries:
            ui.label(words.empty)
            return
        with ui.element("ul").classes("rm-models").props(f'aria-label="{words.title}"'):
            for entry in entries:
                with ui.element("li"):
                    self._row(entry, entry["name"] == default)
        if any(entry["state"] != READY for entry in entries):
            ui.label(words.load_hint).classes("rm-hint")

    def _row(self, entry: dict[str, Any], is_default: bool) -> None:
        words, name = self._words, entry["name"]
        is_loaded, is_unloaded = entry["state"] == READY, entry["reason"] == UNLOADED
        has_failed = bool(entry["reason"]) and not is_unloaded
        if is_loaded:
            icon, state = "check_circle", words.loaded
        elif has_failed:
            icon, state = "error", words.failed
        else:
            icon, state = "radio_button_unchecked", words.unloaded if is_unloaded else words.not_loaded
        with ui.element("div").classes("rm-name"):
            ui.label(name).classes("inline")
            if is_default:
                ui.label(words.is_default).classes("rm-badge inline")
        with ui.element("div").classes("rm-state"):
            ui.icon(icon).props("aria-hidden=true")
            ui.label(state)
        if has_failed:
            ui.label(entry["reason"]).classes("rm-reason")
        if not is_loaded and not is_unloaded:
            load = ui.button(words.load, on_click=partial(self._load, name), color=None).props("flat no-caps")
            load.classes("rm-button")
            load.props["aria-label"] = words.load_label.format(model=name)

    async def _load(self, name: str) -> None:
        question = partial(self._site.client.model, name)
        # A file that can't be loaded can't be loaded a moment later, either; the list tells why.
        await self._loading.ask(question, lambda _told: None, self._words.loading.format(model=name), passing=())
        await self._read("")
