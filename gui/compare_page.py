"""The page `/compare`: a frame's mask beside its ground truth."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import background_tasks, ui
from starlette.requests import Request

from gui.agreement import confusion_table, iou_bars, legend
from gui.asking import Asking
from gui.client import ApiError
from gui.handover import Held, hand_over
from gui.model_choice import ModelChoice
from gui.numerals import milliseconds, percent
from gui.palettes import CATEGORIES, PALETTES
from gui.panes import VERDICTS, Pane, Panes
from gui.preferences import Preferences
from gui.shell import Site, shell
from gui.styles import add_styles
from gui.texts.compare import TEXTS
from gui.texts.shell import TEXTS as SHELL_TEXTS
from gui.uploads import Chosen, FileChooser

SAMPLES = Path(__file__).parent / "samples"
"""`pair_*` is the first scene of `python -m runtime scenes --count 1 --size 1024x512`: the frame as JPEG of quality 85,
and its label ids as they are."""

PICTURES = {"prediction", "truth", "difference"}
"""Of the API's answer; the rest is figures."""


def register(site: Site) -> None:
    """Put the page at its address."""

    @ui.page("/compare", title="roadmask")
    async def page(request: Request) -> None:
        with shell(request, "compare") as chosen, ui.element("div").classes("rm-sheet"):
            add_styles("compare.css")
            ComparePage(site, chosen)


class ComparePage:
    """One visitor's page, and the two files that it holds."""

    def __init__(self, site: Site, chosen: Preferences) -> None:
        """Make the page's content where it is being made."""
        self._site = site
        self._chosen = chosen
        self._words = words = TEXTS[chosen.language]
        before = hand_over(lambda: Held(self._image, self._truth, self._model.value), site.pictures)
        self._image, self._truth = before.image, before.truth
        ui.label(words.title).props("role=heading aria-level=1").classes("rm-title")
        ui.label(words.lead).classes("rm-lead")
        with ui.element("div").classes("rm-two"):
            with ui.element("section").classes("rm-given"):
                FileChooser(words.image, chosen, self._take_image)
                self._image_name = ui.label().classes("rm-hint")
            with ui.element("section").classes("rm-given"):
                FileChooser(words.truth, chosen, self._take_truth)
                self._truth_name = ui.label(words.truth_kinds_hint).classes("rm-hint")
        with ui.element("div").classes("rm-actions"):
            sample = ui.button(words.sample, on_click=self._sample, color=None).props("flat no-caps")
            sample.classes("rm-button").props["title"] = words.sample_hint
            self._model = ModelChoice(words.model, chosen, self._compare, default=True, value=before.model)
        with ui.element("div"):
            self._next = ui.label().props("role=status")
            self._asking = Asking(site, chosen)
        self._result = ui.element("div").classes("rm-result")
        background_tasks.create(self._offer_models(), context=ui.context.client)
        background_tasks.create(self._compare(), context=ui.context.client)

    async def _offer_models(self) -> None:
        with suppress(ApiError):  # the choice is left out; the question itself tells what is wrong
            self._model.offer(await self._site.client.models())

    async def _take_image(self, given: Chosen) -> None:
        self._image = given
        await self._compare()

    async def _take_truth(self, given: Chosen) -> None:
        self._truth = given
        await self._compare()

    async def _sample(self) -> None:
        frame, truth = ((SAMPLES / name) for name in ("pair_frame.jpg", "pair_truth.png"))
        address = self._site.pictures.add(frame.read_bytes(), "image/jpeg")
        self._image = Chosen(frame.name, frame.read_bytes(), address)
        self._truth = Chosen(truth.name, truth.read_bytes(), "")
        await self._compare()

    async def _compare(self) -> None:
        """Once both files are there; they stay, whatever becomes of the question."""
        words, image, truth = self._words, self._image, self._truth
        self._image_name.set_text(words.image_given.format(name=image.name) if image else "")
        self._truth_name.set_text(words.truth_given.format(name=truth.name) if truth else words.truth_kinds_hint)
        if image is None or truth is None:
            self._next.set_text("" if image is truth else words.truth_missing if image else words.image_missing)
            return
        self._next.set_text("")
        question = partial(self._site.client.compare, image.data, truth.data, self._model.value)
        await self._asking.ask(question, partial(self._show, image), words.comparing)

    async def _show(self, image: Chosen, found: dict[str, Any]) -> None:
        self._result.clear()
        with self._result:
            self._figures(found)
            self._pictures(image, found)
            with ui.element("div").classes("rm-two"):
                with ui.element("section"):
                    self._heading(self._words.iou, self._words.iou_hint)
                    iou_bars(found["iou"], self._chosen)
                with ui.element("section").classes("rm-wide"):
                    self._heading(self._words.confusion, self._words.confusion_hint)
                    confusion_table(found["confusion"], self._chosen)
            self._download(found)
        await self._offer_models()  # one of them may be loaded now

    def _figures(self, found: dict[str, Any]) -> None:
        words, language = self._words, self._chosen.language
        total = max(1, sum(map(sum, found["confusion"])))
        figures = (
            (found["mean_iou"], words.mean_iou),
            (found["accuracy"], words.accuracy),
            (sum(found["confusion"][0]) / total, words.unscored),
        )
        with ui.element("dl").classes("rm-figures"):
            for share, word in figures:
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(word)
                    with ui.element("dd"):
                        ui.label(percent(share, language))
        infer = milliseconds(found["timings_ms"]["infer"], language)
        said = words.by.format(model=found["model"], provider=found["provider"], infer=infer)
        with ui.element("p").classes("rm-said"):
            ui.label(f"{words.read_as} {words.kinds.get(found['truth_kind'], found['truth_kind'])}.")
            ui.label(said)
        if found["accuracy"] is None:
            ui.label(words.nothing_scored).classes("rm-notice")

    def _pictures(self, image: Chosen, found: dict[str, Any]) -> None:
        words = self._words

        def kept(name: str) -> str:
            return self._site.pictures.add(base64.b64decode(found[name]), "image/png")

        panes = [
            Pane("image", words.pane_image, "image", words.pane_image, image.url),
            Pane("truth", words.pane_truth, "mask", words.pane_truth, kept("truth")),
            Pane("prediction", words.pane_prediction, "mask", words.pane_prediction, kept("prediction")),
            Pane("difference", words.pane_difference, "difference", words.pane_difference, kept("difference")),
        ]
        drawn = Panes(panes, words.verdicts, self._chosen)
        drawn.on_unshown(partial(self._replace, drawn, image))
        names = SHELL_TEXTS[self._chosen.language].categories
        colors = PALETTES[self._chosen.palette]
        with ui.element("div").classes("rm-legends"):
            legend(words.legend, [(names[name], color) for name, color in zip(CATEGORIES, colors, strict=True)])
            legend(words.pane_difference, list(zip(words.verdicts, VERDICTS[self._chosen.palette], strict=True))[::-1])

    async def _replace(self, drawn: Panes, image: Chosen, key: str) -> None:
        """What the browser can't show, the API makes a JPEG of; where that fails, too, the figures stand without it."""
        with suppress(ApiError):
            jpeg = await self._site.client.as_jpeg(image.data)
            with drawn:
                drawn.replace(key, self._site.pictures.add(jpeg, "image/jpeg"))

    def _heading(self, title: str, hint: str) -> None:
        ui.label(title).props("role=heading aria-level=2").classes("rm-heading")
        ui.label(hint).classes("rm-hint")

    def _download(self, found: dict[str, Any]) -> None:
        figures = {name: value for name, value in found.items() if name not in PICTURES}
        data = json.dumps(figures, indent=2).encode()
        address = self._site.pictures.add(data, "application/json", "comparison.json")
        ui.html(f'<a class="rm-link" href="{address}" download>{self._words.download}</a>', sanitize=False)
