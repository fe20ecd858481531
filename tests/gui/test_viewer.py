"""The viewer: what it draws, in which colours, and what a mouse, a finger and a keyboard do to it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from gui.palettes import DISTINCT, Color
from gui.texts.shell import ENGLISH as WORDS
from gui.texts.viewer import ENGLISH
from runtime.categories import CATEGORIES

Drawn = tuple[Page, np.ndarray]


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def mask_of(api: str, pixels: np.ndarray) -> np.ndarray:
    """The API's mask of a frame, category ids."""
    answer = httpx.post(f"{api}/segment", content=png(pixels), headers={"Content-Type": "image/png"})
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def canvas(page: Page) -> np.ndarray:
    """The viewer's canvas, RGBA."""
    read = """canvas => {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let text = "";
      for (const value of pixels.data) text += String.fromCharCode(value);
      return [canvas.height, canvas.width, btoa(text)];
    }"""
    height, width, data = page.locator(".rm-viewer canvas").evaluate(read)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def colored(mask: np.ndarray, colors: tuple[Color, ...], hidden: tuple[int, ...] = ()) -> np.ndarray:
    """What the canvas has to hold."""
    table = np.array([(*color, 255) for color in colors], np.uint8)
    table[list(hidden)] = 0
    return table[mask]


CITYSCAPES = tuple(category.color for category in CATEGORIES)


@pytest.fixture
def drawn(visit: Callable[..., Page]) -> Callable[..., Page]:
    """The page with a frame's mask drawn."""

    def draw(pixels: np.ndarray, **options: Any) -> Page:
        page = visit("/", **options)
        page.set_input_files("input[type=file]", {"name": "frame.png", "mimeType": "image/png", "buffer": png(pixels)})
        page.wait_for_selector('.rm-viewer[data-drawn^="/pictures/"]')
        return page

    return draw


def halves(height: int = 100, width: int = 200) -> np.ndarray:
    """Red on the left, blue on the right: categories 1 and 3 of the toy model."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    return pixels


def box(page: Page) -> dict[str, float]:
    found = page.locator(".rm-view").bounding_box()
    assert found
    return dict(found)


def hover(page: Page, right: float, down: float) -> None:
    """The mouse to a place of the view, by shares of its size."""
    view = box(page)
    page.mouse.move(view["x"] + right * view["width"], view["y"] + down * view["height"])


def scale(page: Page) -> float:
    found: float = page.locator(".rm-stage").first.evaluate("e => new DOMMatrix(getComputedStyle(e).transform).a")
    return found


def test_every_pixel_is_the_masks(drawn: Callable[..., Page], api: str, noise: Callable[..., np.ndarray]):
    pixels = noise(96, 130)
    page = drawn(pixels)
    assert (canvas(page) == colored(mask_of(api, pixels), CITYSCAPES)).all()


def test_the_second_palette_is_drawn_from_the_same_mask(
    drawn: Callable[..., Page], api: str, noise: Callable[..., np.ndarray]
):
    pixels = noise()
    page = drawn(pixels, prefer="palette=distinct")
    assert (canvas(page) == colored(mask_of(api, pixels), DISTINCT)).all()


def test_the_divider_follows_mouse_and_keys(drawn: Callable[..., Page]):
    page = drawn(halves())
    divider = page.get_by_role("slider", name=ENGLISH.divider)
    pane = page.locator(".rm-pane-mask")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    expect(pane).to_have_css("clip-path", "inset(0px 0px 0px 50%)")
    hover(page, 0.5, 0.5)
    page.mouse.down()
    hover(page, 0.2, 0.9)
    page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "20")
    expect(pane).to_have_css("clip-path", "inset(0px 0px 0px 20%)")
    divider.focus()
    for key, now in (("ArrowRight", "22"), ("ArrowLeft", "20"), ("PageUp", "30"), ("End", "100"), ("Home", "0")):
        divider.press(key)
        expect(divider).to_have_attribute("aria-valuenow", now)


def test_what_lies_left_of_the_divider_is_the_image_and_right_of_it_the_mask(drawn: Callable[..., Page]):
    page = drawn(np.full((100, 200, 3), (10, 250, 20), np.uint8))  # category 2
    slider = page.get_by_role("slider", name=ENGLISH.opacity)
    slider.fill("100")
    page.mouse.move(0, 0)
    shown = np.asarray(Image.open(io.BytesIO(page.locator(".rm-view").screenshot())).convert("RGB"))
    height, width, _ = shown.shape
    assert tuple(shown[height // 4, width // 4]) == (10, 250, 20)
    assert tuple(shown[height // 4, 3 * width // 4]) == CITYSCAPES[2]


def test_modes_and_opacity(drawn: Callable[..., Page]):
    page = drawn(halves())
    pane = page.locator(".rm-pane-mask")
    page.get_by_role("button", name=ENGLISH.overlay).click()
    expect(pane).to_have_css("clip-path", "none")
    expect(page.get_by_role("slider", name=ENGLISH.divider)).to_have_count(0)
    page.get_by_role("slider", name=ENGLISH.opacity).fill("25")
    expect(pane).to_have_css("opacity", "0.25")
    page.get_by_role("button", name=ENGLISH.beside).click()
    expect(pane).to_have_css("opacity", "1")
    left, right = (pane.bounding_box() for pane in page.locator(".rm-pane").all())
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]
    assert left["width"] == pytest.approx(right["width"], abs=1)


def test_beside_each_other_the_category_is_told_in_both(drawn: Callable[..., Page]):
    page = drawn(halves())
    page.get_by_role("button", name=ENGLISH.beside).click()
    names = [WORDS.categories["flat"], WORDS.categories["object"]]
    for right, name in ((0.1, names[0]), (0.4, names[1]), (0.6, names[0]), (0.9, names[1])):
        hover(page, right, 0.5)
        expect(page.locator(".rm-tip")).to_have_text(name)


def test_the_category_under_the_pointer_is_told_where_the_picture_is_zoomed_and_moved(drawn: Callable[..., Page]):
    page = drawn(halves())
    tip, told = page.locator(".rm-tip"), page.locator(".rm-viewer > [aria-live]")
    hover(page, 0.45, 0.2)
    expect(tip).to_have_text(WORDS.categories["flat"])
    expect(told).to_have_text(WORDS.categories["flat"])
    hover(page, 0.6, 0.2)
    expect(tip).to_have_text(WORDS.categories["object"])
    page.mouse.wheel(0, -400)
    assert scale(page) == pytest.approx(np.exp(300 / 400), rel=0.01)  # one turn goes so far
    expect(tip).to_have_text(WORDS.categories["object"])
    hover(page, 0.41, 0.2)  # the border is 2.1 times as far from the pointer as it was: at 0.39
    expect(tip).to_have_text(WORDS.categories["object"])
    hover(page, 0.37, 0.2)
    expect(tip).to_have_text(WORDS.categories["flat"])
    hover(page, 0.7, 0.2)
    page.mouse.down()
    hover(page, 0.95, 0.2)  # and at 0.64 now
    page.mouse.up()
    hover(page, 0.66, 0.2)
    expect(tip).to_have_text(WORDS.categories["object"])
    hover(page, 0.61, 0.2)
    expect(tip).to_have_text(WORDS.categories["flat"])
    page.mouse.move(0, 0)
    expect(tip).to_have_count(0)
    expect(told).to_have_text("")


def test_keys_alone_zoom_and_name_categories(drawn: Callable[..., Page]):
    page = drawn(halves())
    view, told = page.locator(".rm-view"), page.locator(".rm-viewer > [aria-live]")
    view.focus()
    view.press("ArrowLeft")  # the cross appears in the middle, where the right half begins
    expect(told).to_have_text(WORDS.categories["object"])
    view.press("ArrowLeft")
    expect(told).to_have_text(WORDS.categories["flat"])
    view.press("+")
    view.press("+")
    assert scale(page) == pytest.approx(2.25)
    for _ in range(12):
        view.press("Shift+ArrowRight")  # beyond the border of the view: the picture follows
    expect(told).to_have_text(WORDS.categories["object"])
    edge = page.locator(".rm-stage").first.evaluate(
        "e => new DOMMatrix(getComputedStyle(e).transform).e / e.clientWidth"
    )
    assert edge == pytest.approx(1 - 2.25)
    view.press("0")
    assert scale(page) == 1
    page.get_by_role("button", name=ENGLISH.zoom_in).press("Enter")
    assert scale(page) == pytest.approx(1.5)
    page.get_by_role("button", name=ENGLISH.zoom_fit).press("Enter")
    assert scale(page) == 1


def test_two_fingers_zoom_though_one_lies_on_the_divider(drawn: Callable[..., Page]):
    page = drawn(halves(), has_touch=True, viewport={"width": 390, "height": 800})
    view = box(page)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *apart: float) -> None:
        middle, row = view["x"] + view["width"] / 2, view["y"] + view["height"] / 4
        points = [{"x": middle + side, "y": row, "id": index} for index, side in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -30)
    fingers("touchStart", -30, 30)
    for apart in (40, 50, 60):
        fingers("touchMove", -apart, apart)
    fingers("touchEnd")
    page.wait_for_function("new DOMMatrix(getComputedStyle(document.querySelector('.rm-stage')).transform).a > 1.9")
    assert scale(page) == pytest.approx(2, rel=0.02)
