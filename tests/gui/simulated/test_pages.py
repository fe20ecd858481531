"""What the pages show and offer, in both languages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import httpx
import pytest
from nicegui import ui
from nicegui.testing.user_interaction import UserInteraction

from gui.client import MAX_BYTES, REASONS
from gui.live_page import LiveView
from gui.shell import PAGES
from gui.texts import compare, live, models, operations, panes, segment, shell, uploads, viewer
from gui.uploads import FileChooser
from gui.viewer import Viewer
from tests.gui.simulated.visitor import ADDRESS, Api, Simulation, Visitor, segmented


def test_a_model_is_chosen_and_told_that_it_has_to_be_loaded(visit: Callable[..., None]):
    api = Api(names=("accurate-fp32", "fast-int8"))

    async def look(page: Visitor) -> None:
        await page.sees_soon(models.ENGLISH.choosing_loads)
        await page.give()
        await page.sees_soon(segment.ENGLISH.timings)
        assert "model" not in api.asked[-2].url.params
        (choice,) = page.all(ui.select)
        assert list(choice.options.values())[1:] == ["accurate-fp32", f"fast-int8 ({models.ENGLISH.not_loaded})"]
        choice.value = "fast-int8"
        await page.sees_soon(models.ENGLISH.will_load.format(model="fast-int8"))
        asked = [request for request in api.asked if request.url.path == "/segment"]
        assert asked[-1].url.params["model"] == "fast-int8"
        assert page.sees("int8")

    visit(api, look)


def test_one_model_alone_is_no_choice(visit: Callable[..., None]):
    async def look(page: Visitor) -> None:
        await page.give()
        await page.sees_soon(segment.ENGLISH.timings)
        assert not page.sees(models.ENGLISH.default)

    visit(Api(), look)


def test_what_is_hidden_in_the_legend_stays_hidden_with_the_next_picture(visit: Callable[..., None]):
    async def look(page: Visitor) -> None:
        await page.give()
        await page.sees_soon(segment.ENGLISH.timings)

        def box(name: str) -> ui.checkbox:
            return next(one for one in page.all(ui.checkbox) if one.text == name)

        (shown,) = page.all(Viewer)
        box("nature").value = False
        assert shown.props["hidden"] == [4]
        assert box(viewer.ENGLISH.all).value is False
        await page.give("next.png")
        await page.sees_soon("next.png")
        assert box("nature").value is False
        assert shown.props["hidden"] == [4]
        box(viewer.ENGLISH.all).value = True
        assert shown.props["hidden"] == []
        assert box("nature").value is True
        box(viewer.ENGLISH.all).value = False
        assert shown.props["hidden"] == list(range(8))

    visit(Api(), look)


def test_choosing_the_same_model_twice_lets_the_question_before_go(visit: Callable[..., None]):
    late = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        await late.wait()
        return segmented(request.url.params["model"])

    api = Api({"/segment": answer}, ("accurate-fp32", "fast-int8"))

    async def look(page: Visitor) -> None:
        await page.sees_soon(models.ENGLISH.pair_lead)
        await page.give()
        await page.until(lambda: api.count("/segment"))
        first, second = page.all(ui.select)
        second.value = first.value
        await page.sees_soon(models.ENGLISH.same)
        late.set()
        await page.until(lambda: api.count("/segment") == 2)
        await asyncio.sleep(0.1)
        assert page.sees(models.ENGLISH.same)
        assert not page.sees(models.ENGLISH.timings_hint)

    visit(api, look, "/models")


def test_names_of_models_are_no_html(visit: Callable[..., None]):
    names = ("<img src=x>-fp32", '"><img src=y>-int8')
    api = Api(names=names)

    async def look(page: Visitor) -> None:
        await page.sees_soon(models.ENGLISH.load_label.format(model=names[1]))
        await page.give()
        await page.sees_soon(models.ENGLISH.timings_hint)
        for element in page.all(ui.html):
            assert "<img" not in element.content

    visit(api, look, "/models")


def test_a_frame_of_the_folder_that_is_too_large_or_gone_is_told(visit: Callable[..., None], simulation: Simulation):
    with (simulation.frames / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    api = Api()

    async def look(page: Visitor) -> None:
        await page.sees_soon(segment.ENGLISH.sample.format(name="huge.png"))
        (simulation.frames / "gone.png").unlink()
        for name, sentence in (("huge.png", segment.ENGLISH.frame_large), ("gone.png", segment.ENGLISH.frame_gone)):
            buttons = {one for one in page.all() if one.props.get("title") == name}
            UserInteraction(page.user, buttons, None).trigger("click")
            wanted = sentence.format(name=name, limit=MAX_BYTES // 2**20)
            await page.until(lambda wanted=wanted: page.user.notify.contains(wanted))
        assert api.count("/segment") == 0

    visit(api, look)


def words(texts: Any) -> list[str]:
    """Every sentence of a page's texts."""
    found: list[str] = []
    for value in asdict(texts).values():
        found += [value] if isinstance(value, str) else value.values() if isinstance(value, dict) else value
    return [text for text in found if text]


@pytest.mark.parametrize("path", PAGES.values())
def test_in_french_nothing_is_english(visit: Callable[..., None], path: str):
    """Nor the other way round."""
    modules = (shell, segment, compare, live, models, operations, panes, uploads, viewer)
    english = {word for module in modules for word in words(module.ENGLISH)}
    french = {word for module in modules for word in words(module.FRENCH)}

    async def look(page: Visitor) -> None:
        await page.give() if page.all(FileChooser) else None
        await asyncio.sleep(0.1)
        seen = set(page.texts())
        for element in page.all():
            seen |= set(map(str, element.props.get("words", {}).values()))
        assert seen & french
        assert seen & (english - french) == set()
        assert page.user.client is not None
        assert page.user.client.page.language == "fr"

    visit(Api(names=("accurate-fp32", "fast-int8")), look, path, "fr")


def test_the_live_page_has_a_sentence_for_whatever_is_wrong_with_the_api(visit: Callable[..., None]):
    async def look(page: Visitor) -> None:
        (shown,) = page.all(LiveView)
        assert set(REASONS) <= set(shown.props["words"])
        assert ADDRESS in shown.props["words"]["unreachable"]
        assert "{status}" in shown.props["words"]["answered"]
        await page.until(lambda: shown.props["models"] == ["accurate-fp32", "fast-int8"])

    visit(Api(names=("accurate-fp32", "fast-int8")), look, "/live")
