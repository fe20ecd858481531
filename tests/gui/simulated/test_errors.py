"""What the pages make of answers that are errors, late, or none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from nicegui import ui

from gui.texts import compare, segment, shell
from gui.viewer import Viewer
from tests.gui.simulated.visitor import Api, Handler, Visitor, png, raising, segmented, told

PROBLEM = {"detail": "the queue is full: ask again in a second"}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    ("answer", "sentence", "again"),
    [
        (lambda _: httpx.Response(413, text="<html>nginx"), ("too_large", 413), False),
        (lambda _: httpx.Response(404, text="<html>nginx"), ("answered", 404), False),
        (lambda _: httpx.Response(500, text="<html>nginx"), ("answered", 500), True),
        (lambda _: httpx.Response(504, content=b"\xff"), ("answered", 504), True),
        (lambda _: httpx.Response(302, headers={"Location": "/login"}), ("answered", 302), False),
        (lambda _: httpx.Response(401, json={"detail": "send a key"}), ("bad_key", 401), True),
        (lambda _: httpx.Response(403), ("bad_key", 403), True),
        (lambda _: httpx.Response(200, text="<html>log in"), ("strange", 200), True),
        (lambda _: httpx.Response(200, json={"model": "x"}), ("strange", 200), True),
        (lambda _: httpx.Response(200, json=[1]), ("strange", 200), True),
        (raising(httpx.ConnectError), ("unreachable", None), True),
        (raising(httpx.RemoteProtocolError), ("unreachable", None), True),
        (raising(httpx.ReadTimeout), ("slow", None), True),
        (lambda _: httpx.Response(503, json=PROBLEM), PROBLEM["detail"], True),
        (lambda _: httpx.Response(400, json={"detail": "not an image"}), "not an image", False),
    ],
)
def test_an_error_is_told_and_the_picture_stays(
    visit: Callable[..., None], answer: Handler, sentence: str | tuple[str, int], again: bool, language: str
):
    async def look(page: Visitor) -> None:
        await page.give("street.png")
        wanted = sentence if isinstance(sentence, str) else told(*sentence, language)
        await page.sees_soon(wanted)
        assert page.sees(shell.TEXTS[language].retrying) is again
        assert page.all(ui.spinner)[0].visible is False
        (shown,) = page.all(Viewer)
        assert shown.visible
        assert shown.props["image"] == "blob:x"

    visit(Api({"/segment": answer}), look, language=language)


@pytest.mark.parametrize("path", ["/compare", "/models"])
@pytest.mark.usefixtures("at_once")
def test_other_pages_wait_for_an_api_that_is_away_too(visit: Callable[..., None], path: str):
    api = Api({name: raising(httpx.ConnectError) for name in ("/compare", "/v2/repository/index", "/v2/health/ready")})

    async def look(page: Visitor) -> None:
        if path == "/compare":
            await page.give(place=0)
            await page.give(place=1)
        await page.sees_soon(f"{told('unreachable')} {shell.ENGLISH.retrying}")
        compared: dict[str, Any] = {"iou": {}, "mean_iou": 0.5, "accuracy": 0.5, "truth_kind": "label_ids"}
        compared |= {"confusion": np.eye(8, dtype=int).tolist(), "model": "a", "provider": "cpu"}
        compared |= {"timings_ms": {"infer": 1}, **dict.fromkeys(("prediction", "truth", "difference"), png())}
        api.answers = {"/compare": lambda _: httpx.Response(200, json=compared)}
        await page.sees_soon(compare.ENGLISH.iou if path == "/compare" else "accurate-fp32")
        assert not page.sees(told("unreachable"))

    visit(api, look, path)


@pytest.mark.usefixtures("at_once")
def test_with_the_right_key_the_picture_is_segmented_and_before_it_is_not_sent_again(visit: Callable[..., None]):
    refused: Handler = lambda _: httpx.Response(401)  # noqa: E731
    api = Api({"/segment": refused, "/categories": refused})

    async def look(page: Visitor) -> None:
        await page.give()
        await page.sees_soon(told("bad_key", 401))
        await page.until(lambda: api.count("/categories") >= 3)
        assert api.count("/segment") == 1
        api.answers = {}
        await page.sees_soon(segment.ENGLISH.timings)
        assert not page.sees(told("bad_key", 401))

    visit(api, look)


@pytest.mark.usefixtures("at_once")
def test_the_api_is_left_alone_as_long_as_it_asks_and_longer_each_time_that_it_refuses(visit: Callable[..., None]):
    at: list[float] = []
    waits = ["1", "0", "soon", "0", "0"]

    def refuse(request: httpx.Request) -> httpx.Response:
        at.append(time.monotonic())
        return httpx.Response(503, headers={"Retry-After": waits[min(len(at), len(waits)) - 1]})

    api = Api({"/segment": refuse})

    async def look(page: Visitor) -> None:
        await page.give()
        await page.until(lambda: len(at) >= 5)
        api.answers = {}
        await page.sees_soon(segment.ENGLISH.timings)

    visit(api, look)
    apart = np.diff(at)
    assert apart[0] >= 1
    assert all(wait >= least for wait, least in zip(apart[1:], (0.04, 0.08, 0.16), strict=True))


def test_an_older_answer_never_replaces_a_newer_one(visit: Callable[..., None]):
    late = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.content == b"first":
            await late.wait()
            return segmented(width=111)
        return segmented(width=222)

    async def look(page: Visitor) -> None:
        await page.give("first.png", b"first")
        await page.sees_soon(segment.ENGLISH.segmenting.format(name="first.png"))
        await page.give("second.png", b"second")
        await page.sees_soon("second.png, 222 x 2")
        shown = page.all(Viewer)[0].props["mask"]
        late.set()
        await asyncio.sleep(0.1)  # time enough for it to do harm
        assert page.sees("second.png, 222 x 2")
        assert not page.sees("111")
        assert page.all(Viewer)[0].props["mask"] == shown

    visit(Api({"/segment": answer}), look)


def test_a_page_that_was_left_while_the_api_worked_is_no_error(visit: Callable[..., None]):
    working, late = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        working.set()
        await late.wait()
        return segmented()

    async def look(page: Visitor) -> None:
        await page.give()
        await working.wait()
        assert page.user.client is not None
        page.user.client.delete()
        late.set()
        await asyncio.sleep(0.1)

    visit(Api({"/segment": answer}), look)
