"""`WS /live/stream` over real sockets: messages, ends and refusals pass through, and nothing piles up."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from gui.relay import is_same_origin
from runtime.segmenter import Segmenter


def open_stream(site: str, query: str = "", **options: Any) -> connect:
    address = site.replace("http", "ws", 1)
    return connect(f"{address}/live/stream{query}", max_size=None, **{"origin": site, **options})


def closed(client: ClientConnection) -> tuple[int, str]:
    """Code and reason that the stream ends with, after no other message."""
    with pytest.raises(ConnectionClosed) as end:
        client.recv(timeout=20)
    assert end.value.rcvd is not None, "the connection was cut without a word"
    return end.value.rcvd.code, end.value.rcvd.reason


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


Handler = Callable[[ServerConnection], None]


@pytest.fixture(scope="module")
def replaceable(launch: Callable[..., str]) -> Iterator[tuple[list[Handler], str]]:
    """A list whose only item is what the API does with a stream, and the page in front of it."""
    handlers: list[Handler] = []
    limits = {"max_size": None, "max_queue": 1, "close_timeout": 1}
    with serve(lambda api: handlers[0](api), "127.0.0.1", 0, compression=None, **limits) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield handlers, launch("gui", "--api", f"http://127.0.0.1:{server.socket.getsockname()[1]}")
        server.shutdown()
        thread.join()


@pytest.fixture
def stand_in(replaceable: tuple[list[Handler], str]) -> Callable[[Handler], str]:
    """The page in front of an API that does with a stream whatever the test wants."""

    def start(handler: Handler) -> str:
        handlers, site = replaceable
        handlers[:] = [handler]
        return site

    return start


def test_masks_come_back_as_the_api_gave_them(site: str, toy_folder: Path, noise: Callable[..., np.ndarray]):
    segmenter = Segmenter.load(toy_folder / "accurate-fp32.onnx")
    with open_stream(site, "?model=accurate-fp32") as client:
        for seq in range(5):
            pixels = noise(seed=seq)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            client.send(buffer.getvalue())
            told = json.loads(client.recv(timeout=20))
            assert (told["seq"], told["passed_over"]) == (seq, 0)
            assert set(told["timings_ms"]) == {"decode", "queue", "infer", "encode"}
            mask = client.recv(timeout=20)
            assert isinstance(mask, bytes)
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(mask))), segmenter.segment(pixels))


def test_a_text_message_is_passed_on_and_so_is_what_the_api_makes_of_it(site: str):
    with open_stream(site) as client:
        client.send("a text")
        assert "no frame" in json.loads(client.recv(timeout=20))["error"]
        assert closed(client)[0] == 1003


@pytest.mark.parametrize(
    ("code", "reason"), [(1012, "the server is stopping"), (1013, "the model is gone"), (4321, "é"), (1000, "")]
)
def test_the_apis_close_code_and_reason_are_passed_on(stand_in: Callable[..., str], code: int, reason: str):
    with open_stream(stand_in(lambda api: api.close(code, reason))) as client:
        assert closed(client) == (code, reason)


def test_what_the_api_sent_before_its_end_still_comes(stand_in: Callable[..., str]):
    def last_words(api: ServerConnection) -> None:
        api.recv()
        for number in range(20):
            api.send(bytes([number]) * 100_000)
        api.close(1012, "the server is stopping")

    with open_stream(stand_in(last_words)) as client:
        client.send(b"a frame")
        client.send(b"another, which the API does not read any more")
        assert [client.recv(timeout=20) for _ in range(20)] == [bytes([number]) * 100_000 for number in range(20)]
        assert closed(client) == (1012, "the server is stopping")


def test_an_api_that_is_cut_off_is_told_as_a_bad_gateway(stand_in: Callable[..., str]):
    with open_stream(stand_in(lambda api: api.socket.shutdown(socket.SHUT_RDWR))) as client:
        assert closed(client)[0] == 1014


@pytest.mark.parametrize(("code", "told"), [(1000, 1000), (4000, 4000), (None, 1001)])
def test_the_api_is_told_when_the_browser_ends(stand_in: Callable[..., str], code: int | None, told: int):
    ends: list[int | None] = []

    def until_closed(api: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                api.recv()
        ends.append(api.close_code)

    with open_stream(stand_in(until_closed)) as client:
        client.send(b"a frame")
        if code is None:
            client.socket.shutdown(socket.SHUT_RDWR)  # a laptop that is closed
        else:
            client.close(code)
        wait_until(lambda: bool(ends))
    assert ends == [told]


def test_frames_wait_at_the_browser_when_the_api_does_not_read(stand_in: Callable[..., str]):
    frame, taken = bytes(2**20), threading.Event()

    def reads_late(api: ServerConnection) -> None:
        taken.wait(30)
        for message in api:
            api.send(message[:1])

    with open_stream(stand_in(reads_late), compression=None) as client:
        sent = []

        def send() -> None:
            for number in range(100):
                client.send(bytes([number]) + frame)
                sent.append(number)

        sender = threading.Thread(target=send)
        sender.start()
        count = -1
        while count != len(sent):  # until it stands still
            count = len(sent)
            time.sleep(0.5)
        assert count < 40, "so many megabytes are held on the way"
        taken.set()
        assert [client.recv(timeout=30) for _ in range(100)] == [bytes([number]) for number in range(100)]
        sender.join()


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", None])
def test_pages_of_other_origins_are_refused(site: str, origin: str | None):
    with pytest.raises(InvalidStatus) as refused, open_stream(site, origin=origin):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({"origin": "http://page.example", "host": "page.example"}, True),
        ({"origin": "https://Page.example", "host": "page.example:443"}, True),
        ({"origin": "https://page.example", "host": "10.0.0.1:8080", "x-forwarded-host": "page.example"}, True),
        ({"origin": "http://[::1]:8080", "host": "[::1]:8080"}, True),
        ({"origin": "http://page.example:81", "host": "page.example"}, False),
        ({"origin": "http://page.example.evil", "host": "page.example"}, False),
        ({"origin": "null", "host": "page.example"}, False),
        ({"host": "page.example"}, False),
        ({"origin": "http://", "host": ""}, False),
    ],
)
def test_an_origin_is_the_same_behind_a_proxy_too(headers: dict[str, str], same: bool):
    assert is_same_origin(Headers(headers)) is same


def test_why_the_api_refuses_is_told_in_its_words(site: str):
    with open_stream(site, "?model=none") as client:
        told = json.loads(client.recv(timeout=20))
        assert (told["reason"], told["status"]) == ("answered", 404)
        assert "there is no model 'none'" in told["said"]
        assert closed(client) == (4404, told["said"])


def test_an_api_that_is_away_is_told(lonely: SimpleNamespace):
    with open_stream(lonely.site) as client:
        assert json.loads(client.recv(timeout=20)) == {"reason": "unreachable", "said": "", "status": None}
        assert closed(client)[0] == 1014


def test_the_key_is_sent_and_stays_on_the_pages_server(
    launch: Callable[..., str], guarded: tuple[str, str], tmp_path: Path
):
    api, right = guarded
    key = tmp_path / "key"
    key.write_text("wrong\n")
    page = launch("gui", "--api", api, "--api-key-file", str(key))
    with open_stream(page) as client:
        told = json.loads(client.recv(timeout=20))
        assert (told["reason"], told["status"]) == ("bad_key", 401)
    key.write_text(right)
    with open_stream(page) as client:
        client.send("a text")
        assert "no frame" in json.loads(client.recv(timeout=20))["error"]
