"""What Prometheus is told at `/metrics`.

| name | type | labels | meaning |
|---|---|---|---|
| roadmask_requests_total | counter | route, method, status | answered; 499: the client left before, 101: a WebSocket |
| roadmask_request_seconds | histogram | route | from the headers to the end of the answer, or of a handshake |
| roadmask_stage_seconds | histogram | stage | of a frame: decode, queue, infer, encode |
| roadmask_queue_depth | gauge | | frames that are being worked on or wait for it |
| roadmask_queue_places | gauge | | how many may be at a time |
| roadmask_frames_total | counter | model, provider | frames that were segmented |
| roadmask_pixels_total | counter | model, category | pixels by what they were taken for; their rates tell of drift |
| roadmask_rejected_total | counter | reason | refused: full, stopping, not_ready, body (too large, or late) |
| roadmask_expired_total | counter | | given up because their deadline passed |
| roadmask_abandoned_total | counter | | given up because their client left |
| roadmask_stream_frames_total | counter | | frames that came through /stream |
| roadmask_stream_passed_over_total | counter | | of those, passed over for a newer one |
| roadmask_model_loads_total | counter | result | loaded, failed |
| roadmask_frame_quality_total | counter | flag | frames of /segment and /stream by what is wrong with them, or good |
| roadmask_mean_confidence | histogram | | of those frames, 0 to 1 |

The last two are there where the server runs with confidence; a frame with two flags counts for both.

And prometheus_client's own: process_* (resident memory, CPU seconds, open files), python_gc_*, python_info. A route is
a template (`/v2/models/{model}/infer`), `unknown` where a path leads nowhere: strangers can't make up labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.requests import Request
from starlette.responses import Response

from runtime import categories, quality
from runtime.jobs import Timings
from runtime.quality import Quality

STAGES = ("decode", "queue", "infer", "encode")

UNKNOWN_ROUTE = "unknown"
"""The route of a path that leads nowhere."""

REASONS = ("full", "stopping", "not_ready", "body")
"""Why a request is refused before it is worked on."""

LOAD_RESULTS = ("loaded", "failed")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are told apart; the rest, which strangers may pick, is OTHER."""

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Closest where a frame's time lies, 10 to 300 ms: a quantile is only as good as the bucket that it falls into."""


GOOD = "good"
"""What a frame without a flag counts as, and is called."""

SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
"""Of the mean confidence: closest where that of a good frame lies."""


class _Registry(CollectorRegistry):
    """A registry without the `_created` series, which are a third of all and which Prometheus does not read."""

    def collect(self) -> Iterable[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """The figures of one application. Safe to use from any thread."""

    def __init__(
        self, queue_depth: Callable[[], int], queue_places: Callable[[], int], confidence: bool = False
    ) -> None:
        """All at 0, so that rates are known from the first event on.

        Args:
            queue_depth: asked at each scrape, on whichever thread that runs.
            queue_places: likewise.
            confidence: whether the server runs with it.
        """
        self._registry = _Registry()
        self._make_requests()
        self._make_frames(queue_depth, queue_places)
        self._make_refusals()
        if confidence:
            self._make_quality()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"roadmask_{name}", meaning, labels, registry=self._registry)

    def _seconds(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"roadmask_{name}", meaning, labels, registry=self._registry, buckets=BUCKETS_S)

    def _make_requests(self) -> None:
        self._requests = self._counter(
            "requests",
            "Requests by route, method and status; 499: the client left.",
            "route",
            "method",
            "status",
        )
        self._request_seconds = self._seconds(
            "request_seconds", "From a request's headers to the end of its answer.", "route"
        )

    def _make_frames(self, queue_depth: Callable[[], int], queue_places: Callable[[], int]) -> None:
        stages = self._seconds("stage_seconds", "Where the time of a frame went.", "stage")
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        depth = Gauge(
            "roadmask_queue_depth", "Frames that are being worked on or wait for it.", registry=self._registry
        )
        depth.set_function(queue_depth)
        places = Gauge("roadmask_queue_places", "Frames that may be in the queue at a time.", registry=self._registry)
        places.set_function(queue_places)
        self._frames = self._counter("frames", "Frames that were segmented.", "model", "provider")
        self._pixels = self._counter(
            "pixels",
            "Pixels by what they were taken for. A counter, because those of several pods add up: a category's share "
            "is sum by (category) (rate(roadmask_pixels_total[1h])) / ignoring (category) group_left "
            "sum(rate(roadmask_pixels_total[1h])); one that moves tells that the frames, or the model, changed.",
            "model",
            "category",
        )
        self._stream_frames = self._counter("stream_frames", "Frames that came through /stream.")
        self._passed_over = self._counter("stream_passed_over", "Frames of /stream passed over for a newer one.")

    def _make_refusals(self) -> None:
        rejected = self._counter("rejected", "Refused at once, by reason.", "reason")
        self._rejected = {reason: rejected.labels(reason) for reason in REASONS}
        self._expired = self._counter("expired", "Given up because their deadline passed.")
        self._abandoned = self._counter("abandoned", "Given up because their client left.")
        self._loads = self._counter("model_loads", "Models that were loaded, or failed to.", "result")
        for result in LOAD_RESULTS:
            self._loads.labels(result)

    def _make_quality(self) -> None:
        flagged = self._counter("frame_quality", "Frames by what is wrong with them, or good.", "flag")
        self._flagged = {flag: flagged.labels(flag) for flag in (GOOD, *quality.FLAGS)}
        self._mean_confidence = Histogram(
            "roadmask_mean_confidence",
            "Mean confidence of a frame, 0 to 1; where it falls, the frames are less and less like the training data.",
            registry=self._registry,
            buckets=SHARES,
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request that is over.

        Args:
            route: its template; never the path.
            method: as it came.
            status: as it was answered.
            seconds: from its headers to the end of the answer.
        """
        self._requests.labels(route, method if method in METHODS else "OTHER", str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def frame(
        self,
        model: str,
        provider: str,
        timings: Timings,
        pixels: npt.NDArray[np.int64],
        found: Quality | None = None,
    ) -> None:
        """A frame that was segmented.

        Args:
            model: the file's stem.
            provider: who ran it.
            timings: of its stages.
            pixels: int64 8: how many of each category, in the order of their ids.
            found: what there is to say of it, where the server runs with confidence and the route asks.
        """
        self._frames.labels(model, provider).inc()
        for stage, seconds in self._stages.items():
            seconds.observe(getattr(timings, stage) / 1000)
        for name, count in zip(categories.NAMES, pixels.tolist(), strict=True):
            self._pixels.labels(model, name).inc(count)
        if found is not None and found.confidence is not None:
            self._mean_confidence.observe(found.confidence)
            for flag in found.flags or (GOOD,):
                self._flagged[flag].inc()

    def rejected(self, reason: str) -> None:
        """A request that was refused at once. Raises KeyError for a reason that is none of REASONS."""
        self._rejected[reason].inc()

    def expired(self) -> None:
        """A frame that was given up because its deadline passed."""
        self._expired.inc()

    def abandoned(self) -> None:
        """A frame that was given up because its client left."""
        self._abandoned.inc()

    def stream(self, passed_over: int) -> None:
        """A frame of a stream that was segmented, and how many before it were passed over."""
        self._stream_frames.inc(1 + passed_over)
        self._passed_over.inc(passed_over)

    def load(self, result: str) -> None:
        """A model that was `loaded`, or `failed` to be."""
        self._loads.labels(result).inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All of it, and its media type: OpenMetrics where the scraper would rather have it, else Prometheus' text.

        Args:
            accept: the header; "" if there is none. What makes no sense in it counts for nothing.
        """
        if _quality(accept, "application/openmetrics-text") > _quality(accept, "text/plain"):
            # prometheus_client leaves this one function without types.
            text: bytes = openmetrics.generate_latest(self._registry, version="1.0.0")  # type: ignore[no-untyped-call]
            return text, _OPENMETRICS
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def _quality(accept: str, media_type: str) -> float:
    """The best q that an Accept header gives a media type, 0 if it isn't named.

    prometheus_client's own choice fails for versions that are no numbers, and repeats what the client sent.
    """
    best = 0.0
    for offered in accept.lower().split(","):
        name, *parameters = [part.strip() for part in offered.split(";")]
        if name != media_type:
            continue
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        best = max(best, quality)
    return best


async def metrics(request: Request) -> Response:
    """`GET /metrics`, of the application's `state.service.metrics`."""
    figures: Metrics = request.app.state.service.metrics
    accept = ",".join(request.headers.getlist("accept"))
    # Writing hundreds of series takes milliseconds, for which the event loop would answer nobody.
    body, media_type = await asyncio.to_thread(figures.exposition, accept)
    return Response(body, headers={"Content-Type": media_type})
