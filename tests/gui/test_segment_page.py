"""The page that segments a frame, in a real browser, against a real API, and against one that is away."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from gui.client import MAX_BYTES
from gui.palettes import DISTINCT
from gui.shell import PAGES
from gui.texts.segment import ENGLISH, FRENCH
from gui.texts.shell import ENGLISH as WORDS
from gui.texts.uploads import ENGLISH as UPLOADS
from gui.texts.uploads import FRENCH as UPLOADS_FRENCH
from gui.texts.viewer import ENGLISH as VIEWER
from runtime.categories import CATEGORIES
from tests.gui.visit import PIXEL, alert, asked, bytes_of, canvas_pixel, drawn, encode, give, stripes

Visit = Callable[..., Page]


def test_shares_timings_and_model_are_told_largest_share_first(visit: Visit, api: str):
    page = visit()
    expect(page.get_by_text(ENGLISH.empty)).to_be_visible()
    give(page, data := stripes(20, 100, 60), "street one.png")
    drawn(page)
    expect(page.get_by_text(ENGLISH.empty)).to_be_hidden()
    rows = page.locator(".rm-legend-row")
    shares = {row["name"]: row["share"] for row in asked(api, data, format="json").json()["categories"]}
    largest = sorted((name for name in shares if shares[name]), key=lambda name: -shares[name])
    assert largest == ["construction", "object", "flat"]
    for place, name in enumerate(largest):
        expect(rows.nth(place)).to_contain_text(name)
        expect(rows.nth(place)).to_contain_text(re.compile(rf"{100 * shares[name]:.1f}\s%"))
    expect(page.get_by_text("street one.png, 180 x 64")).to_be_visible()
    facts = page.locator(".rm-facts").first
    expect(facts).to_have_text(re.compile(f"{ENGLISH.model}\\s*accurate\\s*{ENGLISH.precision}\\s*fp32\\s*"
                                          f"{ENGLISH.provider}\\s*cpu"))  # fmt: skip
    for stage in ENGLISH.stages.values():
        expect(page.locator(".rm-timings > div", has_text=stage)).to_have_text(re.compile(r"[\d.,]+\s?ms"))


def test_categories_are_hidden_and_shown_one_by_one_and_together(visit: Visit):
    page = visit()
    give(page, stripes(60, 60, 60))
    drawn(page)
    colors = [(*CATEGORIES[category].color, 255) for category in (1, 2, 3)]

    def shown() -> list[bool]:
        pixels = [canvas_pixel(page, x, 30) for x in (30, 90, 150)]
        assert all(pixel in (color, (0, 0, 0, 0)) for pixel, color in zip(pixels, colors, strict=True))
        return [pixel[3] == 255 for pixel in pixels]

    def until(wanted: list[bool]) -> None:
        for x, is_shown in zip((30, 90, 150), wanted, strict=True):
            page.wait_for_function(f"at => ({PIXEL})(at)[3] === {255 if is_shown else 0}", arg=[x, 30])
        assert shown() == wanted

    until([True, True, True])
    one = page.get_by_role("checkbox", name=WORDS.categories["construction"])
    all_of_them = page.get_by_role("checkbox", name=VIEWER.all, exact=True)
    one.click()
    until([True, False, True])
    expect(all_of_them).not_to_be_checked()
    all_of_them.press("Space")
    until([True, True, True])
    expect(one).to_be_checked()
    all_of_them.click()
    until([False, False, False])
    one.press("Space")
    until([False, True, False])
    give(page, stripes(61, 60, 60))  # what is hidden stays so with the next frame
    expect(page.get_by_text("181 x 64")).to_be_visible()
    drawn(page)
    until([False, True, False])


def test_a_dropped_and_a_pasted_file_are_taken_anywhere_on_the_page(visit: Visit):
    page = visit()
    page.wait_for_selector(".rm-chooser")
    send = """([kind, carrier, name, bytes]) => {
      const given = new DataTransfer();
      given.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, { type: "image/png" }));
      const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: given, bubbles: true })
        : new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true });
      document.querySelector("header").dispatchEvent(event);
    }"""
    for kind, name, data in (("drop", "dropped.png", stripes(30, 30, 30)), ("paste", "pasted.png", stripes(9, 9, 9))):
        if kind == "drop":
            page.evaluate(send, ["dragover", "dataTransfer", name, base64.b64encode(data).decode()])
            expect(page.get_by_text(UPLOADS.drop)).to_be_visible()
        page.evaluate(send, [kind, "", name, base64.b64encode(data).decode()])
        expect(page.locator(".rm-file")).to_contain_text(name)
        drawn(page)
        expect(page.get_by_text(UPLOADS.hint)).to_be_visible()


def test_mask_and_json_are_saved_as_the_api_gave_them(visit: Visit, api: str):
    page = visit()
    give(page, data := stripes(60, 40, 30), "../a street.png")
    drawn(page)
    assert bytes_of(page, ENGLISH.mask) == asked(api, data).content
    told, own = json.loads(bytes_of(page, ENGLISH.json)), asked(api, data, format="json").json()
    assert {**told, "timings_ms": None} == {**own, "timings_ms": None}


def test_the_overlay_is_saved_as_it_is_seen(visit: Visit):
    page = visit(prefer="palette=distinct")
    give(page, stripes(160, 160, 160))
    drawn(page)
    page.get_by_role("slider", name=VIEWER.opacity).fill("35")
    page.get_by_role("checkbox", name=WORDS.categories["construction"]).click()
    page.wait_for_function(f"at => ({PIXEL})(at)[3] === 0", arg=[240, 30])
    for name in (VIEWER.zoom_in, VIEWER.beside):  # ways to look at it, and no part of it
        page.get_by_role("button", name=name).click()
    saved = np.asarray(Image.open(io.BytesIO(bytes_of(page, ENGLISH.overlay))), float)
    assert saved.shape == (64, 480, 3)
    frame = 255 * np.eye(3)
    wanted = [0.65 * frame[0] + 0.35 * np.array(DISTINCT[1]), frame[1], 0.65 * frame[2] + 0.35 * np.array(DISTINCT[3])]
    for x, color in zip((80, 240, 400), wanted, strict=True):
        np.testing.assert_allclose(saved[16:48, x - 40 : x + 40].mean((0, 1)), color, atol=3)  # JPEG is not exact


def test_a_sample_is_segmented_by_mouse_and_by_keyboard(visit: Visit):
    page = visit()
    sample = page.get_by_role("button", name=ENGLISH.sample.format(name=ENGLISH.streets["day"]))
    sample.click()
    expect(page.locator(".rm-file")).to_have_text("street_day.jpg, 1,024 x 512")
    drawn(page)
    page.get_by_role("button", name=ENGLISH.sample.format(name=ENGLISH.streets["night"])).press("Enter")
    expect(page.locator(".rm-file")).to_have_text("street_night.jpg, 1,024 x 512")


def test_what_is_no_single_image_gets_one_message_and_the_picture_stays(visit: Visit, tmp_path: Path):
    page = visit()
    give(page, stripes(60, 60, 60), "good.png")
    drawn(page)
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(MAX_BYTES + 1)
    (tmp_path / "letter.jpg").write_text("Dear all")
    (tmp_path / "nothing.png").touch()
    many = [tmp_path / f"{number}.png" for number in range(20)]
    for path in many:
        path.write_bytes(stripes(3, 3, 3))
    for name, sentence in (
        ("huge.jpg", UPLOADS.huge.format(name="huge.jpg", size=32, limit=32)),
        ("letter.jpg", UPLOADS.no_image.format(name="letter.jpg")),
        ("nothing.png", UPLOADS.empty.format(name="nothing.png")),
    ):
        page.set_input_files("input[type=file]", tmp_path / name)
        expect(alert(page)).to_have_text(sentence)
    # The dialog offers one file alone; a drop can bring any number.
    page.evaluate("""() => {
      const given = new DataTransfer();
      for (let i = 0; i < 20; i++) given.items.add(new File(["x"], `${i}.png`));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
    }""")
    expect(alert(page)).to_have_text(UPLOADS.several.format(count=20))
    expect(page.locator(".rm-file")).to_contain_text("good.png")
    drawn(page)
    give(page, stripes(61, 60, 60), "better.png")
    expect(alert(page)).to_have_count(0)
    expect(page.locator(".rm-file")).to_contain_text("better.png")


def test_what_the_api_refuses_is_told_in_its_words_and_the_next_image_is_taken(visit: Visit, api: str):
    page = visit()
    cut = stripes(60, 60, 60)[:60]
    give(page, cut, "cut.png")
    expect(alert(page)).to_have_text(asked(api, cut).json()["detail"])
    give(page, stripes(60, 60, 60))
    drawn(page)
    expect(alert(page)).to_have_count(0)


def test_a_format_that_browsers_do_not_show_is_shown_as_jpeg(visit: Visit, api: str, noise: Callable[..., np.ndarray]):
    page = visit()
    data = encode(noise(48, 80), "TIFF")
    give(page, data, "scan.tif")
    drawn(page)
    image = page.locator(".rm-viewer img")
    expect(image).to_have_attribute("src", re.compile("^/pictures/"))
    assert image.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [80, 48]


def test_while_the_api_is_away_the_image_stays_and_is_segmented_once_it_is_back(visit: Visit, lonely: SimpleNamespace):
    page = visit(base=lonely.site)
    give(page, stripes(60, 60, 60), "waiting.png")
    expect(alert(page)).to_contain_text(WORDS.unreachable.format(api=lonely.api))
    expect(alert(page)).to_contain_text(WORDS.retrying)
    image = page.locator(".rm-viewer img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 180
    with lonely.running():
        drawn(page)
    expect(alert(page)).to_have_count(0)
    assert canvas_pixel(page, 30, 30) == (*CATEGORIES[1].color, 255)


@pytest.fixture(scope="module")
def with_frames(launch: Callable[..., str], api: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page with a folder of frames."""
    frames = tmp_path_factory.mktemp("frames")
    (frames / "a town").mkdir()
    for number in range(101):
        (frames / "a town" / f"frame {number:03}#.png").write_bytes(stripes(20, 20, 20 + number))
    (frames / "a town" / '"><img src=x>.png').write_bytes(stripes(20, 20, 20))
    (frames / "notes.txt").write_text("not for visitors")
    (frames.parent / "outside.png").write_bytes(stripes(9, 9, 9))
    return launch("gui", "--api", api, "--frames", str(frames))


def test_the_operators_frames_are_listed_to_a_limit_and_loaded_when_asked_for(visit: Visit, with_frames: str):
    page = visit(base=with_frames, viewport={"width": 900, "height": 700})
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url) if "/frames/" in request.url else None)
    summary = page.get_by_text(ENGLISH.frames.format(count=100))
    expect(summary).to_be_visible()
    assert loaded == []
    summary.click()
    expect(page.get_by_text(ENGLISH.frames_cut.format(count=100))).to_be_visible()
    expect(page.locator(".rm-samples-frames img")).to_have_count(100)
    page.get_by_role("button", name="frame 001#.png").click()
    expect(page.locator(".rm-file")).to_have_text("frame 001#.png, 61 x 64")
    drawn(page)
    strange = page.get_by_role("button", name='"><img src=x>.png')
    strange.click()
    expect(page.locator(".rm-file")).to_have_text('"><img src=x>.png, 60 x 64')
    assert 0 < len(set(loaded)) < 100


@pytest.mark.parametrize(
    "path",
    [
        *("../outside.png", "%2e%2e/outside.png", "/etc/passwd", "notes.txt", "", "nothing.png", "a%20town"),
        *("%00.png", "a" * 300 + ".png"),
    ],
)
def test_of_the_folder_only_its_images_are_given(with_frames: str, path: str):
    assert httpx.get(f"{with_frames}/frames/{path}").status_code == 404
    assert httpx.get(f"{with_frames}/frames/a%20town/frame%20000%23.png").status_code == 200


def test_in_french(visit: Visit):
    page = visit(locale="fr-FR")
    give(page, stripes(60, 60, 60))
    drawn(page)
    expect(page.locator(".rm-legend")).to_contain_text("surface plane")
    expect(page.get_by_text(FRENCH.overlay_hint)).to_be_visible()
    page.set_input_files("input[type=file]", {"name": "a.png", "mimeType": "image/png", "buffer": b"text"})
    expect(alert(page)).to_have_text(UPLOADS_FRENCH.no_image.format(name="a.png"))


def test_under_a_sub_path(visit: Visit, under_a_path: str):
    page = visit("/", base=under_a_path)
    page.get_by_role("button", name=ENGLISH.sample.format(name=ENGLISH.streets["day"])).click()
    expect(page.locator(".rm-file")).to_contain_text("street_day.jpg")
    drawn(page)
    give(page, stripes(60, 40, 30))
    expect(page.locator(".rm-file")).to_contain_text("frame.png")
    drawn(page)
    assert Image.open(io.BytesIO(bytes_of(page, ENGLISH.mask))).size == (130, 64)
    assert Image.open(io.BytesIO(bytes_of(page, ENGLISH.overlay))).size == (130, 64)
    with page.expect_event("domcontentloaded"):
        page.evaluate("roadmaskPrefer('palette', 'distinct')")
    expect(page.locator(".rm-file")).to_contain_text("frame.png")
    drawn(page)
    for key, path in PAGES.items():
        page.get_by_role("navigation").get_by_role("link", name=getattr(WORDS, key), exact=True).click()
        page.wait_for_url(under_a_path + path)
        expect(page.locator('a[aria-current="page"]')).to_have_text(getattr(WORDS, key))
    page.go_back()
    expect(page.locator('a[aria-current="page"]')).to_have_text(WORDS.models)
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_role("button", name=WORDS.menu).click()
    page.get_by_role("menuitem", name=WORDS.compare).click()
    page.wait_for_url(under_a_path + "/compare")
    # Before the proxy goes: the page has just begun to connect.
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(visit: Visit, width: int):
    page = visit(viewport={"width": width, "height": 800})
    give(page, stripes(600, 300, 300), "a-name-that-is-very-long-" * 8 + ".png")
    drawn(page)
    for mode in (VIEWER.swipe, VIEWER.overlay, VIEWER.beside):
        page.get_by_role("button", name=mode).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_upload_over_the_limit_is_cut_off_by_the_server_too(visit: Visit, site: str):
    page = visit()
    with page.expect_request("**/uploads/**") as sent:
        give(page, stripes(9, 9, 9))
    huge = httpx.post(sent.value.url, content=b"\0" * (MAX_BYTES + 1), timeout=60)
    assert huge.status_code == 413
    drawn(page)


def test_uploads_end_with_their_page(visit: Visit, site: str):
    page = visit()
    with page.expect_request("**/uploads/**") as sent:
        give(page, stripes(9, 9, 9))
    drawn(page)
    assert httpx.post(re.sub("uploads/[^?]*", "uploads/guessed", sent.value.url), content=b"x").status_code == 404
