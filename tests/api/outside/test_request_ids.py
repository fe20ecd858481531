"""What ties an answer to its request, whatever became of it."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.middleware import Middleware
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from api.request_ids import RequestIds

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def server(serve):
    return serve(Middleware(RequestIds))


@pytest.mark.parametrize("path", ["/items/a", "/nowhere", "/mistake"])
def test_the_id_comes_back_with_every_answer(server, path):
    assert server.http.get(path, headers={"X-Request-ID": "frame-17"}).headers["x-request-id"] == "frame-17"


@pytest.mark.parametrize("sent", ["", "two words", "a" * 129, "line\tbreak", "é"])
def test_an_id_that_is_none_is_replaced(server, sent):
    answer = server.http.get("/items/a", headers=[(b"X-Request-ID", sent.encode())])
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_mistake_is_a_500_problem_with_the_id_and_no_detail(server, caplog, eventually):
    answer = server.http.get("/mistake", headers={"X-Request-ID": "frame-17"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "the test's own" not in answer.text
    records = eventually(lambda: [record for record in caplog.records if record.exc_info])
    assert [str(record.exc_info[1]) for record in records] == ["the test's own"]


def test_an_answer_that_breaks_off_is_seen_as_broken(server):
    with pytest.raises(httpx.RemoteProtocolError):
        server.http.get("/half")
    assert server.http.get("/items/a").status_code == 200


@pytest.mark.parametrize("path", ["/items/a", "/nowhere", "/mistake"])
def test_a_valid_traceparent_comes_back(server, path):
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
    answer = server.http.get(path, headers=headers)
    assert answer.headers["traceparent"] == TRACEPARENT
    assert answer.headers["tracestate"] == "vendor=1"


def test_no_trace_is_made_up_where_none_came_or_the_one_that_came_is_broken(server):
    twice = [("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)]
    for headers in ({}, {"traceparent": TRACEPARENT.upper()}, {"tracestate": "vendor=1"}, twice):
        answer = server.http.get("/items/a", headers=headers)
        assert answer.status_code == 200
        assert "traceparent" not in answer.headers
        assert "tracestate" not in answer.headers


def test_a_frame_timestamp_comes_back_as_it_came(server):
    answer = server.http.get("/mistake", headers={"Frame-Timestamp": "2026-01-01T00:00:00.5Z; camera 2"})
    assert answer.headers["frame-timestamp"] == "2026-01-01T00:00:00.5Z; camera 2"


def test_a_websocket_handshake_has_the_id_and_the_trace(server):
    headers = {"X-Request-ID": "drive-4", "traceparent": TRACEPARENT}
    with connect(server.socket_url, additional_headers=headers) as stream:
        assert stream.response.headers["x-request-id"] == "drive-4"
        assert stream.response.headers["traceparent"] == TRACEPARENT
        stream.send(b"frame")
        assert stream.recv() == b"frame"


def test_a_mistake_before_the_handshake_is_a_500_with_the_id(server):
    with pytest.raises(InvalidStatus) as refused:
        connect(server.socket_url.replace("stream", "unaccepted"), additional_headers={"X-Request-ID": "drive-4"})
    assert refused.value.response.status_code == 500
    assert refused.value.response.headers["x-request-id"] == "drive-4"


def test_a_mistake_in_a_stream_closes_it_as_the_servers_error(server, caplog, eventually):
    with connect(server.socket_url) as stream:
        stream.send(b"mistake")
        with pytest.raises(ConnectionClosedError) as closed:
            stream.recv(timeout=10)
    assert closed.value.rcvd.code == 1011
    eventually(lambda: "in a stream" in caplog.text)
