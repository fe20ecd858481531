"""The page `/`: a frame, its mask over it, and what the mask holds."""

from __future__ import annotations

import base64
import json
from functools import partial

from nicegui import background_tasks, ui
from starlette.requests import Request

from gui import samples
from gui.asking import Asking
from gui.client import Answer, ApiError
from gui.handover import Held, hand_over
from gui.legend import Legend
from gui.model_choice import ModelChoice
from gui.numerals import milliseconds, number
from gui.preferences import Preferences
from gui.samples import Samples
from gui.shell import Site, shell
from gui.styles import add_styles
from gui.texts.segment import TEXTS
from gui.uploads import Chosen, FileChooser
from gui.viewer import Viewer


def register(site: Site) -> None:
    """Put the page, and the samples that it offers, at their addresses."""
    samples.register(site)

    @ui.page("/", title="roadmask")
    async def page(request: Request) -> None:
        with shell(request, "segment") as chosen:
            add_styles()
            add_styles("segment.css")
            SegmentPage(site, chosen)


class SegmentPage:
    """One visitor's page, the image that it holds, and the answer to it."""

    def __init__(self, site: Site, chosen: Preferences) -> None:
        """Make the page's content where it is being made."""
        self._site = site
        self._chosen = chosen
        self._words = words = TEXTS[chosen.language]
        self._given: Chosen | None = None
        self._answer: Answer | None = None
        self._unshown = False
        before = hand_over(lambda: Held(image=self._given, model=self._model.value), site.pictures)
        ui.label(words.title).props("role=heading aria-level=1").classes("rm-hidden")
        with ui.element("div").classes("rm-top"):
            FileChooser(words.choose, chosen, self._take, whole_page=True)
            self._model = ModelChoice(words.model, chosen, self._again, default=True, value=before.model)
        Samples(site, chosen, self._take)
        self._asking = Asking(site, chosen)
        self._empty = ui.label(words.empty).classes("rm-empty")
        with ui.element("div").classes("rm-seen") as self._seen:
            with ui.element("section").classes("rm-seen-picture"):
                self._viewer = Viewer(chosen)
            with ui.element("aside").classes("rm-seen-side") as self._side:
                self._legend = Legend(self._viewer, chosen)
                self._facts = ui.element("div").classes("rm-panel")
        self._viewer.on_unshown(self._show_as_jpeg)
        self._seen.set_visibility(False)
        background_tasks.create(self._offer(), context=self._seen)
        if before.image is not None:
            background_tasks.create(self._take(before.image), context=self._seen)

    async def _take(self, given: Chosen) -> None:
        """The image is shown at once, and stays whatever becomes of the question."""
        self._given, self._answer, self._unshown = given, None, False
        self._empty.set_visibility(False)
        self._seen.set_visibility(True)
        self._side.set_visibility(False)
        self._viewer.show(image=given.url, mask="")
        await self._again()

    async def _again(self) -> None:
        if self._given is not None:
            question = partial(self._ask, self._given)
            await self._asking.ask(question, self._show, self._words.segmenting.format(name=self._given.name))

    async def _ask(self, given: Chosen) -> tuple[Chosen, Answer, bytes]:
        """The answer, and the image as JPEG where the browser can't show it as it is."""
        answer = await self._site.client.segment(given.data, self._model.value)
        return given, answer, await self._site.client.as_jpeg(given.data) if self._unshown else b""

    async def _show(self, asked: tuple[Chosen, Answer, bytes]) -> None:
        given, answer, jpeg = asked
        self._answer = answer
        mask = self._site.pictures.add(base64.b64decode(answer.mask), "image/png")
        self._viewer.show(image=self._site.pictures.add(jpeg, "image/jpeg") if jpeg else None, mask=mask)
        self._legend.show(answer.shares)
        self._side.set_visibility(True)
        self._facts.clear()
        with self._facts:
            self._about(given, answer)
            self._timings(answer)
            self._downloads(given, answer, mask)
        background_tasks.create(self._offer(), context=self._seen)  # a model may have been loaded for it

    async def _show_as_jpeg(self, kind: str) -> None:
        """What the browser can't show, like TIFF; an answer that is not there yet will bring the picture along."""
        if kind == "image" and not self._unshown:
            self._unshown = True
            if self._answer is not None:
                await self._again()

    async def _offer(self) -> None:
        """The models to choose from; an API that is away is asked again with the next image."""
        try:
            entries = await self._site.client.models()
        except ApiError:
            return
        self._model.offer(entries)

    def _about(self, given: Chosen, answer: Answer) -> None:
        words, language = self._words, self._chosen.language
        self._title(words.heading)
        name, _, precision = answer.model.rpartition("-")  # as model files are called
        size = {side: number(getattr(answer, side), language) for side in ("width", "height")}
        ui.label(words.result.format(name=given.name, **size)).classes("rm-file")
        rows = {words.model: name or answer.model, words.precision: precision, words.provider: answer.provider}
        with ui.element("dl").classes("rm-facts"):
            for word, value in rows.items():
                self._fact(word, value)

    def _timings(self, answer: Answer) -> None:
        language = self._chosen.language
        self._title(self._words.timings)
        total = sum(answer.timings_ms.values())
        with ui.element("dl").classes("rm-facts rm-timings"):
            for stage, took in answer.timings_ms.items():
                with self._fact(self._words.stages.get(stage, stage), milliseconds(took, language)):
                    bar = ui.element("span").classes("rm-timing").props("aria-hidden=true")
                    bar.style(f"width: {100 * took / max(total, 1e-9):.1f}%")
            self._fact(self._words.total, milliseconds(total, language))
        ui.label(self._words.timings_hint).classes("rm-small")

    def _downloads(self, given: Chosen, answer: Answer, mask: str) -> None:
        words = self._words
        raw = self._site.pictures.add(json.dumps(answer.raw).encode(), "application/json")
        self._title(words.downloads)
        with ui.element("div").classes("rm-downloads"):
            for url, ending, word in ((mask, "mask.png", words.mask), (raw, "mask.json", words.json)):
                link = ui.element("a").classes("rm-button").props(f'href="{url}" download="{given.stem}_{ending}"')
                with link:
                    ui.label(word)
            overlay = ui.element("button").classes("rm-button").props("type=button")
            # In the browser alone: it is what is seen there.
            save = f"() => getElement({self._viewer.id}).save('{given.stem}_overlay.jpg')"
            with overlay.on("click", js_handler=save):
                ui.label(words.overlay)
        ui.label(words.overlay_hint).classes("rm-small")

    def _title(self, word: str) -> None:
        ui.label(word).props("role=heading aria-level=2").classes("rm-panel-title")

    def _fact(self, word: str, value: str) -> ui.element:
        with ui.element("div") as row:
            with ui.element("dt"):
                ui.label(word)
            with ui.element("dd"):
                ui.label(value)
        return row
