"""How good a model is on a labelled folder, at the labels' own size, and whether it knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from runtime import categories, datasets, frames, quality
from runtime.calibration import Reliability
from runtime.datasets import Pair
from runtime.frames import Frame, Mask
from runtime.metrics import Confusion
from runtime.quality import Quality
from runtime.segmenter import Segmenter


@dataclass
class Trust:
    """How a model's masks, its confidence and the frames' quality were found to be."""

    confusion: Confusion = field(default_factory=Confusion)
    reliability: Reliability = field(default_factory=Reliability)
    qualities: list[Quality] = field(default_factory=list)
    """Of each frame."""

    def flags(self) -> dict[str, int]:
        """How many frames have each flag, all flags listed."""
        counted = Counter(flag for found in self.qualities for flag in found.flags)
        return {flag: counted[flag] for flag in quality.FLAGS}

    def flagged(self) -> int:
        """How many frames have a flag."""
        return sum(bool(found.flags) for found in self.qualities)


def evaluate(segment: Callable[[Frame], Mask], pairs: Sequence[Pair], *, title: str = "evaluate") -> Confusion:
    """The confusion matrix of all pairs; labels that Cityscapes' evaluation leaves out count as void.

    Args:
        segment: uint8 H x W x 3 RGB to uint8 H x W category ids.
        pairs: what is read, one pair at a time.
        title: stands beside the progress bar, which goes to standard error.

    Raises:
        DataInvalid: a pair is broken.
    """
    confusion = Confusion()
    for pair in shown(pairs, title):
        frame, truth = datasets.read(pair, scored_only=True)
        confusion.add(truth, segment(frame))
    return confusion


def evaluate_trust(segmenter: Segmenter, pairs: Sequence[Pair], *, title: str = "evaluate") -> Trust:
    """As `evaluate`, with the confidence that is served, by its 0..255, and each frame's quality.

    Args:
        segmenter: loaded with confidence.
        pairs: as `evaluate`.
        title: likewise.

    Raises:
        DataInvalid: a pair is broken.
        ModelInvalid: it was loaded without confidence.
    """
    found = Trust()
    for pair in shown(pairs, title):
        frame, truth = datasets.read(pair, scored_only=True)
        where = segmenter.plan(frame)
        fitted = frames.fit(frame, where)
        masks, confidences = segmenter.infer_with_confidence(fitted[None])
        mask, confidence = (frames.restore(values[0], where) for values in (masks, confidences))
        found.confusion.add(truth, mask)
        found.reliability.add(truth, mask, confidence)
        found.qualities.append(quality.assess(fitted, where, segmenter.contract.quality, confidences[0]))
    return found


def shown(pairs: Sequence[Pair], title: str) -> Iterable[Pair]:
    """The pairs, with a progress bar on standard error."""
    return track(pairs, title, console=Console(stderr=True), transient=True)


def summary(confusion: Confusion, frames: int) -> dict[str, Any]:
    """The figures as JSON can hold them: `frames`, `mean_iou`, `accuracy`, `iou` by category; shares 0..1 or None."""
    return {
        "frames": frames,
        "mean_iou": confusion.mean_iou(),
        "accuracy": confusion.accuracy(),
        "iou": confusion.iou(),
    }


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def table(rows: dict[str, dict[str, Any]]) -> Table:
    """Summaries by name, for people: a column each."""
    drawn = Table("IoU of", *rows)
    for name in (categories.NAMES[i] for i in categories.SCORED):
        drawn.add_row(name, *(_share(row["iou"][name]) for row in rows.values()))
    drawn.add_section()
    drawn.add_row("mean", *(_share(row["mean_iou"]) for row in rows.values()))
    drawn.add_row("accuracy", *(_share(row["accuracy"]) for row in rows.values()))
    drawn.add_row("frames", *(str(row["frames"]) for row in rows.values()))
    return drawn


def trust_table(rows: dict[str, Trust]) -> Table:
    """Calibration error and flagged frames by name, for people: a column each."""
    drawn = Table("confidence", *rows)
    drawn.add_row("expected calibration error", *(_share(row.reliability.error()) for row in rows.values()))
    drawn.add_section()
    for flag in quality.FLAGS:
        drawn.add_row(f"frames {flag}", *(str(row.flags()[flag]) for row in rows.values()))
    drawn.add_row("frames with any flag", *(str(row.flagged()) for row in rows.values()))
    return drawn
