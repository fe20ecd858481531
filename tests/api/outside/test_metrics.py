"""What Prometheus is told."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.middleware import Middleware
from websockets.sync.client import connect

from api import metrics as module
from api.metrics import Metrics
from api.request_ids import RequestIds
from runtime.quality import Quality

TIMINGS = SimpleNamespace(decode=10.0, queue=0.5, infer=40.0, encode=5.0)
PIXELS = np.array([0, 400, 300, 0, 200, 100, 0, 0], np.int64)


def samples(figures: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample: name and label values, in the order of the labels' names, to the value."""
    text = figures.exposition("")[0].decode()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def test_a_frame_counts_once_its_stages_in_seconds_and_its_pixels_by_category(figures):
    figures.frame("accurate-int8", "cpu", TIMINGS, PIXELS)
    figures.frame("accurate-int8", "cpu", TIMINGS, PIXELS)
    seen = samples(figures)
    assert seen["roadmask_frames_total", "accurate-int8", "cpu"] == 2
    assert seen["roadmask_stage_seconds_sum", "infer"] == pytest.approx(0.08)
    assert seen["roadmask_stage_seconds_count", "queue"] == 2
    assert seen["roadmask_stage_seconds_bucket", "0.05", "infer"] == 2
    assert seen["roadmask_stage_seconds_bucket", "0.03", "infer"] == 0
    shares = {key[1]: value for key, value in seen.items() if key[0] == "roadmask_pixels_total"}
    assert shares["flat"] == 800
    assert shares["void"] == 0
    assert len(shares) == 8


def test_what_is_refused_and_given_up_counts_and_is_there_at_0_from_the_start(figures):
    fresh = samples(figures)
    for name in ("expired", "abandoned", "stream_frames", "stream_passed_over"):
        assert fresh[(f"roadmask_{name}_total",)] == 0
    for reason in ("full", "stopping", "not_ready", "body"):
        assert fresh["roadmask_rejected_total", reason] == 0
    figures.rejected("full")
    figures.expired()
    figures.abandoned()
    figures.stream(passed_over=2)
    figures.load("failed")
    seen = samples(figures)
    assert seen["roadmask_rejected_total", "full"] == 1
    assert seen[("roadmask_expired_total",)] == 1
    assert seen[("roadmask_abandoned_total",)] == 1
    assert seen[("roadmask_stream_frames_total",)] == 3
    assert seen[("roadmask_stream_passed_over_total",)] == 2
    assert seen["roadmask_model_loads_total", "failed"] == 1
    with pytest.raises(KeyError):
        figures.rejected("anything else")


def test_the_queue_is_asked_at_each_scrape_and_the_process_is_there(figures):
    seen = samples(figures)
    assert seen[("roadmask_queue_depth",)] == 3
    assert seen[("process_resident_memory_bytes",)] > 1e6
    assert seen[("process_open_fds",)] > 0
    assert seen[("process_cpu_seconds_total",)] > 0


def test_two_applications_share_nothing_and_the_global_registry_has_none_of_it(figures):
    other = Metrics(lambda: 0, lambda: 4)
    figures.expired()
    assert samples(other)[("roadmask_expired_total",)] == 0
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("roadmask")]


QUALITY_ALONE = {"roadmask_frame_quality", "roadmask_mean_confidence"}


def test_quality_counts_by_flag_and_the_confidence_where_the_server_runs_with_it(figures):
    told = Metrics(lambda: 0, lambda: 4, confidence=True)
    fresh = samples(told)
    assert fresh["roadmask_frame_quality_total", "good"] == fresh["roadmask_frame_quality_total", "too dark"] == 0
    for flags, sure in (((), 0.93), (("too dark", "blurred"), 0.5), ((), 0.91)):
        told.frame("accurate-int8", "cpu", TIMINGS, PIXELS, Quality(flags, 90.0, 0.3, sure))
    told.frame("accurate-int8", "cpu", TIMINGS, PIXELS)
    seen = samples(told)
    flagged = {key[1]: value for key, value in seen.items() if key[0] == "roadmask_frame_quality_total"}
    assert flagged == {"good": 2, "too dark": 1, "too bright": 0, "blurred": 1, "unlike the training data": 0}
    assert seen[("roadmask_mean_confidence_count",)] == 3
    assert seen[("roadmask_mean_confidence_sum",)] == pytest.approx(2.34)
    assert seen["roadmask_mean_confidence_bucket", "0.5"] == 1
    assert not [key for key in samples(figures) if key[0].startswith(tuple(QUALITY_ALONE))]


@pytest.mark.parametrize("confidence", [False, True])
def test_the_table_of_the_module_names_what_is_exposed_and_nothing_else(confidence):
    figures = Metrics(lambda: 3, lambda: 4, confidence=confidence)
    rows = [line.split("|") for line in module.__doc__.splitlines() if line.startswith("| roadmask_")]
    written = {row[1].strip().removesuffix("_total"): row[2].strip() for row in rows}
    text = figures.exposition("")[0].decode()
    exposed = {family.name: family.type for family in parse_text(text) if family.name.startswith("roadmask_")}
    assert exposed == {name: kind for name, kind in written.items() if confidence or name not in QUALITY_ALONE}
    assert "_created" not in text


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text; version=1.0.0", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", True),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.8", False),
        ("application/openmetrics-text; version=junk", True),
        ("application/openmetrics-text; q=junk", False),
    ],
)
def test_the_format_is_negotiated(serve, figures, accept, is_openmetrics):
    server = serve(Middleware(RequestIds, metrics=figures))
    figures.frame("accurate-int8", "cpu", TIMINGS, PIXELS)
    answer = server.http.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    kind = "application/openmetrics-text; version=1.0.0" if is_openmetrics else "text/plain; version=0.0.4"
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    families = {family.name: family for family in (parse_openmetrics if is_openmetrics else parse_text)(answer.text)}
    assert [sample.value for sample in families["roadmask_frames"].samples] == [1]


def test_requests_count_by_template_method_and_status(serve, figures):
    server = serve(Middleware(RequestIds, metrics=figures))
    for name in ("a", "b", "c"):
        server.http.get(f"/items/{name}")
    server.http.post("/items/a")
    server.http.get("/mistake")
    with connect(server.socket_url) as stream:
        stream.send(b"1")
        stream.recv()
        seen = samples(figures)  # a handshake counts while its stream goes on
    assert seen["roadmask_requests_total", "GET", "/items/{name}", "200"] == 3
    assert seen["roadmask_requests_total", "POST", "/items/{name}", "405"] == 1
    assert seen["roadmask_requests_total", "GET", "/mistake", "500"] == 1
    assert seen["roadmask_requests_total", "GET", "/stream", "101"] == 1
    assert seen["roadmask_request_seconds_count", "/items/{name}"] == 4
    assert 0 < seen["roadmask_request_seconds_sum", "/items/{name}"] < 20


def test_strangers_can_not_make_up_labels(serve, figures):
    server = serve(Middleware(RequestIds, metrics=figures))
    for path in ("/a", "/b/c", "/items", "/%00", "/v2/models/x"):
        server.http.get(path)
    server.http.request("PROPFIND", "/d")
    told = {key[1:] for key in samples(figures) if key[0] == "roadmask_requests_total"}
    assert told == {("GET", "unknown", "404"), ("OTHER", "unknown", "404")}


def test_a_client_that_left_counts_as_499(serve, figures, eventually):
    server = serve(Middleware(RequestIds, metrics=figures))
    with server.connect() as line:
        line.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    eventually(lambda: ("roadmask_requests_total", "POST", "/echo", "499") in samples(figures))
    assert ("roadmask_requests_total", "POST", "/echo", "400") not in samples(figures)
