"""Whether a model's confidence can be believed: the expected calibration error and the bins it is made of.

The definition is that of Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017): predictions are put into
15 bins of equal width by their confidence; in each, the mean confidence is held against the share that is right. A
prediction is a pixel whose ground truth is not void.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from runtime import categories
from runtime.errors import DataInvalid
from runtime.frames import Mask

BINS = 15
"""As in the paper. They divide 255, so that each border is a value that a pixel can have, and belongs to the bin below
it, as the paper's half-open intervals ((m - 1) / 15, m / 15] ask."""


class Reliability:
    """Pixels by their confidence, gathered frame by frame in constant memory and without rounding."""

    def __init__(self) -> None:
        self._pixels = np.zeros(256, np.int64)
        self._right = np.zeros(256, np.int64)

    def add(self, truth: Mask, prediction: Mask, confidence: npt.NDArray[np.uint8]) -> None:
        """Count one frame.

        Args:
            truth: uint8 H x W, category ids 0..7; void counts for nothing.
            prediction: uint8 H x W, category ids.
            confidence: uint8 H x W, of each pixel's prediction, 0..255 for 0..1.

        Raises:
            DataInvalid: the shapes differ.
        """
        if not truth.shape == prediction.shape == confidence.shape:
            raise DataInvalid(
                f"the truth is {truth.shape}, the prediction {prediction.shape}, the confidence {confidence.shape}: "
                "they must be alike"
            )
        scored = truth != categories.VOID
        self._pixels += np.bincount(confidence[scored], minlength=256)
        self._right += np.bincount(confidence[scored & (truth == prediction)], minlength=256)

    def merge(self, other: Reliability) -> None:
        """Count what another one has counted as well."""
        self._pixels += other._pixels
        self._right += other._right

    def bins(self) -> list[dict[str, Any]]:
        """Lowest first: `pixels`, and their mean `confidence` and `accuracy`, 0..1, or None without any pixel."""
        width = 255 // BINS
        of_value = np.maximum(0, (np.arange(256) + width - 1) // width - 1)
        pixels, right, sums = (
            np.bincount(of_value, weights, BINS)
            for weights in (self._pixels, self._right, self._pixels * np.arange(256))
        )
        return [
            {
                "confidence": sums[i] / 255 / pixels[i] if pixels[i] else None,
                "accuracy": right[i] / pixels[i] if pixels[i] else None,
                "pixels": int(pixels[i]),
            }
            for i in range(BINS)
        ]

    def error(self) -> float | None:
        """The expected calibration error, 0..1; None without any pixel."""
        total = int(self._pixels.sum())
        gaps = (abs(b["confidence"] - b["accuracy"]) * b["pixels"] for b in self.bins() if b["pixels"])
        return float(sum(gaps)) / total if total else None

    def summary(self) -> dict[str, Any]:
        """As JSON can hold it, and `train report` reads it: `ece` (0..1 or None) and `bins`."""
        return {"ece": self.error(), "bins": self.bins()}
