"""What the report measures itself: the data, and one model on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from runtime import categories, codecs, datasets, frames, metrics
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid, FrameError
from runtime.frames import Frame, Geometry, Mask
from runtime.segment_analysis import Analysis, FrameScore

SAMPLE = 300
"""Masks of each split that the statistics are counted over, evenly spread: the shares stand to about a percent of
themselves then, and the whole of Cityscapes at full size takes seconds."""

Segment = Callable[[Frame], Mask]
Item = TypeVar("Item")


@dataclass
class Split:
    """The statistics of one split of a data set."""

    name: str
    frames: int
    read: int
    """Frames whose masks were counted."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(width, height) to the number of frames among those read."""
    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(categories.COUNT, np.int64))
    """int64 8, by category id, as an evaluation sees them: labels that are not scored are void."""
    in_frames: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(categories.COUNT, np.int64))
    """int64 8, how many of the frames read have a pixel of the category."""


@dataclass
class Scored:
    """One model on one data set's validation split."""

    name: str
    there: int
    """Frames of the split."""
    pairs: list[Pair]
    """Those that were scored, in the order of `analysis.frames`."""
    analysis: Analysis


@dataclass(frozen=True)
class Worst:
    """One of the frames on which the model is at its worst."""

    data_set: str
    pair: Pair
    mean_iou: float
    score: FrameScore


def _shown(items: Sequence[Item], title: str) -> Iterable[Item]:
    return track(items, title, console=Console(stderr=True), transient=True)


def statistics(name: str, source: Source) -> list[Split]:
    """Of every split that is there.

    Raises:
        DataInvalid: a mask is broken, or a frame has none.
    """
    found = []
    for split in source.splits():
        pairs = source.pairs(split)
        some = datasets.spread(pairs, SAMPLE)
        row = Split(split, len(pairs), len(some))
        for pair in _shown(some, f"statistics of {name}, {split}"):
            mask = _truth(pair)
            counts = metrics.pixels(mask)
            row.pixels += counts
            row.in_frames += counts > 0
            row.sizes[mask.shape[1], mask.shape[0]] += 1
        found.append(row)
    return found


def _truth(pair: Pair) -> Mask:
    try:
        raw = codecs.decode_mask(pair.truth.read_bytes())
    except (FrameError, OSError) as error:
        raise DataInvalid(f"{pair.key}: {error}") from error
    return datasets.to_categories(raw, pair, scored_only=True)


def score(name: str, segment: Segment, source: Source, limit: int | None) -> Scored:
    """The model on the validation split, at the labels' own size.

    Args:
        name: of the data set.
        segment: uint8 H x W x 3 RGB to uint8 H x W category ids.
        source: with a split `val`.
        limit: at most so many frames, evenly spread; None takes all.

    Raises:
        DataInvalid: there is no such split, or a pair is broken.
    """
    there = source.pairs("val")
    pairs = datasets.spread(there, limit or len(there))
    analysis = Analysis()
    for pair in _shown(pairs, f"score on {name}"):
        frame, truth = datasets.read(pair, scored_only=True)
        analysis.add(truth, segment(frame))
    return Scored(name, len(there), pairs, analysis)


def worst(scored: Iterable[Scored], count: int) -> list[Worst]:
    """The `count` frames of all data sets whose own mean IoU (`FrameScore.mean_iou`) is the lowest, worst first."""
    rows = [
        Worst(data.name, pair, value, frame)
        for data in scored
        for pair, frame in zip(data.pairs, data.analysis.frames, strict=True)
        if (value := frame.mean_iou()) is not None
    ]
    return sorted(rows, key=lambda row: row.mean_iou)[:count]


def keras_segment(path: Path, settings: dict[str, Any]) -> Segment:
    """A `model.keras` as a function from frame to mask, fitted as in serving.

    Args:
        path: the file: float RGB 0..255 to logits of the categories 1 to 7.
        settings: the run's, whose `geometry` counts.

    Raises:
        DataInvalid: it is no such file, or TensorFlow is not installed.
    """
    try:
        import keras  # noqa: PLC0415 - it takes seconds to load
        import tensorflow as tf  # noqa: PLC0415
    except ImportError as error:
        raise DataInvalid(f"{path} needs TensorFlow: pip install 'roadmask[train]', or name an .onnx file") from error
    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise DataInvalid(f"{path} is no Keras file: {str(error).splitlines()[0]}") from error
    # One trace a size: Keras' bilinear upsampling does not take a height and width that are not known yet.
    predict = tf.function(lambda image: tf.argmax(model(image, training=False), -1) + 1)
    geometry = Geometry(**settings.get("geometry", {}))

    def segment(frame: Frame) -> Mask:
        where = frames.plan(frame.shape[0], frame.shape[1], geometry)
        image = tf.cast(frames.fit(frame, where)[None], tf.float32)
        return frames.restore(np.asarray(predict(image)[0], np.uint8), where)

    return segment
