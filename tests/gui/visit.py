"""What a visitor does on the page that segments, and what is seen there, in a real browser."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def stripes(*widths: int) -> bytes:
    """A PNG of a red, a green and a blue stripe: categories 1, 2 and 3 of the toy model."""
    pixels = np.zeros((64, sum(widths), 3), np.uint8)
    for channel, (start, width) in enumerate(zip(np.cumsum([0, *widths]), widths, strict=False)):
        pixels[:, start : start + width, channel] = 255
    return encode(pixels)


def give(page: Page, data: bytes, name: str = "frame.png") -> None:
    """By the file dialog."""
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "image/png", "buffer": data})


def drawn(page: Page) -> None:
    page.wait_for_selector('.rm-viewer[data-drawn*="/pictures/"]')


def alert(page: Page) -> Locator:
    """The messages that are there."""
    return page.locator(".rm-notice")


# By way of a copy: a canvas that is shown is not meant to be read often, and Chromium would say so.
PIXEL = """at => {
  const shown = document.querySelector(".rm-viewer canvas");
  const copy = new OffscreenCanvas(shown.width, shown.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(shown, 0, 0);
  return [...copy.getImageData(...at, 1, 1).data];
}"""


def canvas_pixel(page: Page, x: int, y: int) -> tuple[int, ...]:
    return tuple(page.evaluate(PIXEL, [x, y]))


def asked(api: str, data: bytes, **query: str) -> httpx.Response:
    """The API's own answer."""
    return httpx.post(f"{api}/segment", params=query, content=data, headers={"Content-Type": "image/png"})


def bytes_of(page: Page, link: str) -> bytes:
    with page.expect_download() as told:
        page.get_by_text(link, exact=True).click()
    return Path(told.value.path()).read_bytes()
