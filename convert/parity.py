"""The gate: a converted model that does not do what the trained one does is not written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from runtime import metrics
from runtime.errors import RoadmaskError
from runtime.frames import Frame, Mask
from runtime.segmenter import Confidence

FLOAT_AGREEMENT = 0.999
"""Least share of equal pixels between Keras and float32: what differs is rounding where two logits tie."""
HALF_AGREEMENT = 0.998
"""The same between float32 and float16, which has 11 bits of mantissa: 0.9997 on generated streets."""
INT8_AGREEMENT = 0.97
"""Least share of equal pixels between float32 and int8, where no labels tell whether the difference matters."""
LOSS = 0.005
"""Most mean category IoU that a lower precision may lose against float32, where labels are given."""


CONFIDENCE_DIFFERENCE = 0.02
"""Most mean absolute difference of the confidence (0..1) from the source's, at temperature 1. Keras' is taken at the
frame's size, ours before the logits are enlarged (`convert.confidence`)."""

Trusted = Callable[[Frame], tuple[Mask, Confidence]]
"""A model at work: a frame's mask and confidence."""


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
    confidence: float
    """Mean absolute difference of the confidence over all frames, 0..1."""

    def __str__(self) -> str:
        return (
            f"{self.share:.4%} of the pixels equal over {self.frames} frames, {self.worst:.4%} in the worst; "
            f"confidence {self.confidence:.4f} apart"
        )


def compare(first: Trusted, second: Trusted, some: Sequence[Frame]) -> Agreement:
    """Both models on each frame.

    Raises:
        ParityFailed: there is no frame to compare on.
    """
    if not some:
        raise ParityFailed("there is no frame to hold the models against each other")
    shares, apart = [], []
    for frame in some:
        (mask, confidence), (other_mask, other_confidence) = first(frame), second(frame)
        shares.append(metrics.agreement(mask, other_mask))
        apart.append(float(np.mean(cv2.absdiff(confidence, other_confidence))) / 255)
    return Agreement(len(shares), float(np.mean(shares)), min(shares), float(np.mean(apart)))


def gate(found: Agreement, least: float, what: str) -> None:
    """Let an agreement through, or not.

    Raises:
        ParityFailed: fewer equal pixels than `least`.
    """
    if found.share < least:
        raise ParityFailed(f"{what}: {found}; at least {least:.2%} is asked, so nothing was written")


def gate_confidence(found: Agreement, what: str) -> None:
    """Let the confidence of an agreement through, or not.

    Raises:
        ParityFailed: it lies further apart than CONFIDENCE_DIFFERENCE.
    """
    if found.confidence > CONFIDENCE_DIFFERENCE:
        raise ParityFailed(
            f"{what}: {found}; at most {CONFIDENCE_DIFFERENCE} may lie between them, so nothing was written"
        )


def gate_loss(lost: float, precision: str, kind: str) -> None:
    """Let a precision's loss of mean category IoU on a data set through, or not.

    Raises:
        ParityFailed: it is more than LOSS.
    """
    print(f"{precision} loses {lost:.4f} mean category IoU on {kind}")
    if lost > LOSS:
        raise ParityFailed(
            f"{precision} loses {lost:.4f} mean category IoU on {kind}, at most {LOSS} may be lost: nothing was written"
        )
