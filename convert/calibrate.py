"""What makes a confidence believable, and tells unusual frames: temperature and thresholds, from labelled frames.

Of each data set's validation frames every second one calibrates, and the others tell what came of it.

The thresholds of the frame-level flags are percentiles, TAIL a side: of brightness and sharpness over frames that the
network was trained on, of the mean confidence over validation frames, because a network is surer of what it has seen.
Of several data sets the most lenient value counts, since each is a camera that the network works with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from convert.temperature import fit
from runtime import codecs, datasets, evaluate, frames, quality
from runtime.calibration import Reliability
from runtime.contract import Contract
from runtime.datasets import Pair
from runtime.evaluate import Trust
from runtime.frames import Geometry
from runtime.quality import Quality
from runtime.segmenter import Segmenter

TAIL = 0.25
"""Percent, of four flags: frames like those of training are flagged in about one case of a hundred, and validation
frames, which are of other towns, in about two (measured)."""

LOOKS = 1000
"""Most frames of a data set whose brightness and sharpness are taken, evenly spread."""

Open = Callable[[onnx.ModelProto, Contract, float], Segmenter]
"""Puts a model to work with a contract's thresholds and with confidence at a temperature."""


def looks(pairs: Sequence[Pair], geometry: Geometry) -> list[Quality]:
    """Brightness and sharpness of frames, without a network.

    Raises:
        FrameError: a frame is broken.
    """
    found = []
    for pair in evaluate.shown(datasets.spread(list(pairs), LOOKS), "frames"):
        frame = codecs.read_frame(pair.frame)
        where = frames.plan(frame.shape[0], frame.shape[1], geometry)
        found.append(quality.assess(frames.fit(frame, where), where, {}))
    return found


def thresholds(trained: Sequence[Sequence[Quality]], held_out: Sequence[Sequence[Quality]]) -> dict[str, float]:
    """A contract's `quality`.

    Args:
        trained: by data set, what frames of training look like.
        held_out: by data set, what others do, with their confidence.
    """

    def low(values: Sequence[list[float]]) -> float:
        return min(float(np.percentile(some, TAIL)) for some in values)

    return {
        quality.LUMA_LOW: low([[one.luma for one in some] for some in trained]),
        quality.LUMA_HIGH: -low([[-one.luma for one in some] for some in trained]),
        quality.SHARPNESS_LOW: low([[one.sharpness for one in some] for some in trained]),
        quality.CONFIDENCE_LOW: low([[one.confidence or 0.0 for one in some] for some in held_out]),
    }


@dataclass(frozen=True)
class Calibrated:
    """What came of it."""

    promised: Contract
    """With the temperature, the thresholds, and each data set's `ece`, 0..1, of the frames that did not calibrate."""
    report: dict[str, Any]
    """As `train report` reads it, and `data`, the errors of each data set."""


def calibrate(
    model: onnx.ModelProto,
    promised: Contract,
    pairs: Mapping[str, Sequence[Pair]],
    trained: Mapping[str, Sequence[Pair]],
    open_model: Open,
) -> Calibrated:
    """Fit on half of the frames, tell on the other half.

    Args:
        model: of the precision that is to be calibrated, without confidence.
        promised: its contract so far.
        pairs: validation frames by data set; of a single one, both halves are that one.
        trained: by data set, frames that it was trained on, or as good as.
        open_model: puts the model to work.

    Raises:
        RoadmaskError: a frame is broken, or the model can't be run.
    """
    at_hand = {kind: some[::2] for kind, some in pairs.items()}
    temperature = round(fit(model, promised.geometry, [pair for some in at_hand.values() for pair in some]), 4)
    held_out = _measure(open_model(model, promised, temperature), at_hand)
    limits = thresholds([looks(some, promised.geometry) for some in trained.values()], [t.qualities for t in held_out])
    final = replace(promised, temperature=temperature, quality=limits)
    others = {kind: some[1::2] or some for kind, some in pairs.items()}
    before = _measure(open_model(model, promised, 1.0), others)
    after = _measure(open_model(model, final, temperature), others)
    for kind, one, other in zip(others, before, after, strict=True):
        print(
            f"confidence on {kind}: expected calibration error {_said(one)} before, {_said(other)} after temperature "
            f"{temperature:g}; {other.flagged()} of {len(other.qualities)} frames flagged"
        )
    accuracy = {
        kind: {**row, "ece": trust.reliability.error()}
        for (kind, row), trust in zip(promised.accuracy.items(), after, strict=True)
    }
    return Calibrated(replace(final, accuracy=accuracy), _report(temperature, others, before, after))


def _measure(segmenter: Segmenter, pairs: Mapping[str, Sequence[Pair]]) -> list[Trust]:
    return [evaluate.evaluate_trust(segmenter, some, title=f"confidence on {kind}") for kind, some in pairs.items()]


def _said(trust: Trust) -> str:
    error = trust.reliability.error()
    return "-" if error is None else f"{error:.4f}"


def _report(
    temperature: float, pairs: Mapping[str, Sequence[Pair]], before: Sequence[Trust], after: Sequence[Trust]
) -> dict[str, Any]:
    """All data sets in one diagram, and each one's error."""
    together = [Reliability(), Reliability()]
    for whole, parts in zip(together, (before, after), strict=True):
        for trust in parts:
            whole.merge(trust.reliability)
    return {
        "frames": sum(map(len, pairs.values())),
        "temperature": temperature,
        "before": together[0].summary(),
        "after": together[1].summary(),
        "data": {
            kind: {"frames": len(some), "before": one.reliability.error(), "after": other.reliability.error()}
            for (kind, some), one, other in zip(pairs.items(), before, after, strict=True)
        },
    }
