"""The gate: a converted model that does not do what the trained one does is not written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from runtime import frames, metrics
from runtime.errors import RoadmaskError
from runtime.frames import Frame, Geometry, Mask

FLOAT_AGREEMENT = 0.999
"""Least share of equal pixels between Keras and float32: what differs is rounding where two logits tie."""
INT8_AGREEMENT = 0.97
"""Least share of equal pixels between float32 and int8, where no labels tell whether the difference matters."""
INT8_LOSS = 0.01
"""Most mean category IoU that int8 may lose against float32, where labels are given."""


class ParityFailed(RoadmaskError):
    """The converted model differs from its source by more than the gate lets through."""


@dataclass(frozen=True)
class Agreement:
    """How far two models agree over some frames."""

    frames: int
    share: float
    """Of equal pixels over all frames, 0..1."""
    worst: float
    """The same of the frame that agrees least."""

    def __str__(self) -> str:
        return f"{self.share:.4%} of the pixels equal over {self.frames} frames, {self.worst:.4%} in the worst"


def keras_segment(model: keras.Model, geometry: Geometry) -> Callable[[Frame], Mask]:
    """The trained model as a function from frame to mask, fitted as in serving."""

    def segment(frame: Frame) -> Mask:
        where = frames.plan(frame.shape[0], frame.shape[1], geometry)
        logits = model(np.float32(frames.fit(frame, where)[None]), training=False)
        return frames.restore(np.asarray(np.argmax(logits, axis=-1)[0] + 1, np.uint8), where)

    return segment


def compare(first: Callable[[Frame], Mask], second: Callable[[Frame], Mask], some: Sequence[Frame]) -> Agreement:
    """Both models on each frame.

    Raises:
        ParityFailed: there is no frame to compare on.
    """
    if not some:
        raise ParityFailed("there is no frame to hold the models against each other")
    shares = [metrics.agreement(first(frame), second(frame)) for frame in some]
    return Agreement(len(shares), float(np.mean(shares)), min(shares))


def gate(found: Agreement, least: float, what: str) -> None:
    """Let an agreement through, or not.

    Raises:
        ParityFailed: fewer equal pixels than `least`.
    """
    if found.share < least:
        raise ParityFailed(f"{what}: {found}; at least {least:.2%} is asked, so nothing was written")


def gate_loss(lost: float, kind: str) -> None:
    """Let int8's loss of mean category IoU on a data set through, or not.

    Raises:
        ParityFailed: it is more than INT8_LOSS.
    """
    print(f"int8 loses {lost:.4f} mean category IoU on {kind}")
    if lost > INT8_LOSS:
        raise ParityFailed(
            f"int8 loses {lost:.4f} mean category IoU on {kind}, at most {INT8_LOSS} may be lost: nothing was written"
        )
