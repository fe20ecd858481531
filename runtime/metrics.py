"""How good a mask is: the confusion matrix and what follows from it, as Cityscapes defines it.

The definitions are those of cityscapesScripts' `evalPixelLevelSemanticLabeling.py` at category level: pixels whose
ground truth is void count nowhere, IoU = TP / (TP + FP + FN) over all pixels of all frames together, and the mean is
taken over the categories that occur.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from runtime import categories
from runtime.errors import DataInvalid
from runtime.frames import Mask


class Confusion:
    """Counts of (truth, prediction) pairs, gathered frame by frame in constant memory."""

    def __init__(self) -> None:
        self.matrix: npt.NDArray[np.int64] = np.zeros((categories.COUNT, categories.COUNT), np.int64)
        """int64 8 x 8, rows truth, columns prediction."""

    def add(self, truth: Mask, prediction: Mask) -> None:
        """Count one frame.

        Args:
            truth: uint8 H x W, category ids 0..7.
            prediction: uint8 H x W, category ids 0..7.

        Raises:
            DataInvalid: the shapes differ, or an id is above 7.
        """
        if truth.shape != prediction.shape:
            raise DataInvalid(f"the truth is {truth.shape}, the prediction {prediction.shape}: they must be alike")
        if max(int(truth.max(initial=0)), int(prediction.max(initial=0))) >= categories.COUNT:
            raise DataInvalid("a mask holds an id above 7: category ids are 0 to 7")
        self.matrix += _counts(truth * categories.COUNT + prediction, self.matrix.size).reshape(self.matrix.shape)

    def iou(self) -> dict[str, float | None]:
        """IoU (0..1) by category name, void left out; None where neither truth nor prediction has the category."""
        scored = self.matrix[list(categories.SCORED)]
        values: dict[str, float | None] = {}
        for row, category_id in enumerate(categories.SCORED):
            hits = int(scored[row, category_id])
            union = int(scored[row].sum()) + int(scored[:, category_id].sum()) - hits
            values[categories.NAMES[category_id]] = hits / union if union else None
        return values

    def mean_iou(self) -> float | None:
        """The mean of `iou()` over the categories that have one; None without any."""
        values = [value for value in self.iou().values() if value is not None]
        return sum(values) / len(values) if values else None

    def accuracy(self) -> float | None:
        """Share (0..1) of the pixels with a truth other than void that are right; None without any."""
        scored = self.matrix[list(categories.SCORED)]
        total = int(scored.sum())
        right = int(sum(self.matrix[i, i] for i in categories.SCORED))
        return right / total if total else None


def pixels(mask: Mask) -> npt.NDArray[np.int64]:
    """How many pixels each category has, int64 8, of a mask, uint8 H x W, ids 0..7."""
    return _counts(mask, categories.COUNT)


def _counts(values: npt.NDArray[np.uint8], bins: int) -> npt.NDArray[np.int64]:
    """How often each of 0..bins-1 occurs, int64.

    OpenCV's histogram is ten times as fast as numpy's, and float32: exact for 2^24 pixels at a time.
    """
    flat = values.reshape(1, -1)
    strips = (flat[:, first : first + 2**24] for first in range(0, flat.size, 2**24))
    counts = np.zeros(bins, np.int64)
    for strip in strips:
        counts += cv2.calcHist([strip], [0], None, [bins], [0, bins]).ravel().astype(np.int64)
    return counts


def agreement(first: Mask, second: Mask) -> float:
    """Share (0..1) of equal pixels of two masks of one shape."""
    return float(np.mean(first == second))
