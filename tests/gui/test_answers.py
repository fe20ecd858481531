"""What the pages make of the API's answers, by NiceGUI's simulated user: nothing here needs a browser that draws."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import logging
import re
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from nicegui import Client as PageClient
from nicegui import ElementFilter, background_tasks, ui
from nicegui.testing import User, user_simulation
from nicegui.testing.user_interaction import UserInteraction
from PIL import Image

from gui import asking, compare_page, handover, live_page, models_page, operations_page, samples, segment_page
from gui.client import MAX_BYTES, REASONS, TIMEOUT_S, Client
from gui.live_page import LiveView
from gui.palettes import CATEGORIES, CITYSCAPES
from gui.settings import Settings
from gui.shell import PAGES, Site
from gui.texts import compare, live, models, operations, panes, segment, shell, uploads, viewer
from gui.uploads import FileChooser
from gui.viewer import Viewer

ADDRESS = "http://api.example"

Handler = Callable[[httpx.Request], Awaitable[httpx.Response] | httpx.Response]

Visit = Callable[["Visitor"], Awaitable[None]]


def png(ids: np.ndarray | None = None) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((2, 3), np.uint8) if ids is None else ids).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def segmented(model: str = "accurate-fp32", width: int = 3) -> httpx.Response:
    rows = [
        {"id": i, "name": name, "color": CITYSCAPES[i], "pixels": 1, "share": 0.5 if i in (1, 4) else 0.0}
        for i, name in enumerate(CATEGORIES)
    ]
    timings = {"decode": 1.0, "queue": 0.0, "infer": 2.0, "encode": 1.0}
    told = {"model": model, "provider": "cpu", "width": width, "height": 2, "mask": png(), "timings_ms": timings}
    return httpx.Response(200, json={**told, "categories": rows})


@dataclass
class Api:
    """An API whose answers a test gives; every path that it gives none for answers as the real one does."""

    answers: dict[str, Handler] = field(default_factory=dict)
    names: tuple[str, ...] = ("accurate-fp32",)
    asked: list[httpx.Request] = field(default_factory=list)

    def count(self, path: str) -> int:
        return sum(request.url.path == path for request in self.asked)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        found = self.answers[path](request) if path in self.answers else self._usual(request)
        return found if isinstance(found, httpx.Response) else await found

    def _usual(self, request: httpx.Request) -> httpx.Response:
        path, model = request.url.path, request.url.params.get("model", self.names[0])
        if path == "/segment":
            return segmented(model)
        if path == "/v2/repository/index":
            entries = [{"name": name, "version": "1", "state": "UNAVAILABLE", "reason": ""} for name in self.names]
            return httpx.Response(200, json=[{**entries[0], "state": "READY"}, *entries[1:]])
        if path == "/model":
            geometry = {"fixed": None, "pixel_budget": 1000, "stride": 32, "max_upscale": 2}
            contract = {"geometry": geometry, "precision": "fp32", "gmac": 1.0, "data": [], "run": {}, "categories": []}
            told = {"model": model, "provider": "cpu", "threads": 1, "version": "1", "nodes": {"cpu": 3}}
            return httpx.Response(200, json={**told, "contract": contract, "accuracy": {}})
        return httpx.Response(200, text="")


class Visitor:
    """A simulated user, and what it sees; each wait ends when it comes true, or the test fails."""

    def __init__(self, user: User) -> None:
        self.user = user

    async def until(self, condition: Callable[[], Any]) -> None:
        give_up = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < give_up, "it did not come about"
            await asyncio.sleep(0.01)

    def all(self, kind: type[Any] = ui.element) -> list[Any]:
        with self.user:
            return list(ElementFilter(kind=kind))

    def texts(self) -> list[str]:
        """What stands on the page: words of labels, attributes and properties, hidden ones left out."""
        shown = [element for element in self.all() if element.visible]
        found = [str(element.text) for element in shown if getattr(element, "text", None)]
        for element in shown:
            found += [str(element.props[name]) for name in ("aria-label", "label", "title") if element.props.get(name)]
            found += [str(element.content)] if isinstance(element, ui.html) else []
        return found

    def sees(self, text: str) -> bool:
        return any(text in one for one in self.texts())

    async def sees_soon(self, text: str) -> None:
        await self.until(lambda: self.sees(text))

    async def give(self, name: str = "frame.png", data: bytes = b"\x89PNG", place: int = 0) -> None:
        """A file, the way the browser sends it."""
        action = self.all(FileChooser)[place].props["action"]
        answer = await self.user.http_client.post(action, params={"name": name, "url": "blob:x"}, content=data)
        assert answer.status_code == 204


@dataclass
class Simulation:
    """The site in a thread of its own, because a browser's fixture keeps a loop running in the tests' thread."""

    run: Callable[[Awaitable[None]], None]
    user: User
    frames: Path
    api: Api = field(default_factory=Api)


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    """One for all tests: to begin and to end it takes seconds."""
    frames = tmp_path_factory.mktemp("frames")
    (frames / "huge.png").touch()
    (frames / "gone.png").touch()
    started: Future[User] = Future()
    ended = asyncio.Event()

    async def simulate() -> None:
        async with user_simulation() as user:
            client = Client(Settings(api=ADDRESS, frames=frames), httpx.MockTransport(lambda asked: made.api(asked)))
            site = Site(client.settings, client)
            site.register()
            for page in (segment_page, compare_page, live_page, models_page, operations_page):
                page.register(site)
            started.set_result(user)
            await ended.wait()
            await client.close()

    loop = asyncio.new_event_loop()
    kept = dict(sys.modules)  # the simulation forgets the modules of pages in the end, and they would be there twice
    with ThreadPoolExecutor(1) as pool:
        whole = pool.submit(loop.run_until_complete, simulate())

        def run(task: Awaitable[None]) -> None:
            asyncio.run_coroutine_threadsafe(task, loop).result()

        made = Simulation(run, started.result(), frames)
        yield made
        loop.call_soon_threadsafe(ended.set)
        whole.result()
    loop.close()
    sys.modules.update(kept)


@pytest.fixture
def visit(simulation: Simulation, caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Let a simulated user visit the site in front of an API. At its end no logged error is forgiven."""

    async def visited(what: Visit, path: str, language: str) -> None:
        simulation.user.http_client.headers["Accept-Language"] = language
        client = await simulation.user.open(path)
        try:
            await what(Visitor(simulation.user))
        finally:
            if client.id in PageClient.instances:  # a test may have left it already
                client.delete()

    def start(api: Api, what: Visit, path: str = "/", language: str = "en") -> None:
        simulation.api = api
        simulation.run(visited(what, path, language))
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []

    return start


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again does not take seconds."""
    monkeypatch.setattr(asking, "RETRY_S", 0.02)


def told(reason: str, status: int | None = None, language: Any = "en") -> str:
    sentence: str = getattr(shell.TEXTS[language], reason)
    return sentence.format(api=ADDRESS, seconds=TIMEOUT_S, status=status)


def raising(error: type[httpx.HTTPError]) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("no")

    return answer


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


def test_an_upload_over_the_limit_is_cut_off_by_the_server_too(visit: Callable[..., None]):
    api = Api()

    async def look(page: Visitor) -> None:
        action = page.all(FileChooser)[0].props["action"]
        huge = await page.user.http_client.post(action, content=b"\0" * (MAX_BYTES + 1))
        assert huge.status_code == 413
        guessed = await page.user.http_client.post("/uploads/guessed", content=b"x")
        assert guessed.status_code == 404
        assert page.user.client is not None
        page.user.client.delete()
        late = await page.user.http_client.post(action, content=b"x")
        assert late.status_code == 404
        assert json.dumps([str(request.url) for request in api.asked]).count("/segment") == 0

    visit(api, look)


def test_nothing_of_a_closed_page_is_kept(visit: Callable[..., None]):
    async def look(page: Visitor) -> None:
        await page.give()
        await page.sees_soon(segment.ENGLISH.timings)
        kept = weakref.WeakSet(page.all(ui.label))
        assert len(kept) > 5
        assert page.user.client is not None
        page.user.client.delete()
        await page.until(lambda: gc.collect() >= 0 and not kept)

    visit(Api(), look)


def test_a_folder_that_is_listed_after_the_page_was_closed_adds_nothing_to_it(
    visit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    may_end, listed = threading.Event(), samples.listed

    def slow(folder: Path) -> list[Path]:
        may_end.wait(20)
        return listed(folder)

    monkeypatch.setattr(samples, "listed", slow)

    async def look(page: Visitor) -> None:
        client = page.user.client
        assert client is not None
        client.delete()
        ours = {task for task in background_tasks.running_tasks if task.get_name() == "unnamed task"}
        assert ours
        may_end.set()
        await asyncio.wait(ours)
        assert not client.elements

    visit(Api(), look)


def test_what_a_page_holds_goes_to_the_same_page_alone_and_while_it_is_there(visit: Callable[..., None]):
    api = Api()

    async def look(page: Visitor) -> None:
        first = page.user.client
        assert first is not None
        found = re.search(r'roadmaskPage = "([^"]+)"', first.head_html)
        assert found
        await page.give("mine.png")
        await page.sees_soon(segment.ENGLISH.timings)

        async def comes_by(path: str) -> bool:
            api.asked.clear()
            page.user.http_client.headers["Cookie"] = f"{handover.COOKIE}={found[1]}"
            opened = await page.user.open(path)
            del page.user.http_client.headers["Cookie"]
            await page.until(lambda: api.count("/v2/repository/index"))  # by now a picture would be there
            shown = page.sees("mine.png")
            opened.delete()
            return shown

        # An answer that a browser left for a newer one takes nothing away.
        came = [await comes_by(path) for path in ("/compare", "/models", "/", "/")]
        first.delete()
        assert [*came, await comes_by("/")] == [False, False, True, True, False]

    visit(api, look)
