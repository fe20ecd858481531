"""Traces: the trace that comes in a header, and the spans that an OTLP collector receives."""

from __future__ import annotations

import http.server
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from api import traces
from api.request_ids import RequestIds
from api.trace_context import TraceContext
from api.traces import Traces, TracesUnavailable

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE_ID}-{PARENT_ID}",
        f"00-{TRACE_ID}-{PARENT_ID}-01-more",
        f"00-{TRACE_ID}-{PARENT_ID}-1",
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{PARENT_ID}-01",
        f"00-{TRACE_ID[1:]}-{PARENT_ID}-01",
        f"cc-{TRACE_ID}-{PARENT_ID}-01x",
        f" 00-{TRACE_ID}-{PARENT_ID}-01\n",
    ],
)
def test_a_broken_traceparent_is_none(text):
    assert TraceContext.parse(text) is None


@pytest.mark.parametrize(
    ("text", "flags"),
    [("00-{}-01", 1), ("00-{}-00", 0), ("cc-{}-01", 1), ("cc-{}-01-more", 1), ("00-{}-ff", 3)],
)
def test_a_traceparent_is_handed_on_in_version_00(text, flags):
    context = TraceContext.parse(text.format(f"{TRACE_ID}-{PARENT_ID}"), "vendor=1")
    assert context == TraceContext(TRACE_ID, PARENT_ID, flags, "vendor=1")
    assert context.headers() == [
        (b"traceparent", f"00-{TRACE_ID}-{PARENT_ID}-0{flags}".encode()),
        (b"tracestate", b"vendor=1"),
    ]


@pytest.mark.parametrize("state", ["", "é", "a" * 513])
def test_a_tracestate_that_is_none_is_dropped(state):
    assert TraceContext.parse(f"00-{TRACE_ID}-{PARENT_ID}-01", state).state == ""


class Collector(http.server.ThreadingHTTPServer):
    """Decodes what an exporter sends; answers nothing while `answers` is cleared."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.paths: set[str] = set()
        self.answers = threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Receiver(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
        )

        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.answers.wait(20)
        self.server.paths.add(self.path)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
            self.server.services.update(names)
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as started:
        thread = threading.Thread(target=started.serve_forever)
        thread.start()
        yield started
        started.answers.set()
        started.shutdown()
        thread.join(20)


async def _staged(_request: Any) -> Response:
    now = time.monotonic()
    traces.stages([("decode", now - 0.3, now - 0.2), ("queue", now - 0.2, now - 0.15), ("infer", now - 0.15, now)])
    return Response(status_code=202)


ROUTES = [Route("/staged/{name}", _staged)]


def test_a_collector_receives_the_request_and_its_stages_under_the_callers_span(serve, collector):
    spans = Traces(f"{collector.url}/")
    server = serve(Middleware(RequestIds, traces=spans), routes=ROUTES)
    began = time.time_ns()
    headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "tracestate": "vendor=1"}
    answer = server.http.get("/staged/a", headers=headers)
    assert server.http.get("/v2/health/live").status_code == 200
    spans.close()

    by_name = {span.name: span for span in collector.spans}
    assert sorted(by_name) == ["GET /staged/{name}", "decode", "infer", "queue"]
    assert (collector.paths, collector.services) == ({"/v1/traces"}, {"roadmask"})
    request = by_name["GET /staged/{name}"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert request.kind == request.SPAN_KIND_SERVER
    told = {pair.key: pair.value for pair in request.attributes}
    assert told["http.request.method"].string_value == "GET"
    assert told["http.route"].string_value == "/staged/{name}"
    assert told["http.response.status_code"].int_value == 202
    assert answer.headers["traceparent"] == f"00-{TRACE_ID}-{request.span_id.hex()}-01"
    assert answer.headers["tracestate"] == "vendor=1"
    for name, seconds in (("decode", 0.1), ("queue", 0.05), ("infer", 0.15)):
        stage = by_name[name]
        assert (stage.trace_id, stage.parent_span_id) == (request.trace_id, request.span_id)
        assert stage.end_time_unix_nano - stage.start_time_unix_nano == pytest.approx(seconds * 1e9, abs=1e3)
    assert by_name["decode"].end_time_unix_nano == pytest.approx(by_name["queue"].start_time_unix_nano, abs=1e3)
    assert began < by_name["infer"].end_time_unix_nano <= request.end_time_unix_nano < time.time_ns()


def test_a_request_of_no_trace_begins_one_and_a_mistake_is_an_error(serve, collector):
    spans = Traces(collector.url)
    server = serve(Middleware(RequestIds, traces=spans))
    answer = server.http.get("/mistake")
    spans.close()
    (span,) = collector.spans
    assert span.parent_span_id == b""
    version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    assert (version, trace_id, span_id) == ("00", span.trace_id.hex(), span.span_id.hex())
    assert int(flags) & 1
    assert span.status.code == span.status.STATUS_CODE_ERROR


def test_a_trace_that_its_caller_does_not_record_is_not_recorded_here(serve, collector):
    spans = Traces(collector.url)
    server = serve(Middleware(RequestIds, traces=spans), routes=ROUTES)
    answer = server.http.get("/staged/a", headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-00"})
    server.http.get("/nowhere")
    spans.close()
    assert answer.headers["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert answer.headers["traceparent"].endswith("-00")
    assert [span.name for span in collector.spans] == ["GET"]


def test_a_collector_that_hangs_does_not_hold_up_the_end(serve, collector):
    spans = Traces(collector.url)
    server = serve(Middleware(RequestIds, traces=spans))
    collector.answers.clear()
    server.http.get("/items/a")
    began = time.monotonic()
    spans.close(0.2)
    assert time.monotonic() - began < 5
    assert collector.spans == []


def test_an_endpoint_without_the_package_is_one_clear_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracesUnavailable, match=r"pip install 'roadmask\[traces\]'"):
        Traces("http://127.0.0.1:4318")


def test_stages_are_nobodys_business_where_traces_are_off():
    traces.stages([("decode", 0.0, 1.0)])
