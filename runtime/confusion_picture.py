"""The picture of confusion matrices: what each category's pixels were taken for, and the IoU that follows.

matplotlib is an extra, and imported when a picture is asked for: nothing else of `runtime` needs it.
"""

from __future__ import annotations

import importlib
import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime import categories
from runtime.errors import DataInvalid
from runtime.metrics import Confusion

PANEL_INCHES = (8.0, 6.9)
"""Width and height of one data set's matrix."""
DPI = 120
TITLE_WIDTH = 70
"""Characters of the title that fit above one panel."""
SWATCH = 0.34
"""Side of the square in a category's colour that stands beside its name; a cell's side is 1."""
DARK = 0.55
"""From this share on a cell is so dark that its figure is white."""


def require_matplotlib() -> None:
    """Nothing, where pictures can be drawn: asked before the work that they are to show.

    Raises:
        DataInvalid: matplotlib is not installed.
    """
    try:
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise DataInvalid("a picture needs matplotlib: pip install 'roadmask[plot]'") from error


def shares(confusion: Confusion) -> npt.NDArray[np.float64]:
    """What became of each category's pixels, float64 7 x 7, 0..1, NaN in the row of a category that does not occur.

    Rows are the ground truth's categories 1 to 7, columns the predicted ones. Pixels whose truth is void count nowhere,
    and void is never predicted, so each row that is there sums to 1.
    """
    scored = np.ix_(categories.SCORED, categories.SCORED)
    matrix = confusion.matrix[scored].astype(np.float64)
    # What is predicted void is wrong as well: it belongs to the row's total, though no column shows it.
    totals = confusion.matrix[list(categories.SCORED)].sum(axis=1, keepdims=True)
    made: npt.NDArray[np.float64] = np.divide(matrix, totals, out=np.full_like(matrix, np.nan), where=totals > 0)
    return made


def titled_figure(width: float, height: float, title: Sequence[str]) -> Any:
    """An empty matplotlib figure.

    Args:
        width: inches.
        height: inches.
        title: its lines.
    """
    # With a canvas of its own: pyplot would keep it, and choose a backend for the whole process.
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    importlib.import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
    figure.suptitle("\n".join(title), fontsize=13, fontweight="bold")
    return figure


def draw(confusions: Mapping[str, Confusion], title: str) -> bytes:
    """A PNG with a panel for each data set.

    Args:
        confusions: by the data set's name, at least one.
        title: what was evaluated on what.

    Raises:
        DataInvalid: matplotlib is not installed.
    """
    require_matplotlib()
    wide = min(len(confusions), 2)
    high = -(-len(confusions) // wide)
    width, height = PANEL_INCHES
    figure = titled_figure(width * wide, height * high + 0.9, textwrap.wrap(title, TITLE_WIDTH * wide))
    panels = figure.subplots(high, wide, squeeze=False).ravel()
    for axes, (name, confusion) in zip(panels, confusions.items(), strict=False):
        shown = _panel(axes, name, confusion)
    for axes in panels[len(confusions) :]:
        axes.axis("off")
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.6, pad=0.02, aspect=35, format="%d %%", location="bottom")
    bar.set_label("share of the pixels of a category of the ground truth (a row sums to 100 %; void is left out)")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _panel(axes: Any, name: str, confusion: Confusion) -> Any:
    """One matrix with its IoU at the side; gives what the colour scale is of."""
    names = [categories.NAMES[i] for i in categories.SCORED]
    percent = 100 * shares(confusion)
    count = len(names)
    # The same scale in every panel, and linear from nothing to all: equal colours are equal shares.
    shown = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    axes.set_facecolor("0.9")  # seen where there is no share
    for row in range(count):
        for column in range(count):
            _cell(axes, row, column, percent[row, column])
    axes.set_xticks(range(count), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.tick_params(length=0, pad=6)
    axes.tick_params(axis="y", pad=32)
    axes.set(xlabel="predicted", ylabel="ground truth")
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    _title(axes, name, confusion)
    _side(axes, confusion, count)
    return shown


def _cell(axes: Any, row: int, column: int, percent: float) -> None:
    if np.isnan(percent):
        text = "-"
    elif 0 < percent < 0.05:
        text = "<0.1"
    else:
        text = f"{percent:.1f}"
    color = "white" if percent >= 100 * DARK else "0.15"
    weight = "bold" if row == column else "normal"
    axes.text(column, row, text, ha="center", va="center", fontsize=10, color=color, fontweight=weight)


def _title(axes: Any, name: str, confusion: Confusion) -> None:
    mean, accuracy = confusion.mean_iou(), confusion.accuracy()
    if mean is None or accuracy is None:
        axes.set_title(f"{name}\nno pixel has a category", fontsize=11)
        return
    axes.set_title(f"{name}\nmean IoU {mean:.4f}, {100 * accuracy:.2f} % of the pixels right", fontsize=11)


def _side(axes: Any, confusion: Confusion, count: int) -> None:
    """At the right the IoU, at the left a square in the category's colour."""
    swatch_of = importlib.import_module("matplotlib.patches").Rectangle
    axes.text(count - 0.35, -0.75, "IoU", ha="left", va="center", fontsize=10, fontweight="bold")
    for row, (category_id, value) in enumerate(zip(categories.SCORED, confusion.iou().values(), strict=True)):
        color = tuple(channel / 255 for channel in categories.CATEGORIES[category_id].color)
        corner = (-0.62 - SWATCH, row - SWATCH / 2)
        axes.add_patch(swatch_of(corner, SWATCH, SWATCH, facecolor=color, clip_on=False))
        text = "-" if value is None else f"{value:.3f}"
        axes.text(count - 0.35, row, text, ha="left", va="center", fontsize=10)
