"""The stand-ins for kubelet and clients see what is wrong: a server of canned answers shows it to them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from local_pod.clients import PNG_END, Clients
from local_pod.kubelet import Kubelet

FRAME = b"a frame"
MASK = b"\x89PNG" + PNG_END
OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n"
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """Reads a request, gives the one answer, and closes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    # Closing before all is read would reset the connection, and the answer with it.
                    read = b""
                    while not read.endswith(FRAME if read.startswith(b"POST") else b"\r\n\r\n"):
                        piece = connection.recv(65536)
                        if not piece:
                            break
                        read += piece
                    connection.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def wait_until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "counted", "words"),
    [
        (OK % len(MASK) + MASK, "answered", ""),
        (UNAVAILABLE + b"retry-after: 1\r\n\r\n", "refused", ""),
        (UNAVAILABLE + b"\r\n", "lost", "status 503"),
        (OK % 3 + b"abc", "lost", "status 200"),
        (OK % (len(MASK) + 1) + MASK, "lost", "IncompleteRead"),
        (ERROR, "lost", "status 500"),
        (b"", "lost", "RemoteDisconnected"),
    ],
)
def test_clients_count_what_becomes_of_each_request(answer: bytes, counted: str, words: str) -> None:
    with server(answer) as port, Clients(port, FRAME, number=2) as clients:
        wait_until(lambda: clients.tally.sent >= 4)
    tally = clients.tally
    counts = {"answered": tally.answered, "refused": tally.refused, "lost": len(tally.lost)}
    assert {name for name, count in counts.items() if count} == {counted}
    assert all(words in told for told in tally.lost)


def test_clients_lose_what_they_ask_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Clients(port, FRAME, number=1) as clients:
        wait_until(lambda: clients.tally.lost)
    assert "ConnectionRefused" in clients.tally.lost[0]


def test_clients_open_nothing_once_the_endpoint_is_removed() -> None:
    with server(OK % len(MASK) + MASK) as port, Clients(port, FRAME, number=2) as clients:
        wait_until(lambda: clients.tally.sent)
        clients.remove_endpoint()
        clients.join(20)


def probe(threshold: int) -> dict[str, object]:
    return {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 0.01, "timeoutSeconds": 5} | {
        "failureThreshold": threshold
    }


@pytest.mark.parametrize("answer", [UNAVAILABLE + b"\r\n", b""])
def test_the_kubelet_gives_up_a_container_that_does_not_start(answer: bytes) -> None:
    with server(answer) as port, Kubelet({"startupProbe": probe(3)}, port) as kubelet:
        wait_until(lambda: kubelet.restarts)
    assert kubelet.restarts == ["startupProbe"]
    assert len(kubelet.asked) == 3
    assert not kubelet.was_ready.is_set()


def test_the_kubelet_asks_the_others_once_it_has_started() -> None:
    spec = {"startupProbe": probe(3), "readinessProbe": probe(2), "livenessProbe": probe(2)}
    with server(OK % 0) as port, Kubelet(spec, port) as kubelet:
        assert kubelet.was_ready.wait(20)
        wait_until(lambda: kubelet.of("livenessProbe"))
        assert kubelet.ready
    assert len(kubelet.of("startupProbe")) == 1
    with Kubelet(spec | {"startupProbe": probe(1000)}, port) as gone:
        wait_until(lambda: len(gone.asked) > 2)
    assert not gone.was_ready.is_set()


def test_the_kubelet_takes_a_pod_out_that_answers_no_more() -> None:
    spec = {"startupProbe": probe(3), "readinessProbe": probe(2), "livenessProbe": probe(3)}
    with server(OK % 0) as port:
        kubelet = Kubelet(spec, port)
        kubelet.__enter__()
        assert kubelet.was_ready.wait(20)
    wait_until(lambda: kubelet.dropouts and kubelet.restarts)
    kubelet.__exit__(None, None, None)
    assert (kubelet.ready, kubelet.restarts) == (False, ["livenessProbe"])
