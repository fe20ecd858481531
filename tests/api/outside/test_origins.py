"""Which web pages may use the server from a browser."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api import origins
from api.origins import WebSocketOrigins, check_origin
from api.request_ids import RequestIds
from api.settings import Settings

PAGE, OTHER = "https://page.example", "https://other.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, request-timeout-ms, x-request-id, frame-timestamp, traceparent",
}


def layers(**settings):
    told = Settings(**settings)
    return [Middleware(RequestIds), *origins.middleware(told), Middleware(WebSocketOrigins, settings=told)]


def test_no_page_is_let_in_unless_it_is_listed(serve):
    server = serve(*layers())
    answer = server.http.get("/items/a", headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert server.http.options("/echo", headers={"Origin": PAGE, **PREFLIGHT}).status_code == 405


@pytest.mark.parametrize(("listed", "told"), [((PAGE,), PAGE), (("*",), "*")])
@pytest.mark.parametrize(("path", "status"), [("/items/a", 200), ("/nowhere", 404), ("/mistake", 500)])
def test_a_listed_page_may_read_every_answer_and_its_headers(serve, listed, told, path, status):
    server = serve(*layers(cors_origins=listed))
    answer = server.http.get(path, headers={"Origin": PAGE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, told)
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Server-Timing", "Roadmask-Model", "Roadmask-Provider", "X-Request-ID", "Retry-After"} <= set(exposed)
    assert answer.headers["x-request-id"]


def test_a_page_that_is_not_listed_may_read_nothing(serve):
    server = serve(*layers(cors_origins=(PAGE,)))
    for origin in (OTHER, "null", f"{PAGE}.evil.example", PAGE.replace("https", "http")):
        answer = server.http.get("/items/a", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        refused = server.http.options("/echo", headers={"Origin": origin, **PREFLIGHT})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers


def test_a_listed_page_may_send_our_headers(serve):
    server = serve(*layers(cors_origins=(PAGE,)))
    answer = server.http.options("/echo", headers={"Origin": PAGE, **PREFLIGHT})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("sent", "listed", "is_let_in"),
    [
        ([], (), True),
        ([PAGE], (), False),
        ([PAGE], (PAGE,), True),
        ([OTHER], (PAGE,), False),
        (["null"], (PAGE,), False),
        ([PAGE, OTHER], (PAGE,), False),
        ([OTHER], ("*",), True),
    ],
)
def test_whether_a_websocket_may_be_opened(sent, listed, is_let_in):
    headers = Headers(raw=[(b"origin", origin.encode()) for origin in sent])
    assert check_origin(headers, Settings(websocket_origins=listed)) is is_let_in


def test_a_page_that_is_not_listed_is_refused_before_the_handshake(serve):
    server = serve(*layers(websocket_origins=(PAGE,)))
    with pytest.raises(InvalidStatus) as refused:
        connect(server.socket_url, origin=OTHER)
    assert refused.value.response.status_code == 403
    assert refused.value.response.headers["x-request-id"]
    for origin in (PAGE, None):
        with connect(server.socket_url, origin=origin) as stream:
            stream.send(b"frame")
            assert stream.recv() == b"frame"
