"""What the operations page reads out of the API's `/metrics`: counters of one scrape, and rates between two."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Buckets = Mapping[float, float]
"""A histogram: upper bound to how many were at or below it; the last bound is infinite."""

WATCHING = frozenset({"/metrics", "/v2/health/live", "/v2/health/ready"})
"""Routes that only watchers ask, this page among them: not the traffic that somebody wants to see."""


def _counts() -> dict[str, float]:
    return defaultdict(float)


def _histograms() -> dict[str, dict[float, float]]:
    return defaultdict(lambda: defaultdict(float))


@dataclass(frozen=True)
class Scrape:
    """One reading; what counts does so since the API's process began. Labels that are not shown are added up."""

    requests: dict[str, float] = field(default_factory=_counts)
    """By route, without WATCHING."""
    request_seconds: dict[str, dict[float, float]] = field(default_factory=_histograms)
    """By route, without WATCHING."""
    stage_seconds: dict[str, dict[float, float]] = field(default_factory=_histograms)
    frames: dict[str, float] = field(default_factory=_counts)
    """By model."""
    refused: dict[str, float] = field(default_factory=_counts)
    """By reason, `expired` among them."""
    pixels: dict[str, float] = field(default_factory=_counts)
    """By category."""
    single: dict[str, float] = field(default_factory=dict)
    """Metrics without labels, by name; one that the API does not have is missing."""

    @property
    def process(self) -> float | None:
        """Tells one process of the API from another: after a restart, or of another replica, counters begin anew."""
        return self.single.get("process_start_time_seconds")


_BY_LABEL = {
    "roadmask_requests_total": ("requests", "route"),
    "roadmask_frames_total": ("frames", "model"),
    "roadmask_rejected_total": ("refused", "reason"),
    "roadmask_pixels_total": ("pixels", "category"),
}
"""Sample to the field that it is added to, and by which label."""

_HISTOGRAMS = {
    "roadmask_request_seconds_bucket": ("request_seconds", "route"),
    "roadmask_stage_seconds_bucket": ("stage_seconds", "stage"),
}


def parse(text: str) -> Scrape:
    """A scrape of Prometheus' text format; metrics of other names are ignored.

    Raises:
        ValueError: it is none.
    """
    scrape = Scrape()
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (ValueError, IndexError, KeyError) as error:  # the parser checks little before it cuts
        raise ValueError("this is not Prometheus' text format") from error
    for name, labels, value, *_ in samples:
        if labels.get("route") in WATCHING:
            continue
        if name in _BY_LABEL:
            kind, label = _BY_LABEL[name]
            getattr(scrape, kind)[labels[label]] += value
        elif name in _HISTOGRAMS:
            kind, label = _HISTOGRAMS[name]
            getattr(scrape, kind)[labels[label]][float(labels["le"])] += value
        elif not labels:
            scrape.single[name] = value
    scrape.refused["expired"] = scrape.single.get("roadmask_expired_total", 0.0)
    return scrape


def grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """By how much counters of one process grew; one that is new began at 0."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


def grown_buckets(before: Buckets, after: Buckets) -> dict[float, float]:
    """As `grown`, of a histogram."""
    return {bound: value - before.get(bound, 0.0) for bound, value in after.items()}


def quantile(buckets: Buckets, share: float) -> float | None:
    """A quantile as Prometheus' histogram_quantile: evenly spread within its bucket.

    Args:
        buckets: of the time that is asked about.
        share: 0..1; 0.5 is the median.

    Returns:
        In the histogram's unit; None where nothing was observed, and the last finite bound for what lies beyond it.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    rank, below, count_below = share * total, 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank and count > count_below:
            if math.isinf(bound):
                return below
            return below + (bound - below) * (rank - count_below) / (count - count_below)
        below, count_below = bound, count
    return below
