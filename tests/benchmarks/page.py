"""The web page's benchmark: `python tests/benchmarks/page.py [--count N]`. It needs Chromium and the extra `dev`.

From drop to overlay: a street of 2048 x 1024 as JPEG is dropped on the page, and the time is taken in the browser from
the drop (mark `roadmask:chosen`) until the mask is on the screen (mark `roadmask:drawn`). By turns the same body goes
to the API directly, as the page sends it; the difference is what page, browser and the way between them add.

First load: bytes over the network, as the browser counts them, of a page that was never visited before.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from runtime import scenes

DROP = """([name, data]) => {
  const given = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  given.items.add(new File([bytes], name, { type: "image/jpeg" }));
  performance.clearMarks();
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
}"""

DRAWN = "performance.getEntriesByName('roadmask:drawn').length > 0"

TOOK = """() => performance.getEntriesByName("roadmask:drawn")[0].startTime
  - performance.getEntriesByName("roadmask:chosen")[0].startTime"""

REPAINT = """async () => {
  const times = [];
  const boxes = document.querySelectorAll(".rm-legend-rows [role=checkbox]");
  const canvas = document.querySelector(".rm-viewer canvas");
  for (let round = 0; round < 10; round++) {
    const start = performance.now();
    const painted = new Promise(resolve => {
      const own = CanvasRenderingContext2D.prototype.putImageData;
      CanvasRenderingContext2D.prototype.putImageData = function (...given) {
        const result = own.apply(this, given);
        CanvasRenderingContext2D.prototype.putImageData = own;
        if (this.canvas === canvas) resolve();
        return result;
      };
    });
    boxes[round % boxes.length].click();
    await painted;
    times.push(performance.now() - start);
  }
  return times;
}"""


@contextmanager
def server(module: str, *arguments: str) -> Iterator[str]:
    """`python -m MODULE`; gives its address once it answers."""
    command = [sys.executable, "-m", module, "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\w.]+:\d+", process.stdout.readline())
            if not found:
                raise SystemExit(f"python -m {module} does not start")
            path = "/v2/health/ready" if module == "api" else "/"
            while True:
                try:
                    if httpx.get(found[0] + path).status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield found[0]
        finally:
            process.terminate()


def frames(count: int) -> list[bytes]:
    """Streets with a camera's noise, JPEG of quality 90."""
    made = []
    for seed in range(count):
        frame = scenes.generate(seed, 2048, 1024).frame.astype(np.int16)
        frame += np.random.default_rng(seed).normal(0, 3, frame.shape).astype(np.int16)
        buffer = io.BytesIO()
        Image.fromarray(frame.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


def first_load(browser: Browser, site: str) -> tuple[int, int]:
    """Bytes and requests."""
    page = browser.new_context().new_page()
    network = page.context.new_cdp_session(page)
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    network.send("Network.enable")
    page.goto(site)
    page.wait_for_selector(".rm-sample img")
    page.wait_for_load_state("networkidle")
    page.close()
    return int(sum(sizes)), len(sizes)


def dropped(page: Page, data: bytes) -> float:
    """Milliseconds from the drop to the overlay."""
    page.evaluate(DROP, ["frame.jpg", base64.b64encode(data).decode()])
    page.wait_for_function(DRAWN)
    return float(page.evaluate(TOOK))


def directly(client: httpx.Client, data: bytes) -> tuple[float, float]:
    """Milliseconds of the same question without the page: in all, and in the API's stages alone."""
    start = time.perf_counter()
    answer = client.post("/segment", params={"format": "json"}, content=data).json()
    return 1000 * (time.perf_counter() - start), sum(answer["timings_ms"].values())


def main() -> None:
    """Print the figures."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--count", type=int, default=20, help="frames dropped (default 20)")
    count = command.parse_args().count
    given = frames(4)
    with server("api") as api, server("gui", "--api", api) as site, sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        size, requests = first_load(browser, site)
        print(f"first load: {size / 2**20:.2f} MB in {requests} requests (asked: under 3 MB)")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(site)
        page.wait_for_selector(".rm-chooser")
        rounds = []
        with httpx.Client(base_url=api, headers={"Content-Type": "image/jpeg"}, timeout=60) as client:
            for number in range(-2, count):  # the first two warm up
                data = given[number % len(given)]
                whole, (direct, stages) = dropped(page, data), directly(client, data)
                if number >= 0:
                    rounds.append((whole, direct, stages, whole - direct))
        words = ("drop to overlay", "the API, asked directly", "the API's stages alone", "what the page adds")
        for word, values in zip(words, zip(*rounds, strict=True), strict=True):
            low, high = min(values), max(values)
            print(f"{word}: median {statistics.median(values):.0f} ms ({low:.0f} to {high:.0f})")
        repaints = page.evaluate(REPAINT)
        print(f"a category hidden or shown: median {statistics.median(repaints):.0f} ms, most {max(repaints):.0f} ms")
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {count} frames of 2048 x 1024")
        browser.close()


if __name__ == "__main__":
    main()
