"""What a run leaves for people to look at: its curves and some predictions, as PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

from runtime import categories, datasets
from runtime.datasets import Pair
from runtime.frames import Frame, Mask
from train.fit import Epoch

matplotlib.use("agg")
from matplotlib import pyplot


def draw_curves(epochs: list[Epoch], path: Path) -> None:
    """Loss, and mean IoU of each validation set, by epoch."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    numbers = [epoch.epoch for epoch in epochs]
    left.plot(numbers, [epoch.loss for epoch in epochs], marker="o")
    left.set(xlabel="epoch", ylabel="training loss")
    for name in epochs[-1].validation if epochs else ():
        scores = [epoch.validation.get(name, {}).get("mean_iou", np.nan) for epoch in epochs]
        right.plot(numbers, scores, marker="o", label=name)
    right.set(xlabel="epoch", ylabel="mean category IoU")
    if epochs and epochs[-1].validation:
        right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_samples(segment: Callable[[Frame], Mask], pairs: list[Pair], path: Path) -> None:
    """Frame, truth and prediction side by side, a row each; `segment` makes a frame's mask."""
    figure, grid = pyplot.subplots(len(pairs), 3, figsize=(12, 2.2 * len(pairs)), squeeze=False, layout="constrained")
    for row, pair in zip(grid, pairs, strict=True):
        frame, truth = datasets.read(pair)
        mask = categories.PALETTE[segment(frame)]
        shown = ((pair.key, frame), ("truth", categories.PALETTE[truth]), ("prediction", mask))
        for axes, (title, picture) in zip(row, shown, strict=True):
            axes.imshow(picture)
            axes.set_title(title, fontsize=7)
            axes.axis("off")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
