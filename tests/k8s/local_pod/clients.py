"""Clients behind a Service, who post frames without pause and count what becomes of each."""

from __future__ import annotations

import http.client
import select
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

PNG_END = b"IEND\xaeB`\x82"

PAUSE_S = 0.02
"""After a refusal of those who open a connection for each frame: there are not ports enough for more. Those who keep
theirs ask again at once: whatever is on its way when the server stops has to be answered, too."""


@dataclass
class Tally:
    """What became of the requests that were sent; shared by threads."""

    answered: int = 0
    """With a whole mask."""
    refused: int = 0
    """503 with Retry-After: the client knows that it has to ask elsewhere."""
    lost: list[str] = field(default_factory=list)
    """Everything else, in words."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def sent(self) -> int:
        """All of them."""
        return self.answered + self.refused + len(self.lost)

    def count(self, answer: http.client.HTTPResponse, body: bytes) -> bool:
        """Whether it was answered with a mask."""
        with self._lock:
            if answer.status == 200 and body.endswith(PNG_END):
                self.answered += 1
                return True
            if answer.status == 503 and answer.headers["Retry-After"]:
                self.refused += 1
            else:
                self.lost.append(f"status {answer.status}, {body[:200]!r}")
            return False

    def lose(self, words: str) -> None:
        """One that got no whole answer."""
        with self._lock:
            self.lost.append(words)


class Clients:
    """Half of them keep their connection, the others open one for each frame. They run within a `with` block."""

    def __init__(self, port: int, frame: bytes, number: int = 8) -> None:
        """Starts nothing yet.

        Args:
            port: of the pod.
            frame: an encoded image.
            number: of clients.
        """
        self._port, self._frame = port, frame
        self._listed = threading.Event()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(index % 2 == 0,)) for index in range(number)]
        self.tally = Tally()

    def __enter__(self) -> Clients:
        self._listed.set()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self.remove_endpoint()
        for thread in self._threads:
            thread.join()

    def remove_endpoint(self) -> None:
        """From here on no connection is opened any more; those that are there go on, as a Service has it."""
        self._listed.clear()

    def wait_for(self, answered: int, timeout_s: float) -> None:
        """Until so many masks came; an AssertionError where they don't."""
        give_up = time.monotonic() + timeout_s
        while self.tally.answered < answered:
            assert time.monotonic() < give_up, self.tally
            time.sleep(0.02)

    def join(self, timeout_s: float) -> None:
        """Until every client has ended by itself; an AssertionError where one doesn't."""
        give_up = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))
            assert not thread.is_alive(), "a client still holds its connection"

    def _run(self, keeps: bool) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._over.is_set():
            if connection is not None and _is_closed(connection):
                connection = None
            if connection is None:
                if not self._listed.is_set():
                    return
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            connection = self._post(connection, keeps)
        if connection is not None:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, keeps: bool) -> http.client.HTTPConnection | None:
        """One frame; what is left of the connection."""
        used = connection.sock is not None
        try:
            connection.request("POST", "/segment", self._frame, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.tally.lose(f"{error!r} on a {'kept' if used else 'new'} connection")
            return None
        if not self.tally.count(answer, body) and not keeps:
            self._over.wait(PAUSE_S)
        if keeps and not answer.will_close:
            return connection
        connection.close()
        return None


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the server closed it while nothing was asked: whoever looks before it asks loses nothing."""
    if connection.sock is None:
        return True
    if select.select([connection.sock], [], [], 0)[0]:
        connection.close()
        return True
    return False
