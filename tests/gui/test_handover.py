"""What a visitor gave stays when language or palette change, and goes to nobody else, in a real browser."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from gui.handover import COOKIE
from gui.palettes import DISTINCT
from gui.texts import compare, models, segment, shell

Visit = Callable[..., Page]


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def give(page: Page, data: bytes, name: str, place: int = 0) -> None:
    chooser = page.locator("input[type=file]").nth(place)
    chooser.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()
    expect(page.get_by_role("option")).to_have_count(0)


def prefer(page: Page, word: str, words: shell.Texts = shell.ENGLISH) -> None:
    """By the menu; from here on the new page is looked at."""
    page.get_by_role("button", name=words.menu).click()
    with page.expect_event("domcontentloaded"):
        page.get_by_role("menuitemradio", name=word).click()


def segmented(page: Page, name: str) -> None:
    page.wait_for_selector('.rm-viewer[data-drawn*="/pictures/"]')
    expect(page.locator(".rm-file")).to_contain_text(name)


def compared(page: Page) -> None:
    expect(page.locator(".rm-sides[data-state=done]")).to_be_visible()
    expect(page.locator("img[data-pane=image]")).to_have_js_property("naturalWidth", 60)


def test_the_picture_and_the_choice_of_a_model_stay(visit: Visit, two_models: str):
    page = visit(base=two_models)
    choose(page, segment.ENGLISH.model, "second-fp32")
    green = np.zeros((40, 60, 3), np.uint8)
    green[..., 1] = 255
    give(page, encode(green), "green.png")
    segmented(page, "green.png")
    prefer(page, "Français")
    segmented(page, "green.png")
    image = page.locator(".rm-viewer img")
    expect(image).to_have_js_property("naturalWidth", 60)
    expect(page.locator(".rm-legend-row").first).to_contain_text(shell.FRENCH.categories["construction"])
    expect(page.locator(".rm-facts").first).to_contain_text(re.compile("second"))
    expect(page.get_by_role("combobox", name=segment.FRENCH.model)).to_have_value("second-fp32")
    # What was handed over is handed over again.
    prefer(page, shell.FRENCH.palette_distinct, shell.FRENCH)
    segmented(page, "green.png")
    expect(image).to_have_js_property("naturalWidth", 60)
    pixel = """async () => {
      const copy = new OffscreenCanvas(1, 1).getContext("2d");
      copy.drawImage(document.querySelector(".rm-viewer canvas"), 0, 0);
      return [...copy.getImageData(0, 0, 1, 1).data];
    }"""
    assert page.evaluate(pixel) == [*DISTINCT[2], 255]
    assert COOKIE not in [cookie["name"] for cookie in page.context.cookies()]
    page.reload()  # by the visitor, which begins anew
    expect(page.get_by_text(segment.FRENCH.empty)).to_be_visible()


def test_a_sample_stays_and_two_changes_at_once_are_one(visit: Visit, site: str):
    page = visit()
    page.get_by_role("button", name=segment.ENGLISH.streets["day"]).click()
    segmented(page, "street_day.jpg")
    with page.expect_event("domcontentloaded"):
        page.evaluate("roadmaskPrefer('language', 'fr'); setTimeout(() => roadmaskPrefer('palette', 'distinct'))")
    segmented(page, "street_day.jpg")
    expect(page.locator("html")).to_have_attribute("lang", "fr")


def test_a_change_of_theme_leaves_the_page_as_it_is(visit: Visit):
    page = visit(color_scheme="light")
    page.evaluate("window.same = true")
    expect(page.locator("body.body--light")).to_be_attached()
    for theme, body in (("dark", "dark"), ("light", "light"), ("auto", "light")):
        word = getattr(shell.ENGLISH, f"theme_{theme}")
        page.get_by_role("button", name=shell.ENGLISH.menu).click()
        page.get_by_role("menuitemradio", name=word).click()
        expect(page.locator(f"body.body--{body}")).to_be_attached()
        page.get_by_role("button", name=shell.ENGLISH.menu).click()
        expect(page.get_by_role("menuitemradio", name=word)).to_be_checked()
        page.keyboard.press("Escape")
        expect(page.get_by_role("menu")).to_have_count(0)
    assert page.evaluate("window.same")


def test_image_and_truth_stay(visit: Visit, noise: Callable[..., np.ndarray]):
    frame = noise()
    page = visit("/compare")
    give(page, encode(frame, "TIFF"), "frame.tif")
    give(page, encode((1 + frame.argmax(axis=2)).astype(np.uint8)), "truth.png", 1)
    compared(page)
    prefer(page, "Français")
    compared(page)
    expect(page.get_by_text(compare.FRENCH.image_given.format(name="frame.tif"))).to_be_visible()
    expect(page.get_by_text(compare.FRENCH.truth_given.format(name="truth.png"))).to_be_visible()


def test_a_truth_alone_stays_one(visit: Visit):
    page = visit("/compare")
    give(page, encode(np.ones((40, 60), np.uint8)), "truth.png", 1)
    expect(page.get_by_text(compare.ENGLISH.image_missing)).to_be_visible()
    prefer(page, shell.ENGLISH.palette_distinct)
    expect(page.get_by_text(compare.ENGLISH.image_missing)).to_be_visible()
    expect(page.get_by_text(compare.ENGLISH.truth_given.format(name="truth.png"))).to_be_visible()


def test_the_image_of_two_models_and_both_choices_stay(visit: Visit, two_models: str, noise: Callable[..., np.ndarray]):
    page = visit("/models", base=two_models)
    choose(page, models.ENGLISH.first, "second-fp32")
    choose(page, models.ENGLISH.second, "accurate-fp32")
    give(page, encode(noise()), "street.png")
    compared(page)
    prefer(page, "Français")
    compared(page)
    expect(page.get_by_text(models.FRENCH.pair_image_given.format(name="street.png"))).to_be_visible()
    heads = page.locator("table.rm-plain thead").first.locator("th")
    expect(heads).to_have_text(["second-fp32", "accurate-fp32"])


def test_a_page_that_is_gone_or_on_another_server_hands_nothing_over_and_is_no_error(site: str):
    assert httpx.get(site, cookies={COOKIE: "unknown"}).status_code == 200
