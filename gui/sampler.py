"""The last minutes of the API, read once for all visitors, and only while somebody looks."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from gui.client import ApiError, Client
from gui.exposition import Scrape, grown, grown_buckets, parse, quantile

logger = logging.getLogger(__name__)

STEP_S = 5.0
"""Between two readings. A scrape costs the API a few milliseconds."""

KEPT = 180
"""Points: 15 minutes."""

WINDOW = 3
"""Steps that rates and quantiles are taken over: one alone has too few frames for a quantile."""

QUANTILES = (0.5, 0.9, 0.99)

Quantiles = tuple[float | None, ...]
"""Seconds, of QUANTILES; None where there was nothing."""


@dataclass(frozen=True)
class Rates:
    """What went on in a window."""

    requests: dict[str, float]
    """A second, by route."""
    frames: float
    """A second."""
    latencies: dict[str, Quantiles]
    """By route."""
    stages: dict[str, Quantiles]
    refused: dict[str, float]
    """A second, by reason."""
    shares: dict[str, float]
    """Of all pixels, 0..1, by category; empty where there was no frame."""
    cores: float | None
    """CPU seconds a second."""


@dataclass(frozen=True)
class Point:
    """One step."""

    live: bool
    ready: bool
    scrape: Scrape | None = None
    """None where the metrics could not be read."""
    error: ApiError | None = None
    """Why they could not."""
    rates: Rates | None = None
    """None where there is no earlier reading of the same process to compare with."""


class Sampler:
    """Belongs to the event loop's thread."""

    def __init__(self, client: Client, step_s: float = STEP_S) -> None:
        self._client, self._step_s = client, step_s
        self._viewers: set[Callable[[], None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._last_at = -math.inf
        self.points: deque[Point | None] = deque(maxlen=KEPT)
        """One a step, the newest last; None while nobody looked."""

    def watch(self, seen: Callable[[], None]) -> None:
        """Read from now on; `seen` is called after each step."""
        self._viewers.add(seen)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, seen: Callable[[], None]) -> None:
        """The end of a `watch`; the last one ends the reading."""
        self._viewers.discard(seen)
        if not self._viewers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        # A page that opens soon after the last one closed goes on in that one's rhythm.
        at = max(self._last_at + self._step_s, monotonic())
        await asyncio.sleep(at - monotonic())
        while True:
            missed = min(KEPT, round((at - self._last_at) / self._step_s) - 1) if self.points else 0
            self.points.extend([None] * missed)
            self._last_at = at
            self.points.append(await self._take())
            for seen in list(self._viewers):
                try:
                    seen()
                except Exception:  # one visitor's page must not end the others'
                    logger.exception("a page could not be brought up to date")
            at += self._step_s * max(1, math.ceil((monotonic() - at) / self._step_s))
            await asyncio.sleep(at - monotonic())

    async def _take(self) -> Point:
        live, ready, read = await asyncio.gather(self._answers("live"), self._answers("ready"), self._scrape())
        if isinstance(read, ApiError):
            return Point(live, ready, error=read)
        return Point(live, ready, read, rates=self._rates(read))

    async def _answers(self, which: str) -> bool:
        try:
            await self._client.request("GET", f"/v2/health/{which}", timeout=self._step_s)
        except ApiError:
            return False
        return True

    async def _scrape(self) -> Scrape | ApiError:
        try:
            return parse(await self._client.metrics())
        except ApiError as error:
            return error
        except ValueError as error:
            return ApiError("answered", f"/metrics can't be read: {error}.")

    def _rates(self, now: Scrape) -> Rates | None:
        """Since the earliest reading of the window that is of the same process, with none missing in between."""
        before, steps = None, 0
        for back in range(1, min(WINDOW, len(self.points)) + 1):
            point = self.points[-back]
            if point is None or point.scrape is None or point.scrape.process != now.process:
                break
            before, steps = point.scrape, back
        return None if before is None else rates(before, now, steps * self._step_s)


def rates(before: Scrape, now: Scrape, seconds: float) -> Rates:
    """What went on between two scrapes of one process."""
    pixels = grown(before.pixels, now.pixels)
    total = sum(pixels.values())
    cpu = grown(before.single, now.single).get("process_cpu_seconds_total")
    return Rates(
        requests=_a_second(before.requests, now.requests, seconds),
        frames=sum(grown(before.frames, now.frames).values()) / seconds,
        latencies=_quantiles(before.request_seconds, now.request_seconds),
        stages=_quantiles(before.stage_seconds, now.stage_seconds),
        refused=_a_second(before.refused, now.refused, seconds),
        shares={name: count / total for name, count in pixels.items()} if total else {},
        cores=None if cpu is None else cpu / seconds,
    )


def _a_second(before: dict[str, float], now: dict[str, float], seconds: float) -> dict[str, float]:
    return {name: count / seconds for name, count in grown(before, now).items()}


def _quantiles(before: dict[str, dict[float, float]], now: dict[str, dict[float, float]]) -> dict[str, Quantiles]:
    found = {}
    for name, buckets in now.items():
        went_on = grown_buckets(before.get(name, {}), buckets)
        found[name] = tuple(quantile(went_on, share) for share in QUANTILES)
    return found
