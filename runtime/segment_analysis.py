"""What a mean IoU hides: where in the frame, in which frames and on which sizes of things a model is wrong.

All of it is gathered frame by frame in constant memory, apart from one confusion matrix a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from runtime import categories
from runtime.boundaries import BoundaryScores
from runtime.frames import Mask
from runtime.metrics import Confusion

Counts = npt.NDArray[np.int64]

GRID = (4, 8)
"""Rows and columns of regions: squares, in a frame of 2:1."""

SIZED = (3, 6, 7)
"""The categories whose connected parts are told by size: object, human, vehicle."""

SIZE_EDGES = (0.0001, 0.0003, 0.001, 0.003, 0.01)
"""Between the bins, as shares of the frame's pixels, so that frames of different sizes can be put together. Half
decades: a square of such an area has a side of 14, 25, 46, 79 and 145 pixels in a frame of 2048 x 1024."""

FOUND = 0.5
"""A part is found if at least this share of its pixels has its category."""

LEAST_SHARE = 0.001
"""Of a frame's scored pixels, for a category to count in the frame's own mean: three pixels of a distant pole are not
to decide which frames are the worst."""

RESAMPLES = 1000
"""Of the bootstrap: the interval's ends are then stable to about a tenth of its width."""


def rates(confusion: Confusion) -> dict[str, tuple[float | None, float | None]]:
    """Precision and recall (0..1) by category, of pixels whose truth is not void.

    Precision = TP / (TP + FP), None where it is never predicted; recall = TP / (TP + FN), None where it never occurs.
    """
    scored = confusion.matrix[list(categories.SCORED)]
    made: dict[str, tuple[float | None, float | None]] = {}
    for row, i in enumerate(categories.SCORED):
        hits, predicted, there = int(scored[row, i]), int(scored[:, i].sum()), int(scored[row].sum())
        made[categories.NAMES[i]] = (hits / predicted if predicted else None, hits / there if there else None)
    return made


@dataclass(frozen=True)
class FrameScore:
    """One frame's figures."""

    matrix: Counts
    """int64 8 x 8, rows truth, columns prediction."""

    def mean_iou(self) -> float | None:
        """The mean IoU of the categories that have at least LEAST_SHARE of the frame's scored pixels; None without."""
        confusion = Confusion()
        confusion.matrix = self.matrix
        there = self.matrix[list(categories.SCORED)].sum(axis=1)
        least = LEAST_SHARE * there.sum()
        values = [v for v, n in zip(confusion.iou().values(), there, strict=True) if v is not None and n and n >= least]
        return sum(values) / len(values) if values else None


def interval(matrices: Sequence[Counts], *, seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of the mean IoU by the percentile bootstrap over frames (Efron 1979); None below two frames.

    Frames are drawn with replacement. Neighbouring frames of one drive are alike, so the true interval is wider.

    Args:
        matrices: int64 8 x 8 of each frame, rows truth, columns prediction.
        seed: of the draws.
    """
    if len(matrices) < 2:
        return None
    frames = len(matrices)
    times = np.random.default_rng(seed).multinomial(frames, np.full(frames, 1 / frames), RESAMPLES)
    stacked = np.stack(matrices).reshape(frames, -1).astype(np.float64)
    scored = (times @ stacked).reshape(RESAMPLES, categories.COUNT, categories.COUNT)[:, list(categories.SCORED)]
    hits = scored[:, np.arange(len(categories.SCORED)), list(categories.SCORED)]
    union = scored.sum(axis=2) + scored.sum(axis=1)[:, list(categories.SCORED)] - hits
    iou = np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)
    low, high = np.nanpercentile(np.nanmean(iou, axis=1), (2.5, 97.5))
    return float(low), float(high)


class SizeScores:
    """How well connected parts (8 neighbours) of one category are found, by their size in the truth.

    A part is no instance: people who stand side by side make one, a car behind a pole makes two.
    """

    def __init__(self, category_id: int) -> None:
        bins = len(SIZE_EDGES) + 1
        self.category_id = category_id
        self.parts: Counts = np.zeros(bins, np.int64)
        """int64, by bin: parts of the truth."""
        self.found: Counts = np.zeros(bins, np.int64)
        """Of these, those of which at least FOUND is right."""
        self.lost: Counts = np.zeros(bins, np.int64)
        """Of these, those of which not one pixel is right."""
        self.recalls: npt.NDArray[np.float64] = np.zeros(bins)
        """The sum of the parts' recalls: each part counts the same, whatever its size."""
        self.hits: Counts = np.zeros(bins, np.int64)
        """Pixels of the parts that are right, and `missed` those that are not."""
        self.missed: Counts = np.zeros(bins, np.int64)
        self.false: Counts = np.zeros(bins, np.int64)
        """Pixels that are wrongly given the category, each in the bin of the part that is nearest to it."""
        self.false_alone = 0
        """The same in frames whose truth has no such part."""

    def add(self, truth: Mask, prediction: Mask) -> None:
        """Count one frame: category ids, uint8 H x W, both of one shape."""
        is_there = truth == self.category_id
        is_false = (prediction == self.category_id) & ~is_there & (truth != categories.VOID)
        if not is_there.any():
            self.false_alone += int(is_false.sum())
            return
        # Labels each part 1, 2, ... and every other pixel with the nearest part's number (5 x 5 chamfer distance).
        _, nearest = cv2.distanceTransformWithLabels(
            (~is_there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
        )
        labels = int(nearest.max()) + 1
        area = np.bincount(nearest[is_there], minlength=labels)
        right = np.bincount(nearest[is_there & (prediction == self.category_id)], minlength=labels)
        wrong = np.bincount(nearest[is_false], minlength=labels)
        some = area > 0
        area, right, wrong = area[some], right[some], wrong[some]
        bins = np.searchsorted(np.array(SIZE_EDGES) * truth.size, area, side="right")
        recall = right / area
        for counts, values in (
            (self.parts, np.ones_like(area)),
            (self.found, recall >= FOUND),
            (self.lost, right == 0),
            (self.recalls, recall),
            (self.hits, right),
            (self.missed, area - right),
            (self.false, wrong),
        ):
            np.add.at(counts, bins, values)

    def iou(self) -> list[float | None]:
        """By bin, hits / (hits + missed + false), 0..1; None where the bin has no part."""
        union = self.hits + self.missed + self.false
        return [float(h / u) if n else None for h, u, n in zip(self.hits, union, self.parts, strict=True)]

    def share(self, counts: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> list[float | None]:
        """By bin, a count or a sum of this object's over the number of parts; None where there is none."""
        return [float(c / n) if n else None for c, n in zip(counts, self.parts, strict=True)]


class Analysis:
    """Everything about one model on one data set."""

    def __init__(self, grid: tuple[int, int] = GRID) -> None:
        """
        Args:
            grid: rows and columns of regions, of relative size: frames may differ in size.
        """
        self.grid = grid
        self.confusion = Confusion()
        self.cells = [[Confusion() for _ in range(grid[1])] for _ in range(grid[0])]
        """By row and column of the grid; together they hold every pixel once."""
        self.boundaries = BoundaryScores()
        self.sizes = {categories.NAMES[i]: SizeScores(i) for i in SIZED}
        self.frames: list[FrameScore] = []
        """In the order in which they were added."""

    def add(self, truth: Mask, prediction: Mask) -> None:
        """Count one frame.

        Args:
            truth: uint8 H x W, category ids 0..7.
            prediction: uint8 H x W, category ids 0..7.

        Raises:
            DataInvalid: as `Confusion.add`.
        """
        frame = Confusion()
        frame.add(truth, prediction)
        self.confusion.matrix += frame.matrix
        self.frames.append(FrameScore(frame.matrix))
        rows, columns = (
            np.linspace(0, side, parts + 1).round().astype(int)
            for side, parts in zip(truth.shape, self.grid, strict=True)
        )
        for row, (top, bottom) in zip(self.cells, pairwise(rows), strict=True):
            for cell, (left, right) in zip(row, pairwise(columns), strict=True):
                if bottom > top and right > left:
                    cell.add(truth[top:bottom, left:right], prediction[top:bottom, left:right])
        self.boundaries.add(truth, prediction)
        for scores in self.sizes.values():
            scores.add(truth, prediction)

    def interval(self) -> tuple[float, float] | None:
        """As `interval` of this module, of the frames so far."""
        return interval([frame.matrix for frame in self.frames])
