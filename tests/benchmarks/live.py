"""`python tests/benchmarks/live.py`: masks a second on the live page, beside what `/stream` gives a bare client.

The page and the client take turns within one run, with the same frames: those that the page has sent are recorded, and
the client sends them again, straight to the API, with as many in flight. The API has the first core, one thread for
inference; the second has the page's server, the browser, and the client.

On a machine where others work the ratio is too low: the browser takes the second core from them, and they take the
first from the API. "busy" tells it apart: the share of the time that the API spent on inference, or waited for its core
in it. Where that is near 1 for the page, a faster page would show no more masks.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from playwright.sync_api import Browser, Page, WebSocket, sync_playwright
from processes import START_TIMEOUT_S, BenchmarkFailed, Listening, Process
from websockets.sync.client import connect

from runtime import scenes
from runtime.commands import Parser

EXAMPLE = """\
example:
  python tests/benchmarks/live.py --rounds 5 --seconds 10

It needs the extras `cpu`, `api`, `gui` and `dev`, Debian's Chromium, two idle cores, and 2 minutes.
"""

ASKED = 0.8
"""Of the bare client's rate."""

IN_FLIGHT = 2
"""As gui/assets/live/stream.js."""

WIDTH, HEIGHT, RATE, PICTURES = 1024, 512, 30, 90
"""Of the video; what the page sends where nobody chose another width."""

FRAMES = 60
"""That are recorded and sent again, over and over."""

WARM_UP_S = 3.0

_API = ["-m", "api", "--port", "0"]

COUNT = """() => {
    const { session } = getElement(document.querySelector(".rm-live").id.slice(1));
    const { onShown } = session.callbacks;
    window.shown = 0;
    session.callbacks.onShown = () => { window.shown++; onShown(); };
}"""


def parser() -> Parser:
    """The command line."""
    command = Parser("live.py", "Measures the live page beside a bare client of the stream.", EXAMPLE)
    command.add_argument("--rounds", type=int, default=5, help="of each; default 5")
    command.add_argument("--seconds", type=float, default=10.0, help="of a round; default 10")
    return command


def write_video(path: Path) -> None:
    """A generated street that moves past, as WebM with VP8."""
    with tempfile.TemporaryDirectory() as folder:
        scenes.write(Path(folder), 1, seed=7, width=2 * WIDTH, height=2 * HEIGHT)
        street = cv2.imread(str(next(Path(folder).rglob("*_leftImg8bit.png"))))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), RATE, (WIDTH, HEIGHT))
    for number in range(PICTURES):
        x, y = 8 * number, 2 * number
        writer.write(np.ascontiguousarray(street[y : y + HEIGHT, x : x + WIDTH]))
    writer.release()


@contextmanager
def page_of(browser: Browser, site: str, video: Path) -> Iterator[tuple[Page, list[bytes]]]:
    """The live page at work on the video, and the frames that it has sent."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    sent: list[bytes] = []

    def opened(socket: WebSocket) -> None:
        if "/live/stream" in socket.url:
            socket.on("framesent", lambda data: sent.append(data) if len(sent) < FRAMES else None)

    page.on("websocket", opened)
    page.goto(f"{site}/live")
    page.locator("input[type=file]").set_input_files(video)
    page.locator("canvas.rm-live-mask").wait_for()
    page.evaluate(COUNT)
    yield page, sent
    page.close()


@dataclass(frozen=True)
class Rate:
    """Of one round of one of the two."""

    masks: float
    """A second."""
    busy: float
    """Share of the time that the API was at inference."""


class Watch:
    """Time, and the API's time at inference, since it was made."""

    def __init__(self, api: str) -> None:
        self._api, self._infer_s, self._began = api, self._inferring(api), time.perf_counter()

    @staticmethod
    def _inferring(api: str) -> float:
        found = re.search(r'roadmask_stage_seconds_sum{stage="infer"} (\S+)', httpx.get(f"{api}/metrics").text)
        if found is None:
            raise BenchmarkFailed("the API's /metrics tell nothing of inference")
        return float(found[1])

    def rate(self, masks: int) -> Rate:
        """What it comes to."""
        seconds = time.perf_counter() - self._began
        return Rate(masks / seconds, (self._inferring(self._api) - self._infer_s) / seconds)


def of_page(page: Page, api: str, seconds: float) -> Rate:
    """Masks that the page draws, after a warm-up; it is paused before and after."""
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(1000 * WARM_UP_S)
    watch, before = Watch(api), page.evaluate("() => window.shown")
    page.wait_for_timeout(1000 * seconds)
    rate = watch.rate(page.evaluate("() => window.shown") - before)
    page.get_by_role("button", name="Pause").click()
    return rate


def of_client(api: str, frames: list[bytes], seconds: float) -> Rate:
    """Masks that a client gets which does nothing else."""
    with connect(f"{api.replace('http', 'ws', 1)}/stream", compression=None, max_size=None) as stream:
        numbers = count()

        def send() -> None:
            stream.send(frames[next(numbers) % len(frames)])

        def receive_for(time_s: float) -> int:
            masks, end = 0, time.perf_counter() + time_s
            while time.perf_counter() < end:
                told: Any = stream.recv(timeout=60)
                if '"timings_ms"' not in told:
                    raise BenchmarkFailed(f"the API refused a frame: {told}")
                stream.recv(timeout=60)
                masks += 1
                send()
            return masks

        for _ in range(IN_FLIGHT):
            send()
        receive_for(WARM_UP_S)
        watch = Watch(api)
        return watch.rate(receive_for(seconds))


def measure(api: str, site: str, rounds: int, seconds: float) -> list[tuple[Rate, Rate]]:
    """Page and client, by round, in turns."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise BenchmarkFailed("no browser: apt-get install chromium")
    found = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "street.webm"
        write_video(video)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with page_of(browser, site, video) as (page, frames):
            while len(frames) < FRAMES:
                page.wait_for_timeout(100)
            page.get_by_role("button", name="Pause").click()
            for number in range(rounds):
                first = of_page(page, api, seconds) if number % 2 == 0 else None
                client = of_client(api, frames, seconds)
                found.append((first or of_page(page, api, seconds), client))
                tell(f"round {number + 1}", *found[-1])
        browser.close()
    return found


def tell(title: str, page: Rate, client: Rate) -> None:
    """One line."""
    both = f"page {page.masks:.1f}/s, busy {page.busy:.2f}; client {client.masks:.1f}/s, busy {client.busy:.2f}"
    print(f"{title}: {both}; ratio {page.masks / client.masks:.2f}", flush=True)


def wait_for(site: str) -> None:
    """Until the page's server, which names its address before it listens, answers."""
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up:
        try:
            if httpx.get(site).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise BenchmarkFailed("the page's server did not come up")


def main(argv: list[str] | None = None) -> int:
    """Print the ratio; the exit status tells whether it could be measured."""
    arguments = parser().parse_args(argv)
    there = sorted(os.sched_getaffinity(0))
    first, second = there[:1], there[1:2] or there[:1]
    try:
        with tempfile.TemporaryDirectory() as folder, Listening(_API, first, Path(folder) / "api") as api:
            page = ["-m", "gui", "--port", "0", "--api", api.url]
            with Process(page, second, Path(folder) / "gui") as gui:
                site = re.search(r"http://[\w.]+:\d+", gui.read_line(START_TIMEOUT_S))
                assert site is not None
                wait_for(site[0])
                os.sched_setaffinity(0, second)  # the browser inherits it
                found = measure(api.url, site[0], arguments.rounds, arguments.seconds)
    except BenchmarkFailed as error:
        print(f"live.py: {error}", file=sys.stderr)
        return 1
    ratios = [page.masks / client.masks for page, client in found]
    columns = zip(*((page.masks, page.busy, client.masks, client.busy) for page, client in found), strict=True)
    page_masks, page_busy, masks, busy = map(statistics.median, columns)
    print(f"{len(there)} cores, load {os.getloadavg()[0]:.1f}, {len(found)} rounds of {arguments.seconds:g} s")
    tell("medians", Rate(page_masks, page_busy), Rate(masks, busy))
    print(f"ratio {statistics.median(ratios):.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f}), asked {ASKED}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
