"""Whether a frame is one that the network can be trusted with: light, sharpness, and how sure the network is.

Judged is what the network sees: the frame as it was fitted to it, without the padding, so that the frame's own size
hardly matters. What counts as unusual is no rule of thumb: `convert` takes the thresholds from the data that the
network was made with (`convert.calibrate`), and a model file carries them in its contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from runtime.frames import Fit, Frame

TOO_DARK, TOO_BRIGHT, BLURRED = "too dark", "too bright", "blurred"
UNLIKE = "unlike the training data"
FLAGS = (TOO_DARK, TOO_BRIGHT, BLURRED, UNLIKE)

LUMA_LOW, LUMA_HIGH, SHARPNESS_LOW, CONFIDENCE_LOW = "luma_low", "luma_high", "sharpness_low", "confidence_low"
"""The names of the thresholds in a contract. A frame beyond one is flagged; a threshold that is missing flags none."""

_NEAR, _FAR = 2, 8
"""Pixels of the network's input between which differences are taken. One pixel would measure noise, and what resizing
does; 8 is wider than the blur of a sharp picture that was enlarged twice. Of nine measures tried on clean and blurred
frames of three cameras, this one told blur apart best, and neither fog nor JPEG moves it."""

_SMOOTHEST = (_NEAR / _FAR) ** 2
"""Of a picture whose brightness is one slope, and taken for one without any difference."""


@dataclass(frozen=True)
class Quality:
    """What was found, and what it was judged by."""

    flags: tuple[str, ...]
    """Of FLAGS, in their order; none for a good frame."""
    luma: float
    """Mean brightness, 0..255 (ITU-R BT.601)."""
    sharpness: float
    """1/16 (as blurred as can be) to about 1 (noise); see `sharpness`."""
    confidence: float | None
    """Mean of the pixels' confidence, 0..1; None where it is not known."""


def assess(
    fitted: Frame, where: Fit, thresholds: Mapping[str, float], confidence: npt.NDArray[np.uint8] | None = None
) -> Quality:
    """Judge one frame.

    Args:
        fitted: the network's input, uint8 `where.height` x `where.width` x 3, RGB.
        where: how the frame lies in it.
        thresholds: a contract's `quality`, by LUMA_LOW...; without any, nothing is flagged.
        confidence: the network's output of that name, uint8 `where.height` x `where.width`; None if there is none.
    """
    grey = cv2.cvtColor(fitted[: where.content_height, : where.content_width], cv2.COLOR_RGB2GRAY)
    luma = float(cv2.mean(grey)[0])
    sharp = sharpness(np.asarray(grey, np.uint8))
    sure = None
    if confidence is not None:
        sure = float(cv2.mean(confidence[: where.content_height, : where.content_width])[0]) / 255
    found = {
        TOO_DARK: luma < thresholds.get(LUMA_LOW, 0),
        TOO_BRIGHT: luma > thresholds.get(LUMA_HIGH, 255),
        BLURRED: sharp < thresholds.get(SHARPNESS_LOW, 0),
        UNLIKE: sure is not None and sure < thresholds.get(CONFIDENCE_LOW, 0),
    }
    return Quality(tuple(flag for flag, is_so in found.items() if is_so), luma, sharp, sure)


def sharpness(grey: npt.NDArray[np.uint8]) -> float:
    """How fast brightness changes over a short way, compared with a long one.

    The ratio D(2) / D(8) of the picture's structure function D(d), the mean squared difference of pixels that are d
    apart (Kolmogorov, 1941), as the geometric mean of both directions. Brightness and contrast cancel out. A slope
    gives (2 / 8)^2 = 1/16, single edges give 2 / 8 = 1/4, noise gives 1.

    Args:
        grey: uint8 H x W.
    """
    ratios = []
    for axis in (0, 1):
        near, far = (_squared_difference(grey, distance, axis) for distance in (_NEAR, _FAR))
        ratios.append(near / far if far else _SMOOTHEST)
    return float(np.sqrt(ratios[0] * ratios[1]))


def _squared_difference(grey: npt.NDArray[np.uint8], distance: int, axis: int) -> float:
    """Of each pixel and the one so far after it, mean; 0 where there is none."""
    if grey.shape[axis] <= distance:
        return 0.0
    first, second = (grey[:-distance], grey[distance:]) if axis == 0 else (grey[:, :-distance], grey[:, distance:])
    return float(cv2.norm(first, second, cv2.NORM_L2SQR)) / first.size
