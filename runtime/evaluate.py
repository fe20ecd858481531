"""How good a model is on a labelled folder, at the labels' own size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from runtime import categories, datasets
from runtime.datasets import Pair
from runtime.frames import Frame, Mask
from runtime.metrics import Confusion


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
    shown: Iterable[Pair] = track(pairs, title, console=Console(stderr=True), transient=True)
    for pair in shown:
        frame, truth = datasets.read(pair, scored_only=True)
        confusion.add(truth, segment(frame))
    return confusion


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
    shown = Table("IoU of", *rows)
    for name in (categories.NAMES[i] for i in categories.SCORED):
        shown.add_row(name, *(_share(row["iou"][name]) for row in rows.values()))
    shown.add_section()
    shown.add_row("mean", *(_share(row["mean_iou"]) for row in rows.values()))
    shown.add_row("accuracy", *(_share(row["accuracy"]) for row in rows.values()))
    shown.add_row("frames", *(str(row["frames"]) for row in rows.values()))
    return shown
