"""The page's command line, its client and its frame, against a real API and against none."""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from gui.__main__ import main
from gui.client import ApiError, Client
from gui.palettes import CITYSCAPES, PALETTES
from gui.settings import Settings
from gui.shell import PAGES
from gui.texts.compare import ENGLISH as COMPARE
from gui.texts.segment import ENGLISH as SEGMENT
from gui.texts.shell import ENGLISH, FRENCH
from runtime import categories
from runtime.segmenter import Segmenter


def run(client: Client, asked: Awaitable[Any]) -> Any:
    """The answer, with the client's connections let go in the loop that they belong to."""

    async def ask() -> Any:
        try:
            return await asked
        finally:
            await client.close()

    with ThreadPoolExecutor(1) as pool:  # a browser's fixture keeps a loop running in this thread
        return pool.submit(asyncio.run, ask()).result()


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_the_client_gets_mask_shares_and_timings(client: Client, toy_folder: Path, noise: Callable[..., np.ndarray]):
    pixels = noise()
    answer = run(client, client.segment(encode(pixels)))
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer.mask))))
    assert (mask == Segmenter.load(toy_folder / "accurate-fp32.onnx").segment(pixels)).all()
    assert (answer.width, answer.height, answer.model, answer.provider) == (60, 40, "accurate-fp32", "cpu")
    assert [row.share for row in answer.shares] == pytest.approx(np.bincount(mask.ravel(), minlength=8) / mask.size)
    assert set(answer.timings_ms) == {"decode", "queue", "infer", "encode"}


def test_what_the_api_refuses_is_told_in_its_own_words(client: Client):
    with pytest.raises(ApiError) as told:
        run(client, client.segment(b"a text"))
    assert "send JPEG, PNG, WebP, BMP or TIFF" in told.value.sentence(FRENCH, client.settings)
    assert told.value.status == 400


def test_an_api_that_is_away_is_told_with_what_to_do():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    client = Client(Settings(api=f"http://127.0.0.1:{port}"))
    with pytest.raises(ApiError) as told:
        run(client, client.segment(b"anything"))
    assert told.value.sentence(ENGLISH, client.settings).endswith("can’t be reached. Start it with: python -m api.")
    assert "injoignable" in told.value.sentence(FRENCH, client.settings)


def test_an_image_that_browsers_cannot_show_is_shown_as_jpeg(client: Client, noise: Callable[..., np.ndarray]):
    shown = run(client, client.as_jpeg(encode(noise(), "TIFF")))
    assert Image.open(io.BytesIO(shown)).size == (60, 40)


def test_the_key_is_read_anew_and_sent(guarded: tuple[str, str], tmp_path: Path):
    api, right = guarded
    key = tmp_path / "key"
    key.write_text("wrong\n")
    client = Client(Settings(api=api, api_key_file=key))

    async def ask() -> str:
        with pytest.raises(ApiError) as told:
            await client.model()
        assert (told.value.status, told.value.reason) == (401, "bad_key")
        assert not await client.ready()
        key.write_text(right)
        assert await client.ready()
        return str((await client.model())["model"])

    assert run(client, ask()) == "accurate-fp32"


@pytest.mark.parametrize("content", [None, b"\xff\xfe", "schlüssel\u4e2d\n".encode()])
def test_a_key_that_cannot_be_sent_is_told(content: bytes | None, tmp_path: Path):
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    client = Client(Settings(api_key_file=key))
    with pytest.raises(ApiError) as told:
        run(client, client.model())
    assert told.value.sentence(ENGLISH, client.settings) == ENGLISH.no_key


def test_the_palettes_are_the_categories_own_and_one_to_tell_apart():
    assert [category.color for category in categories.CATEGORIES] == list(CITYSCAPES)
    for colors in PALETTES.values():
        assert len(set(colors)) == len(categories.CATEGORIES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api", "nowhere"],
        ["--api", "ftp://host"],
        ["--api", "http://"],
        ["--api", "http://["],
        ["--api", "http://host:abc"],
        ["--port", "99999"],
        ["--port", "x"],
        ["--port", "taken"],
        ["--frames", "/nowhere"],
        ["--api-key-file", "/nowhere"],
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        taken = str(listening.getsockname()[1])
        assert main([argument.replace("taken", taken) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1


def test_settings_come_from_the_environment_and_a_flag_wins(tmp_path: Path):
    environment = {"ROADMASK_GUI_API": "https://api.example/", "ROADMASK_GUI_PORT": "9000", "ROADMASK_GUI_HOST": ""}
    read = Settings.read(environment, {"port": "9001", "api": None, "frames": str(tmp_path)})
    assert read == Settings(api="https://api.example", port=9001, frames=tmp_path)


def test_every_page_is_reached_by_name_and_names_itself(visit: Callable[..., Page]):
    page = visit()
    for key in PAGES:
        page.get_by_role("navigation").get_by_role("link", name=getattr(ENGLISH, key), exact=True).click()
        expect(page.locator('a[aria-current="page"]')).to_have_text(getattr(ENGLISH, key))
        assert httpx.URL(page.url).path == PAGES[key]


def test_language_theme_and_palette_are_kept(visit: Callable[..., Page]):
    page = visit(locale="fr-FR", color_scheme="light")
    expect(page.locator('a[aria-current="page"]')).to_have_text(FRENCH.segment)
    assert page.locator("html").get_attribute("lang") == "fr"
    page.get_by_role("button", name=FRENCH.menu).click()
    page.get_by_text("English").click()
    expect(page.locator('a[aria-current="page"]')).to_have_text(ENGLISH.segment)
    page.get_by_role("button", name=ENGLISH.menu).click()
    page.get_by_text(ENGLISH.theme_dark, exact=True).click()
    expect(page.locator("body.body--dark")).to_be_attached()
    page.goto(page.url + "models")
    expect(page.locator("body.body--dark")).to_be_attached()
    expect(page.locator('a[aria-current="page"]')).to_have_text(ENGLISH.models)


def test_a_narrow_screen_has_the_pages_in_its_menu(visit: Callable[..., Page]):
    page = visit(viewport={"width": 390, "height": 800})
    expect(page.get_by_role("navigation")).to_be_hidden()
    page.get_by_role("button", name=ENGLISH.menu).click()
    page.get_by_role("menuitem", name=ENGLISH.operations).click()
    page.wait_for_url("**/operations")


@pytest.mark.parametrize("path", PAGES.values())
def test_every_page_fits_both_widths_in_both_themes(path: str, visit: Callable[..., Page], tmp_path: Path):
    page = visit(path)
    for width, theme in itertools.product((390, 1280), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=theme)
        expect(page.locator(f"body.body--{theme}")).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "it scrolls sideways"
        taken = tmp_path / f"{width}-{theme}.png"
        page.screenshot(path=taken, full_page=True)
        # Its ground, which is what the theme is about, and something on it.
        with Image.open(taken) as shown:
            grey = np.asarray(shown.convert("L"))
        assert (np.median(grey) > 128) == (theme == "light")
        assert grey.std() > 5


FOCUSABLE = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")].filter(
  (one) => one.tabIndex >= 0 && !one.disabled && one.type !== "file" && one.getClientRects().length &&
    one.checkVisibility({ visibilityProperty: true }) && !one.matches(".q-checkbox__native"))"""

FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  one.dataset.seen = "yes";
  // What shows the focus: an outline or a shadow, or the border that Quasar draws around a field.
  const { outlineStyle, boxShadow } = getComputedStyle(one);
  const shown = outlineStyle !== "none" || boxShadow.includes("232, 163, 61") ||
    one.closest(".q-field--focused") || one.matches(".rm-divider");
  const named = one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim() || one.title;
  return [one.outerHTML.slice(0, 120), Boolean(shown), Boolean(named)];
}"""


@pytest.mark.parametrize("path", PAGES.values())
def test_the_keyboard_reaches_everything_and_shows_where_it_is(path: str, visit: Callable[..., Page]):
    page = visit(path)
    if path == PAGES["segment"]:
        page.get_by_role("button", name=SEGMENT.streets["day"]).press("Enter")
        page.locator(".rm-timings").wait_for()
    if path == PAGES["compare"]:
        page.get_by_role("button", name=COMPARE.sample).press("Enter")
        page.locator(".rm-sides[data-state=done]").wait_for()
    page.get_by_role("link", name=ENGLISH.skip).focus()
    reached = 0
    for _ in range(80):
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        markup, is_shown, is_named = focused
        assert is_shown, f"nothing shows that it has the focus: {markup}"
        assert is_named, f"it has no name: {markup}"
        reached += 1
        page.keyboard.press("Tab")
    unseen = "().filter((one) => !one.dataset.seen).map((one) => one.outerHTML.slice(0, 99))"
    assert page.evaluate(f"({FOCUSABLE}){unseen}") == []
    assert reached >= 7
