"""What a run leaves for people to look at: its curves and some predictions, as PNG."""

from __future__ import annotations

from pathlib import Path

import keras
import matplotlib
import numpy as np

from runtime import categories, datasets, frames
from runtime.datasets import Pair
from train.fit import Epoch
from train.settings import Settings

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


def draw_samples(model: keras.Model, settings: Settings, pairs: list[Pair], path: Path) -> None:
    """Frame, truth and prediction side by side, a row each."""
    figure, grid = pyplot.subplots(len(pairs), 3, figsize=(12, 2.2 * len(pairs)), squeeze=False, layout="constrained")
    for row, pair in zip(grid, pairs, strict=True):
        frame, truth = datasets.read(pair)
        where = frames.plan(*truth.shape, settings.geometry)
        logits = model(np.float32(frames.fit(frame, where)[None]), training=False)
        mask = frames.restore(np.asarray(np.argmax(logits, -1)[0] + 1, np.uint8), where)
        shown = ((pair.key, frame), ("truth", categories.PALETTE[truth]), ("prediction", categories.PALETTE[mask]))
        for axes, (title, picture) in zip(row, shown, strict=True):
            axes.imshow(picture)
            axes.set_title(title, fontsize=7)
            axes.axis("off")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
