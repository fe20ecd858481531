"""Two models on one image: both masks, where they differ, and what each took."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from html import escape
from typing import Any

from nicegui import background_tasks, ui

from gui.agreement import legend, swatch
from gui.asking import Asking
from gui.client import Answer, ApiError
from gui.handover import Held, hand_over
from gui.model_card import plain_table, table_row
from gui.model_choice import READY, ModelChoice
from gui.numerals import milliseconds, percent
from gui.palettes import CATEGORIES, PALETTES
from gui.panes import VERDICTS, Pane, Panes
from gui.preferences import Preferences
from gui.samples import Samples
from gui.shell import Site
from gui.texts.models import TEXTS
from gui.texts.shell import TEXTS as SHELL_TEXTS
from gui.uploads import Chosen, FileChooser

Answers = tuple[Answer, Answer]


class ModelPair:
    """The choice of two models and of an image, and what came of it."""

    def __init__(self, site: Site, chosen: Preferences, on_answered: Callable[[], Awaitable[None]]) -> None:
        """Put it where the page is being made.

        Args:
            site: of the page.
            chosen: the visitor's preferences.
            on_answered: called after each answer, for which the API may have loaded a model.
        """
        self._site = site
        self._on_answered = on_answered
        self._chosen = chosen
        self._words = words = TEXTS[chosen.language]
        self._image: Chosen | None = None
        before = hand_over(self._held, site.pictures)
        ui.label(words.pair).props("role=heading aria-level=2").classes("rm-heading")
        self._lead = ui.label(words.pair_lead).classes("rm-lead")
        with ui.element("div").classes("rm-result") as self._form:
            with ui.element("div").classes("rm-two"):
                self._first = ModelChoice(words.first, chosen, self._segment, value=before.model)
                self._second = ModelChoice(words.second, chosen, self._segment, value=before.second)
            with ui.element("div").classes("rm-given"):
                FileChooser(words.pair_image, chosen, self._take, whole_page=True)
                self._name = ui.label().classes("rm-hint")
            Samples(site, chosen, self._take)
            self._asking = Asking(site, chosen)
            self._result = ui.element("div").classes("rm-result")
        self._form.set_visibility(False)
        if before.image is not None:
            background_tasks.create(self._take(before.image), context=self._form)

    def _held(self) -> Held:
        return Held(image=self._image, model=self._first.value, second=self._second.value)

    def offer(self, entries: list[dict[str, Any]], default: str | None) -> None:
        """Let the visitor choose among the models of the API's index: the default first, loaded ones next."""
        there = [row for row in entries if row["state"] == READY or not row["reason"]]
        there.sort(key=lambda row: (row["name"] != default, row["state"] != READY))
        self._form.set_visibility(len(there) > 1)
        self._lead.set_text(self._words.pair_lead if len(there) > 1 else self._words.pair_alone)
        self._first.offer(there)
        self._second.offer(there, first=1)

    async def _take(self, given: Chosen) -> None:
        self._image = given
        self._name.set_text(self._words.pair_image_given.format(name=given.name))
        await self._segment()

    async def _segment(self) -> None:
        first, second, image = self._first.value, self._second.value, self._image
        if image is None or first is None or second is None:
            return
        if first == second:
            self._asking.drop()
            self._asking.refuse(self._words.same)
            return
        busy = self._words.segmenting.format(model=f"{first}, {second}")
        await self._asking.ask(partial(self._ask, image, first, second), partial(self._show, image), busy)

    async def _ask(self, image: Chosen, *names: str) -> Answers:
        """One after the other: at the same time each would slow the other down."""
        for name in names:
            await self._site.client.model(name)  # loads it, so that loading is in nobody's time
        first, second = [await self._site.client.segment(image.data, name) for name in names]
        return first, second

    async def _show(self, image: Chosen, answers: Answers) -> None:
        self._result.clear()
        with self._result:
            differing = ui.label().props("role=status").classes("rm-heading")
            self._pictures(image, answers, differing)
            with ui.element("div").classes("rm-two"):
                with ui.element("section"):
                    self._shares(answers)
                with ui.element("section"):
                    self._timings(answers)
        await self._on_answered()

    def _pictures(self, image: Chosen, answers: Answers, differing: ui.label) -> None:
        words = self._words
        masks = [self._site.pictures.add(base64.b64decode(answer.mask), "image/png") for answer in answers]
        panes = [
            Pane("image", words.pane_image, "image", words.pane_image, image.url),
            Pane("differing", words.pane_differing, "difference", words.pane_differing, of=("first", "second")),
            Pane("first", answers[0].model, "mask", answers[0].model, masks[0]),
            Pane("second", answers[1].model, "mask", answers[1].model, masks[1]),
        ]

        def measured(share: float) -> None:
            told = words.differing.format(share=percent(share, self._chosen.language, 2))
            differing.set_text(told if share else words.alike)

        drawn = Panes(panes, words.verdicts, self._chosen, measured)
        drawn.on_unshown(partial(self._replace, drawn, image))
        names = SHELL_TEXTS[self._chosen.language].categories
        with ui.element("div").classes("rm-legends"):
            colors = zip(CATEGORIES, PALETTES[self._chosen.palette], strict=True)
            legend(words.legend, [(names[name], color) for name, color in colors][1:])
            verdicts = zip(words.verdicts, VERDICTS[self._chosen.palette], strict=True)
            legend(words.pane_differing, list(verdicts)[:0:-1])

    async def _replace(self, drawn: Panes, image: Chosen, key: str) -> None:
        """What the browser can't show, the API makes a JPEG of; where that fails, too, the masks stand without it."""
        with suppress(ApiError):
            jpeg = await self._site.client.as_jpeg(image.data)
            with drawn:
                drawn.replace(key, self._site.pictures.add(jpeg, "image/jpeg"))

    def _shares(self, answers: Answers) -> None:
        language = self._chosen.language
        names, colors = SHELL_TEXTS[language].categories, PALETTES[self._chosen.palette]
        rows = [
            table_row(
                swatch(colors[i]) + names[name], [percent(answer.shares[i].share, language) for answer in answers]
            )
            for i, name in enumerate(CATEGORIES)
            if any(answer.shares[i].share for answer in answers)
        ]
        self._table(self._words.shares, self._words.shares_hint, answers, rows)

    def _timings(self, answers: Answers) -> None:
        words, language = self._words, self._chosen.language
        rows = [
            table_row(
                words.stages.get(stage, stage), [milliseconds(row.timings_ms[stage], language) for row in answers]
            )
            for stage in answers[0].timings_ms
        ]
        totals = [milliseconds(sum(answer.timings_ms.values()), language) for answer in answers]
        self._table(
            words.timings, words.timings_hint, answers, [*rows, table_row(words.stages["total"], totals, "rm-sum")]
        )

    def _table(self, title: str, hint: str, answers: Answers, rows: list[str]) -> None:
        ui.label(title).props("role=heading aria-level=3").classes("rm-heading")
        ui.label(hint).classes("rm-hint")
        plain_table("<td></td>" + "".join(f'<th scope="col">{escape(answer.model)}</th>' for answer in answers), rows)
