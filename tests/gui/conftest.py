"""A real API with a toy model, the page's server in front of it, and a real browser."""

from __future__ import annotations

import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gui.client import Client
from gui.settings import Settings
from tests.gui.servers import inherited, ready

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., str]]:
    """Start `python -m MODULE --port 0 ...`, environment variables by keyword; gives its address."""
    with ExitStack() as stack:

        def start(module: str, *arguments: str, **variables: str) -> str:
            command = [sys.executable, "-m", module, "--port", "0", *arguments]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=inherited() | variables)
            )
            stack.callback(process.terminate)
            assert process.stdout is not None
            found = re.search(r"http://[\w.]+:\d+", process.stdout.readline())
            assert found, "its first line names its address"
            ready(found[0] + ("/v2/health/ready" if module == "api" else "/"), process)
            return found[0]

        yield start


@pytest.fixture(scope="session")
def api(launch: Callable[..., str], toy_folder: Path) -> str:
    """The address of a real API that serves the toy model as its default."""
    return launch("api", "--models", str(toy_folder))


@pytest.fixture(scope="session")
def site(launch: Callable[..., str], api: str) -> str:
    """The address of the page in front of that API."""
    return launch("gui", "--api", api)


@pytest.fixture(scope="session")
def two_models(launch: Callable[..., str], toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page in front of an API with the models `accurate-fp32` and `second-fp32`."""
    models = tmp_path_factory.mktemp("two")
    for name in ("accurate", "second"):
        shutil.copy(toy_folder / "accurate-fp32.onnx", models / f"{name}-fp32.onnx")
    return launch("gui", "--api", launch("api", "--models", str(models)))


@pytest.fixture(scope="session")
def guarded(launch: Callable[..., str], toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The address of an API that asks for a key, and the key."""
    key = "right-key-of-32-characters-or-so\n"
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(key)
    return launch("api", "--models", str(toy_folder), ROADMASK_API_KEYS_FILE=str(keys)), key


@pytest.fixture(scope="session")
def lonely(launch: Callable[..., str], toy_folder: Path) -> SimpleNamespace:
    """One page for all tests of an API that is away.

    Its address is `site`, that of the API is `api`, and `with running():` is the time in which the API is there, with
    the toy model.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    api = f"http://127.0.0.1:{port}"

    @contextmanager
    def run() -> Iterator[None]:
        command = [sys.executable, "-m", "api", "--models", str(toy_folder), "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline()
                yield
            finally:
                process.kill()

    return SimpleNamespace(site=launch("gui", "--api", api), api=api, running=run)


@pytest.fixture
def client(api: str) -> Client:
    """What the pages ask the API with."""
    return Client(Settings(api=api))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, with a camera that shows a test picture.

    A module's own: Playwright keeps an event loop that runs, and other tests could run none in the same process.
    """
    if CHROMIUM is None:
        pytest.skip("no browser: apt-get install chromium")
    camera = ["--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        yield made
        made.close()


Contexts = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Iterator[Contexts]:
    """A browser's context by its options. They are shared, without cookies: a new one would load all scripts anew."""
    made: dict[str, BrowserContext] = {}

    def context(**options: object) -> BrowserContext:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = browser.new_context(**{"locale": "en-GB", **options})
        made[key].clear_cookies()
        return made[key]

    yield context
    for one in made.values():
        one.close()


@pytest.fixture
def visit(contexts: Contexts, site: str) -> Iterator[Callable[..., Page]]:
    """Open a path of the page, as a visitor with these preferences.

    At the end of the test no console message and no request to another host is forgiven.
    """
    said: list[str] = []
    with ExitStack() as stack:

        def open_page(path: str = "/", base: str = site, prefer: str = "", **options: object) -> Page:
            context = contexts(**options)
            if prefer:
                context.add_cookies([{"name": "roadmask", "value": quote(prefer, safe=""), "url": base}])
            page = context.new_page()
            stack.callback(page.close)
            page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: said.append(f"error: {error}"))
            host = httpx.URL(base).netloc.decode()
            page.on(
                "request",
                lambda request: (
                    said.append(f"another host: {request.url}")
                    if request.url.startswith(("http", "ws")) and httpx.URL(request.url).netloc.decode() != host
                    else None
                ),
            )
            page.goto(base + path)
            return page

        yield open_page
    assert said == []


@pytest.fixture
def under_a_path(site: str) -> Iterator[str]:
    """The page behind a proxy that gives it the sub-path /some/where, as reverse proxies do."""
    page = httpx.URL(site)

    class Proxy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = self.rfile.readline().replace(b" /some/where", b" ", 1)
            # One request a connection, so that the bytes after its head need no look; an upgrade keeps its own.
            head = b"X-Forwarded-Prefix: /some/where\r\n"
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                head += b"" if line.lower().startswith(b"connection: keep-alive") else line
            closes = b"" if b"upgrade: websocket" in head.lower() else b"Connection: close\r\n"
            with socket.create_connection((page.host, page.port or 80)) as onward:
                onward.sendall(asked + head + closes + b"\r\n")
                back = threading.Thread(target=self.copy_back, args=(onward,))
                back.start()
                with suppress(OSError):
                    while data := self.rfile.read1(65536):
                        onward.sendall(data)
                    onward.shutdown(socket.SHUT_WR)
                back.join()

        def copy_back(self, onward: socket.socket) -> None:
            with suppress(OSError):  # the browser went on to another page
                shutil.copyfileobj(onward.makefile("rb", 0), self.wfile)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/some/where"
        server.shutdown()


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Frames of noise: every category of the toy model occurs in them."""

    def made(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)

    return made
