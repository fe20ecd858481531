"""Probes as the kubelet asks them: periods, timeouts and thresholds as rendered."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from manifest_checks.manifests import Object


@dataclass(frozen=True)
class Asked:
    """One probe's answer."""

    probe: str
    at: float
    """By `time.monotonic`."""
    status: int
    """0 where none came in time."""

    @property
    def is_success(self) -> bool:
        """By the kubelet's rule."""
        return 200 <= self.status < 400


class Kubelet:
    """Asks from the beginning of a `with` block to its end; the pod's life is its business, not ours."""

    def __init__(self, container: Object, port: int) -> None:
        self._container = container
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run)]
        self.asked: list[Asked] = []
        self.ready = False
        """Whether the pod is among its Service's endpoints."""
        self.was_ready = threading.Event()
        self.dropouts = 0
        """How often it was ready, and then no more."""
        self.restarts: list[str] = []
        """Why the kubelet would have killed the container."""

    def __enter__(self) -> Kubelet:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        if not self._until_started():
            return
        for name in ("readinessProbe", "livenessProbe"):
            thread = threading.Thread(target=self._repeat, args=(name,))
            self._threads.append(thread)
            thread.start()

    def _until_started(self) -> bool:
        probe = self._container["startupProbe"]
        failures = 0
        while not self._over.wait(probe.get("initialDelaySeconds", 0) if not failures else probe["periodSeconds"]):
            if self._ask("startupProbe").is_success:
                return True
            failures += 1
            if failures >= probe["failureThreshold"]:
                self.restarts.append("startupProbe")
                return False
        return False

    def _repeat(self, name: str) -> None:
        probe = self._container[name]
        failures, successes = 0, 0
        while not self._over.is_set():
            succeeded = self._ask(name).is_success
            failures, successes = (0, successes + 1) if succeeded else (failures + 1, 0)
            if name == "readinessProbe":
                if successes >= probe.get("successThreshold", 1):
                    self.ready = True
                    self.was_ready.set()
                if self.ready and failures >= probe["failureThreshold"]:
                    self.ready = False
                    self.dropouts += 1
            elif failures == probe["failureThreshold"]:
                self.restarts.append(name)
            self._over.wait(probe["periodSeconds"])

    def _ask(self, name: str) -> Asked:
        probe = self._container[name]
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=probe.get("timeoutSeconds", 1))
        status = 0
        try:
            headers = {"User-Agent": "kube-probe/1.32", "Accept": "*/*", "Connection": "close"}
            connection.request("GET", probe["httpGet"]["path"], headers=headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        answer = Asked(name, time.monotonic(), status)
        self.asked.append(answer)
        return answer

    def of(self, name: str) -> list[Asked]:
        """What was asked of one probe."""
        return [answer for answer in self.asked if answer.probe == name]
