"""The frame around every page: names of the pages, language, theme, colours, and the landmarks of a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nicegui import app, ui
from starlette.requests import Request

from gui import uploads
from gui.client import Client
from gui.pictures import Pictures
from gui.preferences import Language, Preferences
from gui.settings import Settings
from gui.sub_path import prefix
from gui.texts import shell as texts

ASSETS = Path(__file__).parent / "assets"

PAGES = {"segment": "/", "compare": "/compare", "live": "/live", "models": "/models", "operations": "/operations"}


DARK = {"auto": None, "light": False, "dark": True}


@dataclass(frozen=True)
class Site:
    """What all pages share."""

    settings: Settings
    client: Client
    pictures: Pictures = field(default_factory=Pictures)

    def register(self) -> None:
        """The parts that are no page: assets, pictures, uploads, and the client's end."""
        app.add_static_files("/assets", ASSETS, max_cache_age=3600)
        self.pictures.register()
        uploads.register()
        app.on_shutdown(self.client.close)


@contextmanager
def shell(request: Request, current: str) -> Iterator[Preferences]:
    """What stands around a page's content; the content is made inside.

    Args:
        request: of the page.
        current: the page's key in PAGES.

    Yields:
        The visitor's preferences.
    """
    chosen = Preferences.of(request)
    words = texts.TEXTS[chosen.language]
    ui.add_head_html(f'<script src="{prefix()}/assets/preferences.js"></script>')
    ui.add_head_html(f'<link rel="stylesheet" href="{prefix()}/assets/roadmask.css">')
    _speak(chosen.language)
    ui.colors(primary="#2a7d68")  # white on it has a contrast of 4.9, NiceGUI's own blue of 3.0
    dark = ui.dark_mode(DARK[chosen.theme])
    with ui.header().classes("rm-header items-center q-px-md q-py-xs"):
        # First of all that the keyboard comes to: it skips what follows here.
        ui.html(f'<a class="rm-skip" href="#content">{words.skip}</a>', sanitize=False)
        ui.link("roadmask", "/").classes("text-lg font-bold text-white no-underline q-mr-md")
        with ui.element("nav").props(f'aria-label="{words.navigation}"').classes("rm-nav gt-xs"):
            for key, path in PAGES.items():
                _page_link(getattr(words, key), path, key == current)
        ui.space()
        _menu(words, chosen, current, lambda theme: dark.set_value(DARK[theme]))
    # NiceGUI's own frame is the `main` landmark.
    with ui.element("div").props('id="content" tabindex="-1"').classes("w-full max-w-7xl mx-auto p-2 sm:p-4"):
        yield chosen


def _speak(language: Language) -> None:
    """Let NiceGUI's own words, Quasar's, and the document's `lang` be this visitor's; a page's are everybody's."""
    client = ui.context.client
    client.page = copy(client.page)
    client.page.language = "fr" if language == "fr" else "en-GB"


def _page_link(word: str, path: str, current: bool) -> None:
    link = ui.link(word, path).classes("rm-page text-white no-underline")
    if current:
        link.props('aria-current="page"').classes("rm-page-current")


def _menu(words: texts.Texts, chosen: Preferences, current: str, on_theme: Callable[[str], object]) -> None:
    """On narrow screens it holds the pages, too."""
    with ui.button(icon="menu").props(f'flat color=white aria-label="{words.menu}"'), ui.menu():
        with ui.element("div").classes("lt-sm"):
            for key, path in PAGES.items():
                with ui.menu_item(on_click=lambda path=path: ui.navigate.to(path)).props("role=menuitem"):
                    ui.label(getattr(words, key)).classes("font-bold" if key == current else "")
            ui.separator()
        _choices(words.language, "language", chosen.language, {"en": "English", "fr": "Français"})
        themes = {"auto": words.theme_auto, "light": words.theme_light, "dark": words.theme_dark}
        _choices(words.theme, "theme", chosen.theme, themes, on_theme)
        palettes = {"cityscapes": words.palette_cityscapes, "distinct": words.palette_distinct}
        _choices(words.palette, "palette", chosen.palette, palettes)


def _choices(
    title: str, name: str, current: str, options: dict[str, str], take_up: Callable[[str], object] | None = None
) -> None:
    """Where `take_up` does what a choice asks for, the page stays; else it is loaded anew."""
    ui.label(title).classes("q-px-md q-pt-sm text-caption")
    marks: dict[str, tuple[ui.menu_item, ui.icon]] = {}

    def mark(current: str) -> None:
        for value, (item, icon) in marks.items():
            item.props(f'aria-checked="{str(value == current).lower()}"')
            icon.set_name("check" if value == current else "")

    for value, word in options.items():
        with ui.menu_item().props("role=menuitemradio") as item:
            marks[value] = (item, ui.icon("").classes("w-6"))
            ui.label(word)
        prefer = f"window.roadmaskPrefer('{name}', '{value}'"
        if take_up is None:
            item.on("click", js_handler=f"() => {prefer})")
            continue
        item.on("click", partial(take_up, value), js_handler=f"() => {{ {prefer}, false); emit(); }}")
        item.on("click", partial(mark, value))
    mark(current)
