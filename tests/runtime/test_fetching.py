"""Frames from files and servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runtime import fetching
from runtime.codecs import Limits
from runtime.errors import FrameTooLarge, FrameUndecodable
from runtime.fetching import Patience
from runtime.frame_lists import Listed

QUICK = Patience(attempts=3, backoff_s=0.01, timeout_s=0.5, total_s=1.0)
Answer = Callable[[BaseHTTPRequestHandler], None]


def body(data: bytes, *, status: int = 200, promised: int | None = None) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data) if promised is None else promised))
        request.end_headers()
        request.wfile.write(data)

    return answer


def drip(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then: never long enough silent for a time-out."""
    request.send_response(200)
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b".")
        time.sleep(0.05)


class Server:
    """Gives one prepared answer after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self._thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def fetch(server: Server, *answers: Answer, limits: Limits | None = None) -> bytes:
    server.answers = list(answers)
    return fetching.read(Listed(f"{server.url}/a.jpg?key=secret", "a.png"), limits or Limits(), QUICK)


def test_a_url_is_asked_for_with_its_query(server: Server) -> None:
    assert fetch(server, body(b"frame")) == b"frame"
    assert server.asked == ["/a.jpg?key=secret"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_is_busy_is_asked_again(server: Server, status: int) -> None:
    assert fetch(server, body(b"", status=status), body(b"", status=status), body(b"frame")) == b"frame"
    assert len(server.asked) == 3


def test_a_body_that_breaks_off_is_asked_for_again(server: Server) -> None:
    assert fetch(server, body(b"fra", promised=5), body(b"frame")) == b"frame"


def test_in_the_end_it_is_given_up(server: Server) -> None:
    with pytest.raises(FrameUndecodable, match="not to be had in 3 attempts: 503"):
        fetch(server, body(b"", status=503))
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_not_asked_again(server: Server, status: int) -> None:
    with pytest.raises(FrameUndecodable, match=f"the server answers {status}") as told:
        fetch(server, body(b"", status=status))
    assert len(server.asked) == 1
    assert "secret" not in str(told.value)


def test_a_server_that_drips_holds_nobody_for_ever(server: Server) -> None:
    with pytest.raises(FrameUndecodable, match="took longer than 1 s"):
        fetch(server, drip)


def test_no_more_is_read_than_the_limit(server: Server) -> None:
    with pytest.raises(FrameTooLarge, match="more than 1000 bytes"):
        fetch(server, body(bytes(1001)), limits=Limits(max_bytes=1000))
    assert fetch(server, body(bytes(1000)), limits=Limits(max_bytes=1000)) == bytes(1000)


def test_a_server_that_is_not_there_is_told(server: Server) -> None:
    url = server.url
    server.http.server_close()
    with pytest.raises(FrameUndecodable, match=r"not to be had in 3 attempts: .*refused"):
        fetching.read(Listed(f"{url}/a.jpg", "a.png"), Limits(), QUICK)


def test_a_url_that_no_server_could_understand_is_told() -> None:
    with pytest.raises(FrameUndecodable) as told:
        fetching.read(Listed("http://127.0.0.1:1/a b.jpg?key=secret\x7f", "a.png"), Limits(), QUICK)
    assert "secret" not in str(told.value)


def test_files_are_held_against_the_same_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(10))
    assert fetching.read(Listed(str(path), "a.png"), Limits(max_bytes=10), QUICK) == bytes(10)
    with pytest.raises(FrameTooLarge, match="more than 9 bytes"):
        fetching.read(Listed(str(path), "a.png"), Limits(max_bytes=9), QUICK)
    with pytest.raises(FrameUndecodable, match="No such file"):
        fetching.read(Listed(str(tmp_path / "absent.jpg"), "a.png"), Limits(), QUICK)
