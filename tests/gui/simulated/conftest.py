"""The site for a simulated user: nothing here needs a browser that draws."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from nicegui import Client as PageClient
from nicegui.testing import User, user_simulation

from gui import asking, compare_page, live_page, models_page, operations_page, segment_page
from gui.client import Client
from gui.settings import Settings
from gui.shell import Site
from tests.gui.simulated.visitor import ADDRESS, Api, Simulation, Visit, Visitor


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    """One for a file's tests.

    Not of the scope "package": in a folder without `__init__.py` that is the session's, and until its end every server
    that another file starts would take itself for a simulation.
    """
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
