"""How sure the model is: what a request asks of it, `confidence=` and `min_confidence=`, and what is answered.

The network stores the probability of each pixel's category as a whole number, 0 to 255 for 0 to 1. A pixel is below
`min_confidence` where `stored / 255 < min_confidence`, in other words where stored < ceil(255 x min_confidence).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from api import parameters
from api.errors import RequestMalformed
from api.metrics import GOOD
from api.model import Model
from runtime.frames import Mask
from runtime.quality import Quality
from runtime.segmenter import Confidence

CONFIDENCE_HEADER, QUALITY_HEADER = "Roadmask-Confidence", "Roadmask-Quality"

_SHARES = [stored / 255 for stored in range(256)]
"""As a client divides: 255 x (51 / 255) is not always 51 to the last bit, and would cost a pixel here and there."""


@dataclass(frozen=True)
class Wanted:
    """What a request asks of the confidence."""

    in_answer: bool = False
    """Whether the answer is to hold it for each pixel."""
    least: int = 0
    """Pixels that are stored as less than this become void: 0, which changes nothing, to 255."""


def wanted(query: Mapping[str, str], model: Model) -> Wanted:
    """What a request's parameters ask for.

    Raises:
        RequestMalformed: one of them makes no sense, or the server does without confidence.
    """
    asked = query.get("confidence", "0")
    if asked not in ("0", "1"):
        raise RequestMalformed(f"confidence is '{asked}': give 1 for it, or 0")
    found = Wanted(asked == "1", least_stored(parameters.share(query, "min_confidence", 0.0)))
    if found != Wanted() and not model.has_confidence:
        raise RequestMalformed("this server does without confidence: ROADMASK_CONFIDENCE=1 switches it on")
    return found


def least_stored(share: float) -> int:
    """The least stored number, 0 to 255, that is not below a share of 0..1."""
    return bisect_left(_SHARES, share)


def void_below(mask: Mask, confidence: Confidence, least: int) -> Mask:
    """The mask with void where the model is not sure enough.

    Args:
        mask: uint8 H x W, category ids; stays as it is.
        confidence: uint8 H x W, of the same pixels.
        least: what is below it becomes void; 0 gives the mask itself.
    """
    if least == 0:
        return mask
    is_sure = cv2.compare(confidence, least, cv2.CMP_GE)  # 255 or 0
    return np.asarray(cv2.bitwise_and(mask, is_sure), np.uint8)


def headers(quality: Quality | None) -> dict[str, str]:
    """What an answer's head says of the frame; nothing where the server does without confidence."""
    if quality is None:
        return {}
    flags = ", ".join(quality.flags) or GOOD
    return {CONFIDENCE_HEADER: f"{quality.confidence:.3f}", QUALITY_HEADER: flags}


def told(quality: Quality) -> dict[str, Any]:
    """What an answer in JSON says of the frame."""
    return {
        "mean_confidence": quality.confidence,
        "quality": {"flags": list(quality.flags), "luma": quality.luma, "sharpness": quality.sharpness},
    }
