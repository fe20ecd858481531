"""The load, by locust: jobs come in as JSON lines, samples go out.

Closed loop: each user sends its next request when it has its answer, which finds out how much a server can do. Open
loop (`rate`): requests begin at a constant rate whatever the answers take, which is how cameras behave.

A job is `{"url", "bodies": [paths], "media_type", "users", "requests" or "seconds", "rate" or null}`, its answer
`{"samples": [[start_s, ms, status]], "until_s", "cpu"}`: `until_s` is when the clients stopped, `cpu` the share of a
core that the tool itself took.
"""

from __future__ import annotations

import itertools
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment
from locust.exception import StopUser

LEAST_EACH = 4
"""Requests of each user in a closed loop, however few seconds it may take: fewer tell no rate."""


class Job:
    """One stretch of load."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.bodies = [Path(path).read_bytes() for path in told["bodies"]]
        self.url, self.users, self.rate = told["url"], told["users"], told.get("rate")
        self.headers = {"Content-Type": told["media_type"]}
        self._requests, self._seconds = told.get("requests"), told.get("seconds")
        self._numbers = itertools.count()
        self.samples: list[tuple[float, float, int]] = []
        self.began = self.until = time.time()

    def begin(self) -> None:
        """From here on the seconds count."""
        self.began = self.until = time.time()

    def next_body(self) -> bytes:
        """What to send next, all users taking turns through the bodies; at a constant rate, when its time has come.

        Each request has its own time, so a late one moves none of those after it. locust's `constant_pacing` would
        start all users at once, and again all at once after each period.

        Raises:
            StopUser: it was enough.
        """
        number = next(self._numbers)
        if self._is_over(number):
            raise StopUser
        if self.rate:
            gevent.sleep(max(0.0, self.began + number / self.rate - time.time()))
        # The last start of any request: from then on users fall silent one by one.
        self.until = max(self.until, time.time())
        return self.bodies[number % len(self.bodies)]

    def _is_over(self, number: int) -> bool:
        if self._requests is not None:
            return number >= self._requests
        if self.rate:
            return number >= self._seconds * self.rate
        return time.time() >= self.began + self._seconds and number >= LEAST_EACH * self.users

    def note(self, response_time: float, start_time: float, response: Any, **_more: Any) -> None:
        """Called by locust after each request."""
        status = getattr(response, "status_code", 0) or 0
        self.samples.append((start_time, response_time, status))


def user_of(job: Job) -> type[FastHttpUser]:
    """The users of a job, as locust wants them: a class."""

    class Camera(FastHttpUser):
        host = job.url
        max_retries = 0
        wait_time = constant(0)

        @task
        def send(self) -> None:
            self.client.post("/segment", data=job.next_body(), headers=job.headers)

    return Camera


def run(told: dict[str, Any]) -> dict[str, Any]:
    """A job from its first request to its last answer."""
    job = Job(told)
    environment = Environment(user_classes=[user_of(job)])
    environment.events.request.add_listener(job.note)
    runner = environment.create_local_runner()
    cpu = time.process_time()
    job.begin()
    runner.start(job.users, spawn_rate=job.users)
    runner.spawning_greenlet.join()
    runner.user_greenlets.join()
    share = (time.process_time() - cpu) / (time.time() - job.began)
    runner.quit()
    return {"samples": job.samples, "until_s": job.until, "cpu": share}


def main() -> None:
    """Answer jobs until standard input ends."""
    logging.basicConfig(level=logging.WARNING)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
