"""What is left of a model's accuracy when its frames are not what it was trained on.

A condition changes a frame: one of the 15 common corruptions (`runtime.corruptions`), another size, another aspect
ratio, JPEG at a camera's setting. What it leaves is told as the share of the clean IoU that is kept, which Michaelis et
al. (2019) call relative performance under corruption; their mean over the corruptions is the mean of ours.

Corruptions leave the ground truth as it is, also those that move pixels a little, as the literature does. A size
changes frame and ground truth alike. An aspect ratio is cut out of the middle, not padded and not stretched: a camera
of that format shows less of the same world, and no camera sends black bars. What is cut away takes easy and hard pixels
with it; so each condition is held against the mask of the clean frame on the very pixels that it has left.
"""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from runtime import cores, corruptions, datasets, frames
from runtime.datasets import Pair
from runtime.frames import Frame, Mask
from runtime.metrics import Confusion

SIZES = {"size_half": 0.5, "size_double": 2.0}
"""Of both sides."""
ASPECTS = {"aspect_4_3": 4 / 3, "aspect_16_9": 16 / 9}
"""Width to height."""
QUALITIES = {f"jpeg_{quality}": quality for quality in (80, 50, 20, 10)}
"""libjpeg's quality: 80 is a camera's usual, 10 a starved link's."""
OTHERS = ("size", "aspect", "quality")
"""The groups of conditions that are not among the 15."""
GROUPS = (*dict.fromkeys(corruption.group for corruption in corruptions.CORRUPTIONS.values()), *OTHERS)


@dataclass(frozen=True)
class Condition:
    """A change of frames."""

    name: str
    """Of `corruptions.CORRUPTIONS`, `SIZES`, `ASPECTS` or `QUALITIES`."""
    severity: int | None = None
    """1 to 5 of a corruption, else None."""

    @property
    def group(self) -> str:
        """One of `GROUPS`."""
        if self.name in corruptions.CORRUPTIONS:
            return corruptions.CORRUPTIONS[self.name].group
        return "size" if self.name in SIZES else "aspect" if self.name in ASPECTS else "quality"

    def change(self, frame: Frame, seed: int) -> Frame:
        """The frame, uint8 H x W x 3 RGB, as this condition makes it; the same seed makes the same."""
        if self.severity is not None:
            return corruptions.corrupt(frame, self.name, self.severity, seed)
        if self.name in SIZES:
            return frames.resize(frame, *self._size(frame))
        if self.name in ASPECTS:
            return np.ascontiguousarray(frame[_middle(frame, ASPECTS[self.name])])
        return corruptions.jpeg_compression(frame, QUALITIES[self.name], np.random.default_rng(0))

    def change_mask(self, mask: Mask) -> Mask:
        """A mask of the frame, uint8 H x W ids, on the pixels of the changed frame."""
        if self.name in SIZES:
            return frames.resize_mask(mask, *self._size(mask))
        if self.name in ASPECTS:
            return np.ascontiguousarray(mask[_middle(mask, ASPECTS[self.name])])
        return mask

    def _size(self, pixels: Frame | Mask) -> tuple[int, int]:
        height, width = (max(1, round(side * SIZES[self.name])) for side in pixels.shape[:2])
        return height, width


def _middle(pixels: Frame | Mask, aspect: float) -> tuple[slice, slice]:
    """The largest box of an aspect ratio in the middle of an image."""
    height, width = pixels.shape[:2]
    inner_height, inner_width = min(height, round(width / aspect)), min(width, round(height * aspect))
    top, left = (height - max(1, inner_height)) // 2, (width - max(1, inner_width)) // 2
    return slice(top, top + max(1, inner_height)), slice(left, left + max(1, inner_width))


def conditions(severities: Sequence[int], only: Sequence[str] | None = None) -> list[Condition]:
    """All conditions, in the order of a report.

    Args:
        severities: 1 to 5, of the corruptions.
        only: names of corruptions and of `OTHERS`; None takes all.
    """
    made = [Condition(name, severity) for name in corruptions.CORRUPTIONS for severity in sorted(set(severities))]
    made += [Condition(name) for name in (*SIZES, *ASPECTS, *QUALITIES)]
    return [one for one in made if only is None or (one.name if one.severity is not None else one.group) in only]


@dataclass(frozen=True)
class Row:
    """What became of one condition."""

    condition: Condition
    found: Confusion = field(default_factory=Confusion)
    """Of the changed frames."""
    clean: Confusion = field(default_factory=Confusion)
    """Of the frames as they are, on the same pixels."""

    def kept(self) -> float | None:
        """Share of the clean mean IoU, 0 to 1 or a little above; None where there is none."""
        return _ratio(self.found.mean_iou(), self.clean.mean_iou())

    def kept_of(self) -> dict[str, float | None]:
        """Share of the clean IoU by category name."""
        clean = self.clean.iou()
        return {name: _ratio(value, clean[name]) for name, value in self.found.iou().items()}


def _ratio(found: float | None, clean: float | None) -> float | None:
    """None counts as nothing where there was something: a category that occurs has an IoU."""
    return (found or 0.0) / clean if clean else None


def mean_kept(rows: Sequence[Row]) -> dict[int, float]:
    """The mean share kept over the corruptions, by severity; a severity without any has no entry."""
    by_severity: dict[int, list[float]] = {}
    for row in rows:
        kept = row.kept()
        if row.condition.severity is not None and kept is not None:
            by_severity.setdefault(row.condition.severity, []).append(kept)
    return {severity: sum(values) / len(values) for severity, values in sorted(by_severity.items())}


def measure(
    segment: Callable[[Frame], Mask],
    pairs: Sequence[Pair],
    chosen: Sequence[Condition],
    *,
    title: str = "robustness",
    workers: int | None = None,
) -> tuple[Confusion, list[Row]]:
    """The confusion matrix of the clean frames, and a row for each condition.

    A corruption is drawn from the frame's name: the same in every run, and in a run over other frames beside it.

    Args:
        segment: uint8 H x W x 3 RGB to uint8 H x W category ids, from several threads at once.
        pairs: what is read, one pair at a time for each worker.
        chosen: as `conditions` gives them.
        title: stands beside the progress bar, which goes to standard error.
        workers: frames at a time; None takes a thread for each core, as inference leaves a core idle at times, and the
            corruptions need but one.

    Raises:
        DataInvalid: a pair is broken.
    """
    clean, rows = Confusion(), [Row(condition) for condition in chosen]
    console, ended = Console(stderr=True), threading.Event()
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    with bar, _pool(workers, ended) as pool:
        task = bar.add_task(title, total=len(pairs) * (1 + len(chosen)))
        done = pool.map(lambda pair: _of_frame(segment, pair, chosen, lambda: _advance(bar, task, ended)), pairs)
        for clean_of_frame, rows_of_frame in done:
            clean.matrix += clean_of_frame.matrix
            for row, new in zip(rows, rows_of_frame, strict=True):
                row.found.matrix += new.found.matrix
                row.clean.matrix += new.clean.matrix
    return clean, rows


@contextlib.contextmanager
def _pool(workers: int | None, ended: threading.Event) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(workers or cores.available())
    try:
        yield pool
    finally:
        # After an error or Ctrl-C, what has not begun never begins, and nobody waits for a frame's other conditions.
        ended.set()
        pool.shutdown(cancel_futures=True)


def _advance(bar: Progress, task: TaskID, ended: threading.Event) -> None:
    if ended.is_set():
        raise CancelledError
    bar.advance(task)


def _of_frame(
    segment: Callable[[Frame], Mask], pair: Pair, chosen: Sequence[Condition], advance: Callable[[], None]
) -> tuple[Confusion, list[Row]]:
    frame, truth = datasets.read(pair, scored_only=True)
    unchanged = segment(frame)
    clean = Confusion()
    clean.add(truth, unchanged)
    advance()
    seed = zlib.crc32(pair.key.encode())
    rows = []
    for condition in chosen:
        row = Row(condition)
        truth_then = condition.change_mask(truth)
        row.found.add(truth_then, segment(condition.change(frame, seed)))
        if truth_then is truth:
            row.clean.matrix += clean.matrix
        else:
            row.clean.add(truth_then, condition.change_mask(unchanged))
        rows.append(row)
        advance()
    return clean, rows


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures as JSON can hold them; shares 0..1 or None.

    `mean_kept` is over the corruptions, by severity; `rows` has `name`, `group`, `severity` (None outside the 15),
    `mean_iou`, `kept`, `clean_mean_iou` (on the same pixels), `iou` and `kept_by_category`.
    """
    return {
        "mean_kept": {str(severity): value for severity, value in mean_kept(rows).items()},
        "rows": [
            {
                "name": row.condition.name,
                "group": row.condition.group,
                "severity": row.condition.severity,
                "mean_iou": row.found.mean_iou(),
                "clean_mean_iou": row.clean.mean_iou(),
                "kept": row.kept(),
                "iou": row.found.iou(),
                "kept_by_category": row.kept_of(),
            }
            for row in rows
        ],
    }
