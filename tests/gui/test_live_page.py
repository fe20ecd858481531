"""The live page in a real browser: a fake camera and a video file through the relay, masks over their own frames."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from gui.palettes import CITYSCAPES, DISTINCT, Color
from gui.texts.live import ENGLISH
from gui.texts.shell import ENGLISH as COMMON

COLORS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
"""BGR, as OpenCV writes them."""

NUMBER = re.compile(r"^\d")

RUNNING_TRACK = "() => document.querySelector('video.rm-live-video').srcObject?.getTracks()[0]"

BOTH = """() => ["frame", "mask"].map(name => {
    const canvas = document.querySelector(`canvas.rm-live-${name}`);
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    return [canvas.height, canvas.width, Array.from(copy.getImageData(0, 0, canvas.width, canvas.height).data)];
})"""


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WebM (VP8), 3 s, 160 x 96: plain colours that change every 3 pictures; the top left quarter has the next one."""
    import cv2

    path = tmp_path_factory.mktemp("video") / "colors.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 15, (160, 96))
    assert writer.isOpened()
    for number in range(45):
        picture = np.empty((96, 160, 3), np.uint8)
        picture[:] = COLORS[number // 3 % 3]
        picture[:48, :80] = COLORS[(number // 3 + 1) % 3]
        writer.write(picture)
    writer.release()
    return path


class Wire:
    """What a page sends and gets through its newest stream."""

    def __init__(self, page: Page) -> None:
        self.addresses: list[str] = []
        self.sent: list[bytes] = []
        self.masks: list[bytes] = []
        self.answered = 0
        """Frames that have a mask, or were passed over by the API."""
        self.most_in_flight = 0
        page.on("websocket", self._opened)

    def _opened(self, opened: WebSocket) -> None:
        if "/live/stream" in opened.url:
            self.addresses.append(opened.url)
            self.sent, self.masks, self.answered = [], [], 0
            opened.on("framesent", self._out)
            opened.on("framereceived", self._in)

    def _out(self, data: str | bytes) -> None:
        assert isinstance(data, bytes)
        self.sent.append(data)
        self.most_in_flight = max(self.most_in_flight, len(self.sent) - self.answered)

    def _in(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self.masks.append(data)
        elif "seq" in (told := json.loads(data)):
            self.answered = told["seq"] + 1


def wait(page: Page, condition: Callable[[], bool]) -> None:
    """Let the page's events come in until it holds."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come about")


def figure(page: Page, name: str) -> Locator:
    """By what stands above it."""
    box = page.locator(".rm-live-figures > div").filter(has=page.get_by_text(name, exact=True))
    return box.locator("dd")


def shows_masks(page: Page) -> None:
    expect(page.locator("canvas.rm-live-mask")).to_be_visible()
    expect(figure(page, ENGLISH.rate)).to_have_text(NUMBER)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def pick(page: Page, name: str, option: str) -> None:
    page.get_by_label(name, exact=True).click()
    page.get_by_role("option", name=option).click()


def drawn(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """Frame and mask, RGBA, at one moment."""
    frame, mask = (np.array(data, np.uint8).reshape(h, w, 4) for h, w, data in page.evaluate(BOTH))
    return frame, mask


def decoded(mask: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(mask)))


@pytest.mark.parametrize(("chosen", "palette"), [("cityscapes", CITYSCAPES), ("distinct", DISTINCT)])
def test_each_mask_lies_over_the_frame_it_belongs_to(
    visit: Callable[..., Page], video: Path, chosen: str, palette: tuple[Color, ...]
):
    page = visit("/live", prefer=f"palette={chosen}")
    wire = Wire(page)
    page.locator("input[type=file]").set_input_files(video)
    shows_masks(page)
    seen: set[int] = set()

    def all_colors_seen() -> bool:
        frame, mask = drawn(page)
        assert frame.shape == mask.shape == (96, 160, 4)
        for row, column in ((24, 40), (72, 120)):  # the middle of each part, away from edges that the codec smears
            brightest = int(frame[row, column, :3].argmax())
            assert tuple(mask[row, column, :3]) == palette[1 + brightest]
            seen.add(brightest)
        return len(seen) == 3

    wait(page, all_colors_seen)
    press(page, ENGLISH.pause)
    expect(page.get_by_role("status")).to_have_text(ENGLISH.paused)
    _, mask = drawn(page)
    assert any((mask[..., :3] == np.array(palette, np.uint8)[decoded(given)]).all() for given in wire.masks)
    assert (mask[..., 3] == 255).all()
    assert Image.open(io.BytesIO(wire.sent[0])).format == "JPEG"
    assert 1 <= wire.most_in_flight <= 2


def test_the_camera_is_shown_with_figures_and_let_go(visit: Callable[..., Page]):
    page = visit("/live")
    expect(page.get_by_text(ENGLISH.empty)).to_be_visible()
    press(page, ENGLISH.camera)
    shows_masks(page)
    for name in (ENGLISH.latency, ENGLISH.latency_p90, ENGLISH.passed_over, *ENGLISH.stages.values()):
        expect(figure(page, name)).to_have_text(NUMBER)
    track = page.evaluate_handle(RUNNING_TRACK)
    assert track.evaluate("track => track.readyState") == "live"
    press(page, ENGLISH.pause)
    assert track.evaluate("track => track.readyState") == "ended"
    expect(page.locator("canvas.rm-live-mask")).to_be_visible()
    press(page, ENGLISH.resume)
    expect(page.get_by_role("status")).to_have_text(ENGLISH.running)
    track = page.evaluate_handle(RUNNING_TRACK)
    press(page, ENGLISH.stop)
    assert track.evaluate("track => track.readyState") == "ended"
    expect(page.get_by_text(ENGLISH.empty)).to_be_visible()


def test_a_paused_video_goes_on_where_it_was(visit: Callable[..., Page], video: Path):
    page = visit("/live")
    wire = Wire(page)
    page.locator("input[type=file]").set_input_files(video)
    shows_masks(page)
    press(page, ENGLISH.pause)
    stream = "() => { const { paused, src } = document.querySelector('video.rm-live-video'); return [paused, src]; }"
    is_paused, address = page.evaluate(stream)
    assert is_paused
    press(page, ENGLISH.resume)
    wait(page, lambda: len(wire.addresses) == 2 and len(wire.masks) > 2)
    assert page.evaluate(stream) == [False, address]


def test_the_width_of_frames_and_the_model_can_be_chosen(visit: Callable[..., Page], two_models: str):
    page = visit("/live", two_models)
    wire = Wire(page)
    press(page, ENGLISH.camera)
    shows_masks(page)
    given = page.locator("video.rm-live-video").evaluate("video => video.videoWidth")
    assert decoded(wire.masks[-1]).shape[1] == min(1024, given)
    pick(page, ENGLISH.width, "512 px")
    page.wait_for_function("() => document.querySelector('canvas.rm-live-mask').width === 512")
    pick(page, ENGLISH.model, "second-fp32")
    wait(page, lambda: len(wire.addresses) == 2 and len(wire.masks) > 2)
    assert wire.addresses[1].endswith("/live/stream?model=second-fp32")


def test_hidden_categories_are_transparent_in_masks_to_come_and_in_the_one_that_is_shown(
    visit: Callable[..., Page], video: Path
):
    page = visit("/live")
    page.locator("input[type=file]").set_input_files(video)
    shows_masks(page)
    boxes = page.get_by_role("list", name=ENGLISH.legend).get_by_role("checkbox")
    expect(boxes).to_have_count(7)
    for box in boxes.all():
        box.press("Space")
    wait(page, lambda: not drawn(page)[1].any())
    # A mask that comes now; a transparent one shows nothing of the one before.
    page.evaluate("document.querySelector('canvas.rm-live-mask').getContext('2d').fillRect(0, 0, 9, 9)")
    wait(page, lambda: not drawn(page)[1].any())
    press(page, ENGLISH.pause)
    page.get_by_role("checkbox", name=COMMON.categories["flat"]).click()
    page.get_by_role("checkbox", name=COMMON.categories["object"]).click()
    wait(page, lambda: bool(drawn(page)[1].any()))
    page.get_by_role("checkbox", name=COMMON.categories["construction"]).click()
    wait(page, lambda: bool((drawn(page)[1][..., 3] == 255).all()))


def test_another_camera_can_be_chosen(visit: Callable[..., Page]):
    page = visit("/live")
    expect(page.get_by_label(ENGLISH.which, exact=True)).to_have_count(0)
    press(page, ENGLISH.camera)
    shows_masks(page)
    used = "() => document.querySelector('video.rm-live-video').srcObject?.getTracks()[0].getSettings().deviceId"
    first = page.evaluate(used)
    names = page.evaluate(
        "async () => (await navigator.mediaDevices.enumerateDevices()).filter(d => d.kind === 'videoinput')"
        ".map(d => [d.label, d.deviceId])"
    )
    assert len(names) == 2
    other = next(name for name, camera in names if camera != first)
    pick(page, ENGLISH.which, other)
    wait(page, lambda: page.evaluate(used) not in (None, first))
    shows_masks(page)


@pytest.mark.parametrize("ends", ["allowed", "denied"])
def test_a_video_plays_on_whatever_becomes_of_the_camera_that_was_asked_for_before(
    visit: Callable[..., Page], video: Path, ends: str
):
    page = visit("/live")
    page.evaluate("""() => {
      const devices = navigator.mediaDevices;
      const real = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => {
        const decided = await new Promise((done) => (window.decide = done));
        if (decided === "denied") throw new DOMException("", "NotAllowedError");
        return (window.late = await real(wanted));
      };
    }""")
    press(page, ENGLISH.camera)
    page.locator("input[type=file]").set_input_files(video)
    shows_masks(page)
    page.evaluate("how => window.decide(how)", ends)
    if ends == "allowed":
        page.wait_for_function("() => window.late?.getTracks()[0].readyState === 'ended'")
    wire = page.locator("canvas.rm-live-mask")
    before = page.locator("video.rm-live-video").evaluate("video => video.currentTime")
    page.wait_for_function(
        "before => (v => !v.paused && v.currentTime !== before)(document.querySelector('video.rm-live-video'))",
        arg=before,
    )
    expect(wire).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text(ENGLISH.running)


def test_the_opacity_is_chosen_with_the_keyboard(visit: Callable[..., Page]):
    page = visit("/live")
    page.get_by_role("slider", name=ENGLISH.opacity).focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text(f"{ENGLISH.opacity}: 70 %")).to_be_visible()
    assert page.locator("canvas.rm-live-mask").evaluate("canvas => canvas.style.opacity") == "0.7"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("NotAllowedError", ENGLISH.refused),
        ("NotFoundError", ENGLISH.no_camera),
        ("NotReadableError", ENGLISH.busy),
    ],
)
def test_a_camera_that_cannot_be_had_is_told_with_what_to_do(visit: Callable[..., Page], error: str, told: str):
    page = visit("/live")
    page.evaluate(
        "name => navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name) }", error
    )
    press(page, ENGLISH.camera)
    expect(page.get_by_role("alert")).to_contain_text(told)
    expect(page.get_by_role("button", name=ENGLISH.pause)).to_be_hidden()


def test_a_camera_that_goes_away_is_told(visit: Callable[..., Page]):
    page = visit("/live")
    press(page, ENGLISH.camera)
    shows_masks(page)
    page.evaluate_handle(RUNNING_TRACK).evaluate("track => track.dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert")).to_contain_text(ENGLISH.unplugged)


def test_a_file_that_is_no_video_is_told_by_name(visit: Callable[..., Page], tmp_path: Path, video: Path):
    (tmp_path / "notes.webm").write_text("a text")
    page = visit("/live")
    page.locator("input[type=file]").set_input_files(tmp_path / "notes.webm")
    expect(page.get_by_role("alert")).to_contain_text(ENGLISH.no_video.format(file="notes.webm"))
    page.locator("input[type=file]").set_input_files(video)
    shows_masks(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_page_that_came_without_https_says_why_it_has_no_camera(browser: Browser, site: str):
    there = "--host-resolver-rules=MAP page.example 127.0.0.1"
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    with closing(browser.browser_type.launch(executable_path=executable, args=["--no-sandbox", there])) as another:
        page = another.new_page(locale="en-GB")
        page.goto(site.replace("127.0.0.1", "page.example") + "/live")
        press(page, ENGLISH.camera)
        expect(page.get_by_role("alert")).to_contain_text(ENGLISH.insecure)


def test_the_stream_goes_on_by_itself_when_the_api_comes_back(
    visit: Callable[..., Page], lonely: SimpleNamespace, video: Path
):
    page = visit("/live", lonely.site)
    wire = Wire(page)
    page.locator("input[type=file]").set_input_files(video)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(f"{COMMON.unreachable.format(api=lonely.api)} {ENGLISH.reconnecting}")
    with lonely.running():
        shows_masks(page)
        expect(alert).to_be_hidden()
    expect(alert).to_contain_text(ENGLISH.reconnecting)
    expect(page.locator("canvas.rm-live-mask")).to_be_visible()
    count = len(wire.addresses)
    with lonely.running():
        wait(page, lambda: len(wire.addresses) > count and len(wire.masks) > 2)
        expect(alert).to_be_hidden()


def test_under_a_sub_path(visit: Callable[..., Page], under_a_path: str, video: Path):
    page = visit("/live", under_a_path)
    wire = Wire(page)
    page.locator("input[type=file]").set_input_files(video)
    shows_masks(page)
    assert [httpx.URL(address).path for address in wire.addresses] == ["/some/where/live/stream"]
    # Before the proxy goes: the stream is open.
    page.close()
