"""What the operations page reads out of /metrics, when it does, and what a visitor sees of it."""

from __future__ import annotations

import asyncio
import io
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gui import sampler
from gui.client import ApiError, Client
from gui.exposition import Scrape, grown, parse, quantile
from gui.operations_charts import ago, read, routes
from gui.sampler import Point, Rates, Sampler, rates
from gui.settings import Settings
from gui.texts.operations import ENGLISH, FRENCH
from gui.texts.shell import ENGLISH as COMMON

PROCESS = "process_start_time_seconds {process}\n"


def exposed(frames: float = 0, process: int = 1, **pixels: float) -> str:
    lines = [f'roadmask_frames_total{{model="a",provider="cpu"}} {frames}\n', PROCESS.format(process=process)]
    lines += [f'roadmask_pixels_total{{model="a",category="{name}"}} {count}\n' for name, count in pixels.items()]
    return "".join(lines)


def test_a_scrape_is_read_by_label_without_the_watchers():
    registry = CollectorRegistry()
    requests = Counter("roadmask_requests", "", ["route", "method", "status"], registry=registry)
    seconds = Histogram("roadmask_request_seconds", "", ["route"], registry=registry, buckets=(0.1, 1.0))
    for route, status in (("/segment", "200"), ("/segment", "503"), ("/v2/models/{model}/infer", "200")):
        requests.labels(route, "POST", status).inc(3)
    requests.labels("/metrics", "GET", "200").inc(100)
    for value in (0.05, 0.5, 5.0):
        seconds.labels("/segment").observe(value)
    seconds.labels("/v2/health/live").observe(0.01)
    Counter("roadmask_expired", "", registry=registry).inc(2)
    Counter("roadmask_rejected", "", ["reason"], registry=registry).labels('quo"ted\\').inc(4)
    scrape = parse(generate_latest(registry).decode())
    assert scrape.requests == {"/segment": 6, "/v2/models/{model}/infer": 3}
    assert scrape.request_seconds == {"/segment": {0.1: 1, 1.0: 2, math.inf: 3}}
    assert scrape.refused == {'quo"ted\\': 4, "expired": 2}


@pytest.mark.parametrize("text", ["<html>a proxy</html>", "name{", 'name{a="b"} x'])
def test_what_is_no_exposition_is_refused(text: str):
    with pytest.raises(ValueError, match="Prometheus"):
        parse(text)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 0.0), (0.25, 0.05), (0.5, 0.1), (0.625, 0.55), (0.75, 1.0), (0.9, 1.0), (1.0, 1.0)]
)
def test_quantiles_are_those_of_prometheus(share: float, expected: float):
    # 2 of 4 up to 0.1, 1 of 4 up to 1, 1 beyond: histogram_quantile() gives the last finite bound for that one.
    assert quantile({0.1: 2, 1.0: 3, math.inf: 4}, share) == pytest.approx(expected)


def test_nothing_observed_has_no_quantile():
    assert quantile({0.1: 0, math.inf: 0}, 0.5) is None
    assert quantile({}, 0.5) is None


def test_a_counter_that_is_new_began_at_0():
    assert grown({"a": 2.0}, {"a": 5.0, "b": 1.0}) == {"a": 3.0, "b": 1.0}


def test_rates_and_shares_are_those_of_the_time_between():
    before, now = (
        parse(exposed(frames=10, sky=100, flat=100)),
        parse(exposed(frames=40, sky=200, flat=400, human=0)),
    )
    went_on = rates(before, now, 15)
    assert went_on.frames == 2.0
    assert went_on.shares == {"sky": 0.25, "flat": 0.75, "human": 0.0}
    assert rates(now, now, 15).shares == {}


class Answers(Client):
    """An API whose metrics are given; None where it is away."""

    def __init__(self, texts: list[str | None]) -> None:
        super().__init__(Settings())
        self.texts, self.asked = texts, 0

    async def metrics(self) -> str:
        self.asked += 1
        text = self.texts[min(self.asked, len(self.texts)) - 1]
        if text is None:
            raise ApiError("unreachable")
        return text

    async def request(self, method: str, path: str, **asked: Any) -> httpx.Response:
        return httpx.Response(200)


def sampled(texts: list[str | None], count: int, viewers: int = 1) -> tuple[Sampler, Answers]:
    """The sampler once it has so many points."""
    client = Answers(texts)
    made = Sampler(client, step_s=0.05)

    async def run() -> None:
        seen = [asyncio.Event() for _ in range(viewers)]

        def look(event: asyncio.Event) -> Callable[[], None]:
            return lambda: event.set() if len(made.points) >= count else None

        looks = [look(event) for event in seen]
        for one in looks:
            made.watch(one)
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in seen)), 20)
        for one in looks:
            made.leave(one)
        asked = client.asked
        await asyncio.sleep(0.05)
        assert client.asked == asked, "it goes on though nobody looks"

    # On a thread of its own: this one has Playwright's event loop once a browser was asked for.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(run())).result()
    return made, client


def test_the_api_is_read_once_for_all_visitors_and_only_while_somebody_looks():
    made, client = sampled([exposed()], 5, viewers=7)
    assert client.asked == len([point for point in made.points if point is not None]) < 15


def test_a_gap_stays_a_gap_and_the_next_rates_begin_after_it():
    made, _ = sampled([exposed(10), exposed(20), None, exposed(40), exposed(50)], 5)
    points = [point for point in made.points if point is not None][:5]
    frames = [point.rates and round(point.rates.frames * 0.05) for point in points]
    assert frames == [None, 10, None, None, 10]
    assert points[2].error is not None
    assert read(points, lambda point: point.rates.frames if point.rates else None)[-3:-1] == [None, None]


def test_a_restarted_api_or_another_replica_makes_no_negative_rate():
    made, _ = sampled([exposed(1000), exposed(1010), exposed(5, process=2), exposed(8, process=2)], 4)
    points = [point for point in made.points if point is not None][:4]
    assert [point.rates and round(point.rates.frames * 0.05) for point in points] == [None, 10, None, 3]


def test_metrics_that_are_none_are_an_error_of_the_api():
    made, _ = sampled(["<html>a proxy</html>"], 1)
    point = made.points[0]
    assert point is not None
    assert point.error is not None
    assert "can't be read" in point.error.said


def test_the_oldest_points_go_first():
    assert Sampler(Answers([])).points.maxlen == sampler.KEPT == 15 * 60 / sampler.STEP_S


def point_of(**requests: float) -> Point:
    return Point(True, True, Scrape(), rates=Rates(requests, 0.0, {}, {}, {}, {}, None))


def test_routes_come_busiest_first_and_only_those_that_were_asked():
    assert routes([point_of(a=1.0, b=3.0, c=0.0), None, point_of(a=1.0, b=0.0)]) == ["b", "a"]


def test_times_are_told_as_how_long_ago():
    assert [ago(index, 36) for index in (35, 34, 23, 0)] == ["0", "-0:05", "-1:00", "-2:55"]


# In the browser.


def post(api: str, pixels: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    answer = httpx.post(f"{api}/segment", content=buffer.getvalue(), headers={"Content-Type": "image/png"})
    assert answer.status_code == 200


def now(page: Page, name: str) -> Locator:
    box = page.locator(".rm-ops-now > div").filter(has=page.get_by_text(name, exact=True))
    return box.locator("dd")


def chart(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def plot(page: Page, title: str) -> Locator:
    return chart(page, title).get_by_role("img")


@pytest.fixture
def fresh(launch: Callable[..., str], toy_folder: Path) -> tuple[str, str]:
    """An API that nobody asked anything yet, and the page in front of it."""
    api = launch("api", "--models", str(toy_folder))
    return api, launch("gui", "--api", api)


def test_what_the_api_does_is_seen_within_seconds(
    visit: Callable[..., Page], fresh: tuple[str, str], noise: Callable[..., np.ndarray]
):
    api, site = fresh
    page = visit("/operations", site)
    expect(page.get_by_role("status")).to_contain_text(ENGLISH.ready)
    expect(now(page, ENGLISH.now_health)).to_have_text(ENGLISH.healths[2])
    for title, sentence in ((ENGLISH.throughput, ENGLISH.no_request), (ENGLISH.stages, ENGLISH.no_frame)):
        expect(chart(page, title).get_by_text(sentence)).to_be_visible()
    expect(now(page, ENGLISH.now_memory)).to_have_text(re.compile(r"^\d+ MiB$"))
    for seed in range(6):
        post(api, noise(seed=seed))
    expect(plot(page, ENGLISH.throughput)).to_have_accessible_name(re.compile(r"/segment 0\.\d+ /s"), timeout=20_000)
    expect(chart(page, ENGLISH.throughput).get_by_text(ENGLISH.no_request)).to_be_hidden()
    expect(plot(page, ENGLISH.latency)).to_have_accessible_name(re.compile(r"median [\d.]+ ms, p90 [\d.]+ ms"))
    expect(plot(page, ENGLISH.shares)).to_have_accessible_name(re.compile(r"construction 3\d(\.\d)? %"))
    expect(plot(page, ENGLISH.stages)).to_have_accessible_name(re.compile(r"Inference [\d.]+ ms"))
    expect(now(page, ENGLISH.now_requests)).to_have_text(re.compile(r"^0\.\d+$"))
    expect(chart(page, ENGLISH.refusals).get_by_text(ENGLISH.no_refusal)).to_be_visible()


def test_the_quantile_of_the_stages_is_chosen(visit: Callable[..., Page], api: str, noise: Callable[..., np.ndarray]):
    page = visit("/operations", locale="fr-FR")
    expect(page.get_by_role("status")).to_contain_text(FRENCH.ready)
    post(api, noise())
    named = re.compile(r"Inférence ([\d,]+) ms")
    expect(plot(page, FRENCH.stages)).to_have_accessible_name(named, timeout=20_000)
    before = plot(page, FRENCH.stages).get_attribute("aria-label")
    page.get_by_label(FRENCH.quantile).click()
    page.get_by_role("option", name="p99").click()
    expect(plot(page, FRENCH.stages)).not_to_have_accessible_name(before or "")


def test_an_api_that_is_away_is_told_and_its_return_seen(visit: Callable[..., Page], lonely: SimpleNamespace):
    page = visit("/operations", lonely.site)
    status = page.get_by_role("status")
    away = COMMON.unreachable.format(api=lonely.api)
    expect(status).to_contain_text(away)
    expect(status).to_contain_text(COMMON.retrying)
    expect(now(page, ENGLISH.now_health)).to_have_text(ENGLISH.healths[0])
    with lonely.running():
        expect(status).to_contain_text(ENGLISH.ready, timeout=20_000)
    expect(status).to_contain_text(away, timeout=20_000)


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_charts_fit_the_screen_in_the_themes_text_colour(visit: Callable[..., Page], scheme: str, width: int):
    page = visit("/operations", viewport={"width": width, "height": 800}, color_scheme=scheme)
    expect(now(page, ENGLISH.now_memory)).to_have_text(re.compile(r"MiB$"))
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    boxes = [chart(page, title).bounding_box() for title in (ENGLISH.throughput, ENGLISH.latency)]
    assert all(box is not None and box["width"] > 300 for box in boxes)
    color = plot(page, ENGLISH.memory).evaluate(
        "element => getElement(element.id.slice(1)).chart.getOption().xAxis[0].axisLabel.color"
    )
    assert color == page.evaluate("() => getComputedStyle(document.body).color")
    assert sum(map(int, re.findall(r"\d+", color)[:3])) in ({0} if scheme == "light" else {765})
