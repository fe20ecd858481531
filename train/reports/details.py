"""The sections on where a model is wrong: sizes of things, regions of the frame, and the worst frames themselves."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime import categories, codecs, datasets, frames, png_writer
from runtime.frames import Frame, Mask
from runtime.metrics import Confusion
from runtime.segment_analysis import FOUND, LEAST_SHARE, SIZE_EDGES, Analysis, SizeScores
from train.reports.accuracy import of_frames
from train.reports.analysis import Scored, Worst
from train.reports.markup import (
    Cell,
    Html,
    Shade,
    figure,
    join,
    many,
    paragraph,
    percent,
    picture,
    section,
    share,
    side,
    swatch,
    table,
)

REGION_SHARE = 0.01
"""A category counts in a region's mean if it has at least this share of the region's pixels: a stray pixel of sky on
the road would make a mean of its own."""
RECALL_SHARE = 0.001
"""Likewise, for a region's recall of a category: a few pixels of a bumper are no evidence."""
PICTURE_PIXELS = 480
"""Width of an embedded picture: four fill a page, and twenty rows stay below a few megabytes."""
DIFFERENCE_PALETTE: npt.NDArray[np.uint8] = np.array([(0, 0, 0), (0, 158, 115), (213, 94, 0)], np.uint8)
"""Not scored black, right bluish green, wrong vermilion: of Okabe and Ito's palette, which the colour-blind can tell
apart; the same as the service's own comparison."""


def sizes(scored: Sequence[Scored]) -> Html:
    """IoU and recall by the size of connected parts."""
    definition = paragraph(
        "A part is a connected area (8 neighbours) of one category in the truth: no instance, as people side by side "
        "make one. Its size is its share of the frame's pixels. Recall is the share of its pixels that are right; the "
        f"mean counts each part the same. A part is found if at least {100 * FOUND:g} % of it is right, and lost if "
        "not one pixel is. IoU = TP / (TP + FP + FN) of all parts of a size, each wrongly added pixel being counted "
        "with the part that is nearest.",
        "soft",
    )
    figures = [_size(row, name, scores) for row in scored for name, scores in row.analysis.sizes.items()]
    return section("sizes", "Sizes of things", definition, side(*figures))


def size_names() -> list[str]:
    """Of the bins."""
    edges = [f"{100 * edge:g}" for edge in SIZE_EDGES]
    between = [f"{low} to {high}\u00a0%" for low, high in pairwise(edges)]
    return [f"below {edges[0]}\u00a0%", *between, f"from {edges[-1]}\u00a0%"]


def _size(row: Scored, name: str, scores: SizeScores) -> Html:
    body: list[list[Cell]] = []
    columns = (scores.iou(), scores.share(scores.recalls), scores.share(scores.found), scores.share(scores.lost))
    for bin_name, parts, *values in zip(size_names(), scores.parts, *columns, strict=True):
        iou, recall, found, lost = values
        shades = [Shade(share(v), v or 0) for v in (iou, recall)]
        body.append([bin_name, f"{parts:,}", *shades, Shade(percent(found, 0), found or 0), percent(lost, 0)])
    small, large = int(scores.lost[:2].sum()), int(scores.lost[2:].sum())
    return figure(
        table(("size", "parts", "IoU", "recall", "found", "lost"), body),
        f"{row.name}: {name} by size",
        f"n = {many(int(scores.parts.sum()), 'part')} in {of_frames(row)}; in frames without any, "
        f"{many(scores.false_alone, 'pixel')} were given the category.",
        f"Lost altogether: {small} of {int(scores.parts[:2].sum())} parts below {100 * SIZE_EDGES[1]:g}\u00a0%, and "
        f"{large} of {int(scores.parts[2:].sum())} larger ones.",
    )


def region_means(analysis: Analysis) -> list[list[float | None]]:
    """By row and column of the grid, the mean IoU of the categories with REGION_SHARE of the region's pixels."""
    return [[_region_mean(cell) for cell in row] for row in analysis.cells]


def _region_mean(cell: Confusion) -> float | None:
    there = cell.matrix[list(categories.SCORED)].sum(axis=1)
    iou = cell.iou().values()
    values = [v for v, n in zip(iou, there, strict=True) if v is not None and n and n >= REGION_SHARE * there.sum()]
    return sum(values) / len(values) if values else None


def regions(scored: Sequence[Scored]) -> Html:
    """Heat maps over the frame."""
    figures = []
    for row in scored:
        cells = row.analysis.cells
        maps = {"mean IoU": region_means(row.analysis)}
        for name in ("human", "vehicle"):
            maps[f"recall of {name}"] = [[_recall(cell, name) for cell in line] for line in cells]
        figures += [_map(row, what, values) for what, values in maps.items()]
    definition = paragraph(
        "The frame is divided into 4 x 8 regions of equal size, as the camera sees them: the first row is the top. The "
        f"mean IoU of a region is over the categories with at least {100 * REGION_SHARE:g} % of its pixels; recall is "
        "the share of the category's pixels in the region that are right. A dash: the category has less than "
        f"{100 * RECALL_SHARE:g} % of the region's pixels. The stronger the colour, the higher, from the map's lowest "
        "value to its highest.",
        "soft",
    )
    return section("regions", "Regions of the frame", definition, side(*figures))


def _recall(cell: Confusion, name: str) -> float | None:
    i = categories.NAMES.index(name)
    there = int(cell.matrix[i].sum())
    scored = int(cell.matrix[list(categories.SCORED)].sum())
    return int(cell.matrix[i, i]) / there if there and there >= RECALL_SHARE * scored else None


def _map(row: Scored, what: str, values: Sequence[Sequence[float | None]]) -> Html:
    known = [(value, r, c) for r, line in enumerate(values) for c, value in enumerate(line) if value is not None]
    if not known:
        return Html("")
    (low, worst_row, worst_column), high = min(known), max(known)[0]
    names = ("top", *(f"row {number}" for number in range(2, len(values))), "bottom")
    body: list[list[Cell]] = [
        [
            name,
            *(
                Shade(share(v, 2).removeprefix("0"), 0.08 + 0.92 * (v - low) / ((high - low) or 1))
                if v is not None
                else share(None)
                for v in line
            ),
        ]
        for name, line in zip(names, values, strict=True)
    ]
    columns = ["", *(str(number + 1) for number in range(len(values[0])))]
    return figure(
        table(columns, body, kind="map"),
        f"{row.name}: {what} by region",
        f"From {low:.2f} to {high:.2f}; n = {of_frames(row)}.",
        f"Lowest in {names[worst_row]}, column {worst_column + 1} ({low:.2f}).",
    )


def difference(truth: Mask, prediction: Mask) -> npt.NDArray[np.uint8]:
    """Where a mask is right, uint8 H x W: 0 not scored (void in the truth), 1 right, 2 wrong.

    Args:
        truth: uint8 H x W, category ids.
        prediction: uint8 H x W, category ids.
    """
    verdict = np.where(truth == prediction, np.uint8(1), np.uint8(2))
    verdict[truth == categories.VOID] = 0
    return verdict


def worst_frames(segment: Callable[[Frame], Mask], rows: Sequence[Worst], *, pictures: bool = True) -> Html:
    """The frames themselves, with truth, mask and difference; each is read and segmented anew.

    Without pictures: their names and what went wrong.
    """
    shown = [_worst(number, segment, row, pictures=pictures) for number, row in enumerate(rows, 1)]
    in_order = (
        "In order: the frame, the truth, the mask, and what is right (green), wrong (orange), and not scored because "
        "the truth is void (black). "
    )
    legend = paragraph(join(*(Html(f"<span>{swatch(name)}</span>") for name in categories.NAMES)), "legend")
    return section(
        "worst",
        f"The worst {many(len(rows), 'frame')}",
        paragraph(
            "By the frame's own mean IoU, over the categories with at least "
            f"{100 * LEAST_SHARE:g} % of its scored pixels. {in_order if pictures else ''}A frame can be here "
            "because its truth is wrong: look before concluding.",
            "soft",
        ),
        legend if pictures else "",
        *shown,
    )


def _worst(number: int, segment: Callable[[Frame], Mask], row: Worst, *, pictures: bool) -> Html:
    frame, truth = datasets.read(row.pair, scored_only=True)
    mask = segment(frame)
    confusion = Confusion()
    confusion.add(truth, mask)
    there = {i: int(confusion.matrix[i].sum()) for i in categories.SCORED}
    iou = confusion.iou()
    least = max(1.0, LEAST_SHARE * sum(there.values()))
    counted = {name: iou[name] for i, n in there.items() if n >= least and iou[name := categories.NAMES[i]] is not None}
    weakest = sorted(counted, key=lambda name: counted[name] or 0)[:3]
    worst_of = ", ".join(f"{name} {share(counted[name], 2)}" for name in weakest)
    title = join(
        Html(f"<b>{number}. mean IoU {row.mean_iou:.3f}</b>,"),
        f"{percent(confusion.accuracy())} of the pixels right; lowest {worst_of}; {row.data_set} {row.pair.key}",
    )
    if not pictures:
        return paragraph(title)
    views = (
        picture(_photo(frame), "image/jpeg", f"frame {row.pair.key}"),
        picture(codecs.encode_mask(_small(truth)), "image/png", "truth, painted by category"),
        picture(codecs.encode_mask(_small(mask)), "image/png", "predicted mask, painted by category"),
        picture(
            png_writer.encode_indices(_small(difference(truth, mask)), DIFFERENCE_PALETTE),
            "image/png",
            "right and wrong",
        ),
    )
    return Html(f'<div class="frame"><h3>{title}</h3><div class="views">{"".join(views)}</div></div>')


def _size_of(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, PICTURE_PIXELS / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _small(mask: Mask) -> Mask:
    return frames.resize_mask(np.ascontiguousarray(mask), *_size_of(*mask.shape))


def _photo(frame: Frame) -> bytes:
    buffer = io.BytesIO()
    small = frames.resize(frame, *_size_of(frame.shape[0], frame.shape[1]))
    Image.fromarray(small).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
