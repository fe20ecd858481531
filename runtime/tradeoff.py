"""What accuracy costs in time: models side by side, measured in one run.

A model's milliseconds alone say nothing on a machine that is not the reader's, so Pillow's decoding of the same frames
as PNG, which every pipeline knows, is timed in turn with the models.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from runtime import frames
from runtime.bench import percentile
from runtime.frames import Frame
from runtime.segmenter import Segmenter

WARM_UP = 2
"""Rounds that are not counted: the first allocates, the second still meets cold caches."""


@dataclass
class Point:
    """A model on the picture."""

    name: str
    """The file's stem without its precision: what points of one network are joined by."""
    precision: str
    gmac: float | None
    """Of the contract: 10^9 multiply-accumulates of an inference at the full pixel budget."""
    times_ms: list[float] = field(default_factory=list)
    """Of single inferences, fitted frame to mask."""
    mean_iou: dict[str, float | None] = field(default_factory=dict)
    """Mean category IoU, 0..1, by data set."""

    @classmethod
    def of(cls, segmenter: Segmenter) -> Point:
        """Nothing measured yet."""
        name = segmenter.name.removesuffix(f"-{segmenter.contract.precision}")
        return cls(name, segmenter.contract.precision, segmenter.contract.gmac)

    @property
    def median_ms(self) -> float:
        """Of all rounds and frames.

        Raises:
            ValueError: nothing was timed.
        """
        return statistics.median(self.times_ms)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "name": self.name,
            "precision": self.precision,
            "gmac": self.gmac,
            "median_ms": round(self.median_ms, 3),
            "p90_ms": round(percentile(self.times_ms, 90), 3),
            "mean_iou": self.mean_iou,
        }


def time_in_turn(
    segmenters: Mapping[str, Segmenter], shots: Sequence[Frame], rounds: Iterable[int]
) -> tuple[dict[str, list[float]], list[float]]:
    """Milliseconds of each model's inferences, and of Pillow's decoding of the same frames as PNG.

    In each round every model takes every frame once and Pillow decodes each once: what slows the machine down for a
    while slows all of them. Fitting is not in the models' times.

    Args:
        segmenters: by any name.
        shots: uint8 H x W x 3, RGB.
        rounds: one item a round; the first WARM_UP are not counted.
    """
    fitted = {name: [frames.fit(s, one.plan(s))[None] for s in shots] for name, one in segmenters.items()}
    files = [_png(shot) for shot in shots]
    times: dict[str, list[float]] = {name: [] for name in segmenters}
    decoding: list[float] = []
    for number, _ in enumerate(rounds):
        is_counted = number >= WARM_UP
        for name, segmenter in segmenters.items():
            taken = [_milliseconds(segmenter.infer, image) for image in fitted[name]]
            times[name] += taken if is_counted else []
        taken = [_milliseconds(_decode, data) for data in files]
        decoding += taken if is_counted else []
    return times, decoding


def _milliseconds(work: Callable[[Any], object], given: object) -> float:
    began = time.perf_counter()
    work(given)
    return 1000 * (time.perf_counter() - began)


def _png(frame: Frame) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()


def _decode(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
