"""Who may come in."""

from __future__ import annotations

import hmac
import logging

import pytest
from starlette.middleware import Middleware
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api import keys, origins
from api.keys import KeyFile, Keys, KeysInvalid
from api.request_ids import RequestIds
from api.settings import Settings

FIRST, SECOND, THIRD = "first-key-0123456789", "c2Vjb25kLWtleQ+/~._==", "third-key-9876543210"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "CHECK_EVERY_S", 0.0)
    path = tmp_path / "keys"
    path.write_text(f"# the vehicle\n{FIRST}\n\n  {SECOND}  \n")
    return path


@pytest.fixture
def server(serve, file):
    settings = Settings(cors_origins=("https://page.example",))
    layers = [Middleware(RequestIds), *origins.middleware(settings), Middleware(Keys, keys=KeyFile(file))]
    return serve(*layers)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_each_key_of_the_file_opens_every_route(server, key):
    assert server.http.get("/items/a", headers=bearer(key)).text == "a"
    assert server.http.get("/items/a", headers={"Authorization": f"bearer   {key}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", FIRST)],
        [("Authorization", f"Basic {FIRST}")],
        [("Authorization", f"Bearer {FIRST[:-1]}")],
        [("Authorization", f"Bearer {FIRST}0")],
        [("Authorization", f"Bearer {THIRD}")],
        [("Authorization", "Bearer # the vehicle")],
        [("Authorization", b"Bearer \xff\xfe")],
        [("Authorization", f"Bearer {FIRST}"), ("Authorization", f"Bearer {FIRST}")],
    ],
)
@pytest.mark.parametrize(
    "path", ["/items/a", "/metrics", "/nowhere", "/v2/health", "/v2/health/live/", "//v2/health/live"]
)
def test_without_a_key_there_is_a_401(server, assert_problem, path, headers):
    answer = server.http.get(path, headers=headers)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert FIRST not in answer.text
    if path.startswith("/v2"):
        assert (answer.status_code, list(answer.json())) == (401, ["error"])
    else:
        assert_problem(answer, 401)


def test_health_needs_no_key(server):
    for path in ("/v2/health/started", "/v2/health/ready", "/v2/health/live"):
        assert server.http.get(path).status_code == 200


def test_a_websocket_needs_a_key_too(server):
    for headers in ({}, bearer(THIRD)):
        with pytest.raises(InvalidStatus) as refused:
            connect(server.socket_url, additional_headers=headers)
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["www-authenticate"] == "Bearer"
        assert refused.value.response.headers["content-type"] == "application/problem+json"
    with connect(server.socket_url, additional_headers=bearer(FIRST)) as stream:
        stream.send(b"frame")
        assert stream.recv() == b"frame"


def test_a_websocket_is_refused_with_403_where_uvicorn_has_nothing_better(file):
    sent = []

    async def record(message):
        sent.append(message)

    layer = Keys(None, KeyFile(file))
    with pytest.raises(StopIteration):
        layer({"type": "websocket", "path": "/stream", "headers": []}, None, record).send(None)
    assert sent == [{"type": "websocket.close"}]


def test_a_page_may_ask_before_it_sends_a_key_and_may_read_why_it_is_refused(server):
    origin = {"Origin": "https://page.example"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = server.http.options("/segment", headers={**origin, **asked})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "https://page.example")
    refused = server.http.get("/items/a", headers=origin)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://page.example")


def test_a_changed_file_changes_the_keys(server, file):
    replaced = file.with_name("new")
    replaced.write_text(f"{THIRD}\n")
    replaced.replace(file)
    assert server.http.get("/items/a", headers=bearer(THIRD)).status_code == 200
    assert server.http.get("/items/a", headers=bearer(FIRST)).status_code == 401


def test_a_file_that_broke_leaves_the_old_keys_and_is_told_once(server, file, caplog):
    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]

    ways = [lambda: file.write_text("# nothing\n"), lambda: file.write_text("short\n"), file.unlink]
    for number, break_it in enumerate(ways, 1):
        break_it()
        for _ in range(3):
            assert server.http.get("/items/a", headers=bearer(FIRST)).status_code == 200
            assert server.http.get("/items/a", headers=bearer(THIRD)).status_code == 401
        assert len(told()) == number
    file.write_text(THIRD)
    assert server.http.get("/items/a", headers=bearer(THIRD)).status_code == 200


def test_the_file_is_not_looked_at_for_every_request(tmp_path):
    path = tmp_path / "keys"
    path.write_text(FIRST)
    known = KeyFile(path)
    path.unlink()
    assert known.accepts(FIRST)
    assert not known.accepts(THIRD)


def test_every_key_is_compared_whichever_it_is(file, monkeypatch):
    lengths = []
    compare = hmac.compare_digest

    def record(one, other):
        lengths.append((len(one), len(other)))
        return compare(one, other)

    known = KeyFile(file)
    monkeypatch.setattr(keys.hmac, "compare_digest", record)
    for key in (FIRST, SECOND, "x", THIRD * 100):
        known.accepts(key)
    assert lengths == [(32, 32)] * 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no key"),
        (b"# only a remark\n", "no key"),
        (b"# \n\ntoo-short-secret\nsecret-short\n", "line 4"),
        (b"long enough but of words\n", "line 1"),
        ("schlüssel-schlüssel\n".encode(), "line 1"),
        (b"x" * (2**20 + 1), "1048576"),
    ],
)
def test_a_file_that_is_none_of_keys_is_an_error_at_the_start_that_shows_no_key(tmp_path, text, words):
    path = tmp_path / "keys"
    path.write_bytes(text)
    with pytest.raises(KeysInvalid, match=words) as error:
        KeyFile(path)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_an_error_at_the_start(tmp_path):
    with pytest.raises(KeysInvalid, match="No such file"):
        KeyFile(tmp_path / "none")
    with pytest.raises(KeysInvalid, match="directory"):
        KeyFile(tmp_path)
