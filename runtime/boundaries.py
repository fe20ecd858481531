"""How well the outlines of a mask lie: the boundary F-score, by category.

After G. Csurka, D. Larlus and F. Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013:
of each category's outline in the prediction, the share that lies near the truth's outline is the precision; of the
truth's, the share that lies near the prediction's is the recall; F is their harmonic mean, taken a frame at a time and
averaged over the frames. Near is 0.75 % of the frame's diagonal, as there. The same measure is called F in DAVIS
(Perazzi et al., CVPR 2016), which takes 0.8 %.

One thing is added, because Cityscapes' void is no category: where the truth is void the prediction counts as void, and
an edge against void is no outline.
"""

from __future__ import annotations

from math import hypot

import cv2
import numpy as np
import numpy.typing as npt

from runtime import categories
from runtime.frames import Mask

TOLERANCE = 0.0075
"""Of the frame's diagonal."""

Flags = npt.NDArray[np.bool_]


def outline(mask: Mask) -> Flags:
    """The pixels, bool H x W, with a neighbour (left, right, above, below) of another category; void is none.

    Args:
        mask: uint8 H x W, category ids.
    """
    found = np.zeros(mask.shape, np.bool_)
    for first, second in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        one, other = mask[first], mask[second]
        differs = (one != other) & (one != categories.VOID) & (other != categories.VOID)
        found[first] |= differs
        found[second] |= differs
    return found


def near(lines: Flags, tolerance: float) -> Flags:
    """The pixels, bool H x W, whose centre lies at most `tolerance` pixels from the centre of one of `lines`."""
    if not lines.any():
        return np.zeros(lines.shape, np.bool_)
    distance = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= tolerance, np.bool_)


class BoundaryScores:
    """Boundary precision, recall and F of each category, gathered frame by frame."""

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        """
        Args:
            tolerance: what is near, as a share of the frame's diagonal.
        """
        self.tolerance = tolerance
        self.frames: npt.NDArray[np.int64] = np.zeros(categories.COUNT, np.int64)
        """int64 8: frames in which truth or prediction has an outline of the category."""
        self._sums: npt.NDArray[np.float64] = np.zeros((3, categories.COUNT))

    def add(self, truth: Mask, prediction: Mask) -> None:
        """Count one frame: category ids, uint8 H x W, both of one shape."""
        seen = np.where(truth == categories.VOID, np.uint8(categories.VOID), prediction)
        reach = self.tolerance * hypot(*truth.shape)
        of_truth, of_prediction = outline(truth), outline(seen)
        for category_id in categories.SCORED:
            wanted, made = of_truth & (truth == category_id), of_prediction & (seen == category_id)
            if not (wanted.any() or made.any()):
                continue
            self.frames[category_id] += 1
            if wanted.any() and made.any():
                precision = float(near(wanted, reach)[made].mean())
                recall = float(near(made, reach)[wanted].mean())
                both = precision + recall
                self._sums[:, category_id] += (precision, recall, 2 * precision * recall / both if both else 0.0)

    def f_score(self) -> dict[str, float | None]:
        """F (0..1) by category, the mean over `frames`; None where no frame has an outline of it."""
        return self._means(2)

    def precision(self) -> dict[str, float | None]:
        """As `f_score`; a frame in which only one of truth and prediction has the category counts 0."""
        return self._means(0)

    def recall(self) -> dict[str, float | None]:
        """As `precision`."""
        return self._means(1)

    def _means(self, row: int) -> dict[str, float | None]:
        return {
            categories.NAMES[i]: float(self._sums[row, i] / self.frames[i]) if self.frames[i] else None
            for i in categories.SCORED
        }
