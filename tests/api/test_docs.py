"""`/docs` works from the package alone: in a browser, behind a proxy, with keys."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from api.docs import ASSETS, FOLDER
from api.openapi import document
from api.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PREFIX = "/vision/roadmask"
KEY = "a-key-of-this-test-alone"


def operation_count() -> int:
    return sum(method in ("get", "post") for item in document(Settings())["paths"].values() for method in item)


# What is served.


def test_the_page_names_no_other_host_and_no_absolute_path(server):
    answer = server.http.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    addresses = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert [address for address in addresses if address != "data:,"] == [
        "docs/swagger-ui.css",
        "docs/swagger-ui-bundle.js",
        "docs/start.js",
    ]
    assert "//" not in answer.text


def test_the_page_may_load_nothing_from_another_host_whatever_it_holds(server):
    policy = server.http.get("/docs").headers["content-security-policy"]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    allowed = {source for sources in directives.values() for source in sources.split()}
    assert allowed == {"'none'", "'self'", "data:", "blob:"}


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_is_served_as_what_it_is(server, name):
    answer = server.http.get(f"/docs/{name}")
    assert answer.content == (FOLDER / name).read_bytes()
    assert answer.headers["content-type"] == f"{ASSETS[name]}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "start.js.map", "..%2fdocs.py", "%2e%2e/docs.py", "%00", "é"])
def test_nothing_but_the_assets_is_served(server, assert_problem, name):
    assert_problem(server.http.get(f"/docs/{name}"), 404)


def test_the_assets_of_others_are_unchanged():
    sums = [line.split() for line in (FOLDER / "SHA256SUMS").read_text().splitlines()]
    ours = {"README.md", "SHA256SUMS", "start.js"}
    assert {name for _, name in sums} == {path.name for path in FOLDER.iterdir()} - ours
    for digest, name in sums:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


# In a browser.


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the page is not tried: playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("the page is not tried in a browser: there is no Chromium on the PATH")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


class Watched:
    """A page, and what it asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def show(self, url: str) -> None:
        """Open the page and wait for all of its operations."""
        self.page.goto(url)
        self.page.locator(".opblock").nth(operation_count() - 1).wait_for()

    def execute(self, path: str, image: bytes | None = None) -> str:
        """Open an operation, give it an image if there is one, send it: the status that the page shows."""
        operation = self.page.locator(".opblock", has=self.page.locator(f'[data-path="{path}"]'))
        operation.locator(".opblock-summary-control").click()
        if image is not None:
            file = {"name": "frame.png", "mimeType": "image/png", "buffer": image}
            operation.locator("select[aria-label='Request content type']").select_option("image/png")
            operation.locator("input[type=file]").set_input_files([file])
        operation.locator("button.execute").click()
        return operation.locator(".live-responses-table .response-col_status").last.inner_text().split()[0]

    def assert_content(self, host: str) -> None:
        """It asked no other host for anything, and complained of nothing."""
        elsewhere = [url for url in self.requests if not url.startswith((host + "/", "data:", f"blob:{host}/"))]
        assert elsewhere == []
        assert self.complaints == []


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        yield Watched(page)


@pytest.fixture
def proxy(server) -> Iterator[str]:
    """A reverse proxy in front of the server, which cuts PREFIX off; its address with PREFIX."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            assert self.path.startswith(PREFIX + "/"), f"{self.path} is not under {PREFIX}"
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            path = self.path.removeprefix(PREFIX)
            answer = httpx.request(self.command, server.url + path, content=body, headers=sent)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in ("connection", "date"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = forward

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}{PREFIX}"
        listening.shutdown()
        thread.join()


def test_the_page_shows_every_operation_and_asks_no_other_host(server, watched):
    watched.show(f"{server.url}/docs")
    assert watched.page.locator(".opblock").count() == operation_count()
    assert watched.page.locator("button.authorize").count() == 0
    assert watched.execute("/categories") == "200"
    watched.assert_content(server.url)


def test_the_page_works_behind_a_proxy_under_a_path(proxy, watched, frame: Callable, encode: Callable):
    watched.show(f"{proxy}/docs")
    assert watched.execute("/segment", encode(frame())) == "200"
    shown = watched.page.locator(".live-responses-table img")
    shown.wait_for()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    watched.assert_content(proxy.removesuffix(PREFIX))
    assert all(url.startswith((proxy + "/", "data:", "blob:")) for url in watched.requests)


def test_a_key_is_entered_on_the_page(start, watched, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    server = start(api_keys_file=keys, wait=False)
    page = watched.page
    # A browser sends no key by itself: whoever opens the page has a proxy or an extension add it.
    page.set_extra_http_headers({"Authorization": f"Bearer {KEY}"})
    watched.show(f"{server.url}/docs")
    page.set_extra_http_headers({})
    assert watched.execute("/v2") == "401"
    page.locator("button.authorize").first.click()
    page.locator(".auth-container input").fill(KEY)
    page.locator(".auth-container button[type=submit]").click()
    page.locator(".auth-container .btn-done").click()
    assert watched.execute("/categories") == "200"
