"""What is left of a page once its visitor went, and what goes on to the page after it."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from nicegui import background_tasks, ui

from gui import handover, samples
from gui.client import MAX_BYTES
from gui.texts import segment
from gui.uploads import FileChooser
from tests.gui.simulated.visitor import Api, Visitor


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
