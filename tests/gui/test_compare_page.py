"""The compare page in a real browser: figures, pictures to the pixel, and what can go wrong."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from gui.numerals import milliseconds, number, percent
from gui.palettes import CATEGORIES, CITYSCAPES, PALETTES
from gui.panes import VERDICTS
from gui.preferences import Palette
from gui.texts import shell as shell_texts
from gui.texts.compare import ENGLISH, FRENCH
from gui.texts.panes import ENGLISH as PANES
from runtime.truth import LABELS

Frames = Callable[..., np.ndarray]


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def decode(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


def made_truth(frame: np.ndarray) -> np.ndarray:
    """Category ids: what the toy model says, but for a strip that it gets wrong and one that is void."""
    truth = (1 + frame.argmax(axis=2)).astype(np.uint8)
    truth[5:9] = 6
    truth[20:23] = 0
    return truth


def give(page: Page, what: str, data: bytes, name: str = "given.png") -> None:
    chooser = page.get_by_role("group", name=what, exact=True).locator("input[type=file]")
    chooser.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


def drawn(page: Page) -> None:
    expect(page.locator(".rm-sides[data-state=done]")).to_be_visible()


def pixels(canvas: Locator) -> np.ndarray:
    """uint8 H x W x 4, what the browser shows."""
    read = """canvas => {
        const { width, height } = canvas;
        return [height, width, [...canvas.getContext("2d").getImageData(0, 0, width, height).data]];
    }"""
    height, width, values = canvas.evaluate(read)
    return np.array(values, np.uint8).reshape(height, width, 4)


def painted(ids: np.ndarray, colors: tuple[Any, ...]) -> np.ndarray:
    """As `pixels`: of colours by id, None see-through."""
    table = np.array([(0, 0, 0, 0) if color is None else (*color, 255) for color in colors], np.uint8)
    return table[ids]


def asked(api: str, frame: bytes, truth: bytes) -> dict[str, Any]:
    answer = httpx.post(api + "/compare", files={"image": ("image", frame), "truth": ("truth", truth)})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("palette", ["cityscapes", "distinct"])
def test_pictures_and_figures_are_those_of_the_api(
    palette: Palette, visit: Callable[..., Page], api: str, noise: Frames
):
    frame = noise()
    image, truth = encode(frame), encode(made_truth(frame))
    found = asked(api, image, truth)
    page = visit("/compare", prefer=f"palette={palette}")
    give(page, ENGLISH.image, image)
    expect(page.get_by_text(ENGLISH.truth_missing)).to_be_visible()
    give(page, ENGLISH.truth, truth)
    drawn(page)
    expect(page.get_by_text(ENGLISH.truth_missing)).to_have_count(0)
    for name in ("truth", "prediction"):
        assert (
            pixels(page.locator(f"canvas[data-pane={name}]")) == painted(decode(found[name]), PALETTES[palette])
        ).all()
    difference = pixels(page.locator("canvas[data-pane=difference]"))
    assert (difference == painted(decode(found["difference"]), VERDICTS[palette])).all()
    assert (difference[21] == 0).all(), "what is not scored lets the page through"
    expect(page.locator("img[data-pane=image]")).to_have_js_property("naturalWidth", 60)

    figures = page.locator(".rm-figures > div")
    expect(figures.nth(0)).to_contain_text(percent(found["mean_iou"], "en"))
    expect(figures.nth(1)).to_contain_text(percent(found["accuracy"], "en"))
    expect(figures.nth(2)).to_contain_text(percent(3 / 40, "en"))
    rows = page.locator(".rm-bars tbody tr")
    expect(rows).to_have_count(7)
    for row, name in zip(rows.all(), CATEGORIES[1:], strict=True):
        value = found["iou"][name]
        expect(row).to_have_text(name + (ENGLISH.absent if value is None else percent(value, "en")))
    assert found["confusion"][6][1] > 0
    share = found["confusion"][6][1] / sum(found["confusion"][6])
    told = ENGLISH.cell.format(
        truth="human", prediction="flat", share=percent(share, "en"), pixels=found["confusion"][6][1]
    )
    expect(page.get_by_title(told)).to_have_text(number(100 * share, "en"))


def test_how_the_truth_was_read_is_told(visit: Callable[..., Page], noise: Frames):
    frame = noise()
    ids = made_truth(frame)
    labels = np.array([0, 7, 11, 17, 21, 23, 24, 26], np.uint8)[ids]
    colors = np.zeros((34, 3), np.uint8)
    for _, label, color in LABELS:
        if label >= 0:
            colors[label] = color
    page = visit("/compare")
    give(page, ENGLISH.image, encode(frame))
    shown = []
    for kind, truth in (("category_ids", ids), ("label_ids", labels), ("colors", colors[labels])):
        give(page, ENGLISH.truth, encode(truth), f"{kind}.png")
        expect(page.get_by_text(f"{ENGLISH.read_as} {ENGLISH.kinds[kind]}.")).to_be_visible()
        drawn(page)
        shown.append(pixels(page.locator("canvas[data-pane=truth]")))
    assert (shown[0] == painted(ids, CITYSCAPES)).all()
    assert (shown[1] == shown[0]).all()
    assert (shown[2] == shown[0]).all()


def test_a_sample_pair_is_at_hand_and_its_figures_can_be_saved(visit: Callable[..., Page]):
    page = visit("/compare", locale="fr")
    page.get_by_role("button", name=FRENCH.sample).click()
    drawn(page)
    expect(page.get_by_text(FRENCH.kinds["label_ids"])).to_be_visible()
    expect(page.locator(".rm-figures")).to_have_text(re.compile(r"\d,\d\u202f%"))
    with page.expect_download() as saved:
        page.get_by_role("link", name=FRENCH.download).click()
    figures = json.loads(Path(saved.value.path()).read_text())
    assert (figures["width"], figures["height"]) == (1024, 512)
    assert len(figures["confusion"]) == 8
    assert "prediction" not in figures


def test_sizes_that_differ_are_told_and_the_right_truth_is_compared(visit: Callable[..., Page], noise: Frames):
    page = visit("/compare")
    frame = noise()
    give(page, ENGLISH.truth, encode(made_truth(frame)[:-1]), "short.png")
    expect(page.get_by_text(ENGLISH.image_missing)).to_be_visible()
    give(page, ENGLISH.image, encode(frame), "street.png")
    expect(page.get_by_role("alert").get_by_text("they must be of one size")).to_be_visible()
    expect(page.get_by_text(ENGLISH.image_given.format(name="street.png"))).to_be_visible()
    expect(page.get_by_text(ENGLISH.truth_given.format(name="short.png"))).to_be_visible()
    give(page, ENGLISH.truth, encode(made_truth(frame)))
    drawn(page)
    expect(page.get_by_text("they must be of one size")).to_have_count(0)


def test_a_truth_that_is_none_is_told_in_the_apis_words(visit: Callable[..., Page], api: str, noise: Frames):
    frame = encode(noise())
    answer = httpx.post(api + "/compare", files={"image": ("image", frame), "truth": ("truth", frame)})
    assert answer.is_client_error
    page = visit("/compare")
    give(page, ENGLISH.image, frame)
    give(page, ENGLISH.truth, frame)
    expect(page.get_by_role("alert").get_by_text(answer.json()["detail"])).to_be_visible()
    expect(page.get_by_text(shell_texts.ENGLISH.retrying)).to_have_count(0)


def test_a_truth_that_is_void_everywhere_is_questioned(visit: Callable[..., Page], noise: Frames):
    page = visit("/compare")
    give(page, ENGLISH.image, encode(noise()))
    give(page, ENGLISH.truth, encode(np.zeros((40, 60), np.uint8)))
    expect(page.get_by_text(ENGLISH.nothing_scored)).to_be_visible()
    drawn(page)
    assert (pixels(page.locator("canvas[data-pane=difference]")) == 0).all()


def test_a_frame_that_browsers_cannot_show_is_shown_all_the_same(visit: Callable[..., Page], noise: Frames):
    page = visit("/compare")
    give(page, ENGLISH.image, encode(noise(), "TIFF"), "frame.tif")
    give(page, ENGLISH.truth, encode(made_truth(noise())))
    drawn(page)
    expect(page.locator("img[data-pane=image]")).to_have_js_property("naturalWidth", 60)
    expect(page.locator("img[data-pane=image]")).to_have_attribute("src", re.compile("^/pictures/"))
    expect(page.locator(".rm-side-failed")).to_have_count(0)


def test_what_is_under_the_pointer_is_told_for_all_pictures(visit: Callable[..., Page], api: str, noise: Frames):
    frame = noise()
    image, truth = encode(frame), encode(made_truth(frame))
    found = asked(api, image, truth)
    page = visit("/compare")
    give(page, ENGLISH.image, image)
    give(page, ENGLISH.truth, truth)
    drawn(page)

    def told(x: int, y: int) -> str:
        parts = [
            f"{ENGLISH.pane_truth}: {CATEGORIES[decode(found['truth'])[y, x]]}",
            f"{ENGLISH.pane_prediction}: {CATEGORIES[decode(found['prediction'])[y, x]]}",
            f"{ENGLISH.pane_difference}: {ENGLISH.verdicts[decode(found['difference'])[y, x]]}",
        ]
        return " · ".join([f"x {x}, y {y}", *parts])

    output = page.locator(".rm-sides-told")
    picture = page.locator("canvas[data-pane=prediction]")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 30.5 / 60, box["y"] + box["height"] * 6.5 / 40)
    expect(output).to_have_text(told(30, 6))
    page.mouse.move(1, 1)
    expect(output).not_to_have_text(told(30, 6))
    page.locator(".rm-sides-grid").focus()
    page.keyboard.press("Shift+ArrowUp")
    expect(output).to_have_text(told(30, 18))  # from the middle, by a twentieth
    expect(output).to_have_attribute("aria-live", "polite")
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Show all")).to_have_text("150 %")
    expect(output).to_have_text(told(30, 18))
    moved = [canvas.evaluate("canvas => canvas.style.transform") for canvas in page.locator("[data-pane]").all()]
    assert len(moved) == 4
    assert len(set(moved)) == 1, "all pictures move together"
    assert "scale(1.5)" in moved[0]
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Show all")).to_have_text("100 %")


def test_two_fingers_zoom_all_pictures_and_escape_takes_the_point_away(visit: Callable[..., Page], noise: Frames):
    page = visit("/compare", has_touch=True, viewport={"width": 390, "height": 800})
    give(page, ENGLISH.image, encode(noise()))
    give(page, ENGLISH.truth, encode(made_truth(noise())))
    drawn(page)
    picture = page.locator("canvas[data-pane=truth]")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    middle, row = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *apart: float) -> None:
        points = [{"x": middle + side, "y": row, "id": index} for index, side in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -30)
    fingers("touchStart", -30, 30)
    for apart in (40, 50, 60):
        fingers("touchMove", -apart, apart)
    fingers("touchEnd")
    expect(page.get_by_role("button", name=PANES.whole)).to_have_text("200 %")
    moved = {one.evaluate("one => one.style.transform") for one in page.locator("[data-pane]").all()}
    assert len(moved) == 1, "all pictures move together"
    expect(page.locator(".rm-side-row")).to_have_count(4)
    page.locator(".rm-sides-grid").press("Escape")
    expect(page.locator(".rm-side-row")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(theme: str, visit: Callable[..., Page]):
    page = visit("/compare", viewport={"width": 390, "height": 800}, prefer=f"theme={theme}&language=fr")
    page.get_by_role("button", name=FRENCH.sample).click()
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    widths = page.locator("[data-pane]").evaluate_all("all => all.map(one => one.clientWidth)")
    assert min(widths) > 300


def test_figures_are_written_as_the_language_does():
    assert percent(0.1234, "en") == "12.3\u202f%"
    assert percent(None, "fr") == "\N{EN DASH}"
    assert number(1234567.25, "fr", 1) == "1\u202f234\u202f567,2"
    assert number(1234567, "en") == "1,234,567"
    assert (milliseconds(99.94, "en"), milliseconds(1234, "fr")) == ("99.9\u202fms", "1\u202f234\u202fms")
