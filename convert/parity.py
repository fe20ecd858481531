"""The gate: a converted model that does not do what the trained one does is not written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runtime import metrics
from runtime.errors import RoadmaskError
from runtime.frames import Frame, Mask

FLOAT_AGREEMENT = 0.999
"""Least share of equal pixels between Keras and float32: what differs is rounding where two logits tie."""
HALF_AGREEMENT = 0.998
"""The same between float32 and float16, which has 11 bits of mantissa: 0.9997 on generated streets."""
INT8_AGREEMENT = 0.97
"""Least share of equal pixels between float32 and int8, where no labels tell whether the difference matters."""
LOSS = 0.005
"""Most mean category IoU that a lower precision may lose against float32, where labels are given."""


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
