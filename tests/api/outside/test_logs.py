"""Logs, seen from outside: what a process writes to standard error, and one line for each request."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.middleware import Middleware
from websockets.sync.client import connect

from api.logs import JsonLines
from api.request_ids import RequestIds

ROOT = Path(__file__).parents[3]

SERVER = """
import logging, socket, sys, threading, warnings
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from api import logs
from api.request_ids import RequestIds

logs.configure(sys.argv[1])

async def work(request):
    logging.getLogger("runtime.test").info("at work")
    warnings.warn("this is odd")
    logging.getLogger("somebody.else").info("chatter")
    return Response(await request.body(), headers={"Roadmask-Model": "accurate-int8"})

async def mistake(request):
    raise ZeroDivisionError("first line\\nsecond line")

async def stream(websocket):
    await websocket.accept()
    async for data in websocket.iter_bytes():
        await websocket.send_bytes(data)

routes = [Route("/work", work, methods=["POST"]), Route("/mistake", mistake), WebSocketRoute("/stream", stream),
          Route("/v2/health/live", lambda request: Response())]
app = Starlette(routes=routes, middleware=[Middleware(RequestIds)])
server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level=None, access_log=False))
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), setattr(server, "should_exit", True)), daemon=True).start()
    server.run(sockets=[listening])
"""


def lines_of(level: str, ask: Callable[[int], object]) -> list[dict]:
    """Every line that a server process writes to standard error while it is asked; each has to be JSON."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, level],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ask(int(process.stdout.readline()))
        _, errors = process.communicate("", timeout=20)
        return [json.loads(line) for line in errors.splitlines()]
    finally:
        process.kill()
        process.communicate()


def ask_everything(port: int) -> None:
    headers = {"X-Request-ID": "frame-17", "Authorization": "Bearer not-to-be-logged-ever"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10) as client:
        client.post("/work?key=not-to-be-logged-ever", content=b"12345")
        client.get("/mistake")
        client.get("/no%0aw%1b[31mhere%e2%80%a8")
        client.get("/v2/health/live")
    with connect(f"ws://127.0.0.1:{port}/stream?key=not-to-be-logged-ever", additional_headers=headers) as stream:
        stream.send(b"frame")
        stream.recv()


def test_a_process_writes_json_lines_alone():
    lines = lines_of("info", ask_everything)
    now = datetime.now(UTC)
    for line in lines:
        assert abs((datetime.fromisoformat(line["time"]) - now).total_seconds()) < 300
        assert line["time"].endswith("Z")
        assert line["request_id"] == "frame-17"
        assert {"level", "logger", "message"} <= set(line)
    said = [(line["level"], line["message"].split(": ")[-1].splitlines()[0]) for line in lines]
    assert ("info", "at work") in said
    assert [line["logger"] for line in lines if "this is odd" in line["message"]] == ["py.warnings"]
    assert "chatter" not in str(lines)
    requests = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in requests] == [200, 500, 404, 101]
    assert [line["route"] for line in requests] == ["/work", "/mistake", None, "/stream"]
    mistake = next(line for line in lines if line["level"] == "error")
    assert mistake["exception"].startswith("Traceback")
    assert "second line" in mistake["exception"]


def test_a_requests_line_tells_all_of_it():
    line = next(line for line in lines_of("info", ask_everything) if line.get("route") == "/work")
    assert 0 < line["duration_ms"] < 10_000
    assert {name: line[name] for name in ("method", "path", "client", "bytes_in", "bytes_out", "model")} == {
        "method": "POST",
        "path": "/work",
        "client": "127.0.0.1",
        "bytes_in": 5,
        "bytes_out": 5,
        "model": "accurate-int8",
    }


def test_probes_are_told_at_debug_and_keys_at_no_level():
    lines = lines_of("debug", ask_everything)
    assert [line["level"] for line in lines if line.get("route") == "/v2/health/live"] == ["debug"]
    assert "not-to-be-logged-ever" not in str(lines)


def test_a_level_of_warning_leaves_nothing_of_a_request_that_went_well():
    assert lines_of("warning", lambda port: httpx.get(f"http://127.0.0.1:{port}/v2/health/live", timeout=10)) == []


@pytest.mark.parametrize("text", ["a\nb", 'a"b\\', "\x00\x1b[31m", "\u2028\u2029\x85", "\ud800", "🚗"])
def test_no_text_breaks_a_line(text):
    record = logging.LogRecord("api", logging.INFO, __file__, 1, "%s", (text,), None)
    record.path = text
    line = JsonLines().format(record)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert json.loads(line)["path"] == text


def test_a_line_after_the_request_has_no_id_of_it(serve, caplog, eventually):
    caplog.set_level(logging.INFO, "api.request_ids")
    server = serve(Middleware(RequestIds))
    server.http.post("/echo", content=b"x" * 300_000, headers={"X-Request-ID": "frame-17"})
    eventually(lambda: [record for record in caplog.records if record.msg == "request"])
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(json.loads(JsonLines().format(record)))
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    try:
        # The same connection: its callbacks run in the context of the request that paused its reading.
        pool = server.http._transport._pool
        stream = pool.connections[0]._connection._network_stream
        stream.write(b"\0\0 junk\r\n\r\n")
        eventually(lambda: told)
    finally:
        logger.removeHandler(handler)
    assert told[0]["message"] == "Invalid HTTP request received."
    assert "request_id" not in told[0]


def test_what_is_logged_while_a_request_is_worked_on_has_its_id(serve):
    told = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(json.loads(JsonLines().format(record)))
    logger = logging.getLogger("api.test")
    logger.addHandler(handler)
    try:
        server = serve(Middleware(RequestIds))
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        server.http.post("/echo", headers={"X-Request-ID": "frame-17", "traceparent": parent})
        server.http.post("/echo", headers={"X-Request-ID": "frame-18"})
    finally:
        logger.removeHandler(handler)
    assert [(line["request_id"], line.get("trace_id")) for line in told] == [
        ("frame-17", "0af7651916cd43dd8448eb211c80319c"),
        ("frame-18", None),
    ]
