"""`python tests/gui/screenshots.py`: README's pictures of the page, with generated scenes and the shipped model."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"


def start(stack: ExitStack, *arguments: str) -> str:
    """A server of ours; its address."""
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-m", *arguments, "--port", "0"], stdout=subprocess.PIPE, text=True)
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    found = re.search(r"http://[\w.]+:\d+", process.stdout.readline())
    if found is None:
        raise SystemExit(f"{arguments[0]} did not start")
    return found[0]


def segment(page: Page, address: str) -> None:
    """A sample with the divider in the middle."""
    page.goto(address)
    page.set_input_files("input[type=file]", REPOSITORY / "gui/samples/street_day.jpg")
    page.get_by_text("Together").wait_for()


def compare(page: Page, address: str) -> None:
    """The sample pair."""
    page.goto(f"{address}/compare")
    page.get_by_role("button", name="sample").first.click()
    page.get_by_text("Confusion matrix").wait_for()
    page.mouse.move(0, 0)


def main() -> None:
    """Both, 1280 pixels wide: one light, one dark."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no browser: apt-get install chromium")
    with ExitStack() as stack, sync_playwright() as playwright:
        address = start(stack, "gui", "--api", start(stack, "api"))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, take, theme, height in (("segment", segment, "light", 1000), ("compare", compare, "dark", 1150)):
            page = browser.new_page(
                viewport={"width": 1280, "height": height}, color_scheme=theme, locale="en-GB", reduced_motion="reduce"
            )
            take(page, address)
            page.wait_for_timeout(1500)  # for what fades in
            page.screenshot(path=DOCS / f"page-{name}.jpg", type="jpeg", quality=85)
        browser.close()
        stack.close()


if __name__ == "__main__":
    main()
