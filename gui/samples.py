"""Frames at hand: a few generated streets, and the images of a folder that the operator names.

`samples/street_*.jpg` are scenes 41 to 44 of `python -m runtime scenes --count 4 --seed 41 --size 1024x512` as JPEG of
quality 85; `make samples` makes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from nicegui import app, background_tasks, run, ui
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from gui.client import MAX_BYTES
from gui.preferences import Preferences
from gui.shell import Site
from gui.styles import add_styles
from gui.sub_path import prefix
from gui.texts.segment import TEXTS
from gui.uploads import Chosen, OnChosen

FOLDER = Path(__file__).parent / "samples"

STREETS = ("day", "fog", "rain", "night")

SHOWN = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
"""Endings of a folder's images that every browser shows."""

MOST = 100
"""Of a folder's images: more than anyone looks through, and few enough for a page."""


def register(site: Site) -> None:
    """Answer at `/samples/NAME` and `/frames/PATH`."""
    app.add_static_files("/samples", FOLDER, max_cache_age=3600)

    @app.get("/frames/{path:path}", include_in_schema=False)
    def frame(request: Request) -> Response:
        found = _inside(site.settings.frames, request.path_params["path"])
        if found is None:
            return PlainTextResponse("no such frame", 404)
        return FileResponse(found, headers={"Cache-Control": "private, max-age=300"})


def listed(folder: Path) -> list[Path]:
    """The first images of a folder and of those in it, by path, and one more than `MOST` where there are more."""
    return list(islice(_images(folder), MOST + 1))


def _images(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in SHOWN:
                yield Path(where) / name


def _inside(folder: Path | None, path: str) -> Path | None:
    """The image of that path, if it is one and lies in the folder."""
    if folder is None:
        return None
    try:
        found = (folder / path).resolve()
        good = found.is_relative_to(folder.resolve()) and found.suffix.lower() in SHOWN and found.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return found if good else None


def _read(path: Path) -> bytes:
    """A file's bytes; of one that is too large as many as tell that."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


class Samples:
    """Pictures to click on; what is taken goes the way of a file that was given."""

    def __init__(self, site: Site, chosen: Preferences, on_chosen: OnChosen) -> None:
        """Put them where the page is being made."""
        add_styles()
        self._site = site
        self._words = TEXTS[chosen.language]
        self._on_chosen = on_chosen
        self._prefix = prefix()
        with ui.element("section").classes("rm-samples rm-panel"):
            ui.label(self._words.samples)
            with ui.element("div").classes("rm-samples-row"):
                for name in STREETS:
                    path = FOLDER / f"street_{name}.jpg"
                    self._button(path, f"{self._prefix}/samples/{path.name}", self._words.streets[name])
            self._frames = ui.element("div")
        if site.settings.frames is not None:
            background_tasks.create(self._list(site.settings.frames), context=self._frames)

    def _button(self, path: Path, url: str, name: str) -> None:
        async def take() -> None:
            await self._take(path, url)

        button = ui.element("button").props("type=button")
        button.props.update({"aria-label": self._words.sample.format(name=name), "title": name})
        with button.classes("rm-sample").on("click", take):
            # Without a size a browser would load all of them at once: none had a height.
            ui.element("img").props('alt="" loading=lazy width=128 height=64').props["src"] = url

    async def _take(self, path: Path, url: str) -> None:
        try:
            data = await run.io_bound(_read, path) or b""  # None where the server stops
        except OSError:
            ui.notify(self._words.frame_gone.format(name=path.name), type="warning")
            return
        if len(data) > MAX_BYTES:
            ui.notify(self._words.frame_large.format(name=path.name, limit=MAX_BYTES // 2**20), type="warning")
            return
        await self._on_chosen(Chosen(path.name, data, url))

    async def _list(self, folder: Path) -> None:
        found = await run.io_bound(listed, folder)
        if not found or self._frames.is_deleted:
            return
        # Closed at first: nothing of it is loaded before somebody asks for it.
        with ui.element("details"):
            with ui.element("summary"):
                ui.label(self._words.frames.format(count=min(len(found), MOST))).classes("inline")
            if len(found) > MOST:
                ui.label(self._words.frames_cut.format(count=MOST))
            # One row: browsers load ahead what is a screen away, which in a block of rows would be all of them.
            with ui.element("div").classes("rm-samples-row rm-samples-frames"):
                for path in found[:MOST]:
                    name = path.relative_to(folder).as_posix()
                    self._button(path, f"{self._prefix}/frames/{quote(name)}", name)
