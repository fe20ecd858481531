"""The sections on the data and on a model's accuracy: categories, confusion, outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from runtime import categories, confusion_picture, segment_analysis
from runtime.boundaries import TOLERANCE
from train.reports.analysis import Scored, Split
from train.reports.markup import (
    Cell,
    Html,
    Shade,
    figure,
    many,
    paragraph,
    percent,
    section,
    share,
    side,
    swatch,
    table,
)

NAMES = [categories.NAMES[i] for i in categories.SCORED]


def data(splits: Mapping[str, Sequence[Split]]) -> Html:
    """What there is to learn from and to be measured on."""
    rows = [(name, split) for name, of_set in splits.items() for split in of_set]
    sizes = [[f"{name}, {split.name}", f"{split.frames:,}", f"{split.read:,}", _sizes(split)] for name, split in rows]
    read = sum(split.read for _, split in rows)
    overview = figure(
        table(("data set, split", "frames", "masks counted", "width x height (frames)"), sizes),
        "Frames",
        "Frames with a mask in each split of each data set, and the sizes among the masks that were counted (evenly "
        f"spread over the split, {many(read, 'mask')} in all).",
        "Figures hold for these cameras and sizes; whatever differs from them has not been measured here.",
    )
    return section("data", "Data", overview, _shares(rows, read))


def _sizes(split: Split) -> str:
    most = split.sizes.most_common(3)
    told = ", ".join(f"{width} x {height} ({count})" for (width, height), count in most)
    rest = len(split.sizes) - len(most)
    return f"{told}, {rest} more sizes" if rest else told


def _shares(rows: Sequence[tuple[str, Split]], read: int) -> Html:
    """The pixel shares, a row a split, void last, and how many frames have each category at all."""
    order = [*categories.SCORED, categories.VOID]
    body: list[list[Cell]] = []
    for name, split in rows:
        total = max(1, int(split.pixels.sum()))
        part = [split.pixels[i] / total for i in order]
        body.append([f"{name}, {split.name}", *(Shade(percent(float(value)), float(value)) for value in part)])
        seen = [int(split.in_frames[i]) / split.read for i in order]
        body.append(["in frames", *(percent(value, 0) for value in seen)])
    rarest = _rarest(rows)
    return figure(
        table(("share of pixels", *(swatch(categories.NAMES[i]) for i in order)), body),
        "Categories",
        "Share of all pixels that each category has, and below it the share of frames in which it occurs at all "
        f"(n = {many(read, 'mask')}). Labels that Cityscapes' evaluation leaves out count as void, which is never "
        "scored.",
        f"{rarest} has the fewest pixels: it weighs least in the share of right pixels, and as much as any other in "
        "the mean IoU."
        if rarest
        else "",
    )


def _rarest(rows: Sequence[tuple[str, Split]]) -> str:
    together = sum((split.pixels for _, split in rows), start=np.zeros(categories.COUNT, np.int64))
    there = [i for i in categories.SCORED if together[i]]
    return categories.NAMES[min(there, key=lambda i: int(together[i]))].capitalize() if there else ""


def accuracy(scored: Sequence[Scored]) -> Html:
    """Categories and confusion, a figure a data set."""
    definitions = paragraph(
        "All pixels of all frames of a data set are counted together, at the masks' own size; pixels whose truth is "
        "void count nowhere. TP are a category's pixels that are found, FN those that are not, FP those that are "
        "wrongly given it. IoU = TP / (TP + FP + FN), precision = TP / (TP + FP), recall = TP / (TP + FN), from 0 to "
        "1. The mean IoU is the mean over the categories that occur (cityscapesScripts, category level).",
        "soft",
    )
    return section(
        "accuracy",
        "Accuracy by category",
        definitions,
        side(*(_categories(row) for row in scored)),
        *(_confusion(row) for row in scored),
    )


def of_frames(row: Scored) -> str:
    """`24 of 351 validation frames of cityscapes`."""
    return f"{len(row.pairs)} of {many(row.there, 'validation frame')} of {row.name}"


def _categories(row: Scored) -> Html:
    confusion = row.analysis.confusion
    iou, rates = confusion.iou(), segment_analysis.rates(confusion)
    body: list[list[Cell]] = [
        [swatch(name), *(Shade(share(value), value or 0) for value in (iou[name], *rates[name]))] for name in NAMES
    ]
    between = row.analysis.interval()
    means = [[value for value in column if value is not None] for column in zip(*rates.values(), strict=True)]
    body.append(["mean", share(confusion.mean_iou()), *(share(sum(m) / len(m)) if m else share(None) for m in means)])
    known = {name: value for name, value in iou.items() if value is not None}
    conclusion = ""
    if known:
        weakest = min(known, key=lambda name: known[name])
        strongest = max(known, key=lambda name: known[name])
        conclusion = (
            f"Weakest: {weakest} ({known[weakest]:.3f}); strongest: {strongest} ({known[strongest]:.3f}). Where recall "
            "is below precision, things are passed over; where it is above, they are seen where there are none."
        )
    told = f"95 % interval of the mean IoU {between[0]:.3f} to {between[1]:.3f}" if between else "no interval of one"
    return figure(
        table(("category", "IoU", "precision", "recall"), body),
        f"{row.name}: IoU, precision, recall",
        f"n = {of_frames(row)}; {told} (percentile bootstrap over frames, {segment_analysis.RESAMPLES:,} draws; frames "
        "of one drive are alike, so it is too narrow rather than too wide).",
        conclusion,
    )


def _confusion(row: Scored) -> Html:
    shares = confusion_picture.shares(row.analysis.confusion)
    body: list[list[Cell]] = []
    for name, values in zip(NAMES, shares, strict=True):
        cells = [Shade(share(None), 0) if np.isnan(v) else Shade(percent(float(v)), float(v)) for v in values]
        body.append([swatch(name), *cells])
    away = np.nan_to_num(shares * (1 - np.eye(len(NAMES))))
    truth, taken = np.unravel_index(int(np.argmax(away)), away.shape)
    pixels = int(row.analysis.confusion.matrix[list(categories.SCORED)].sum())
    return figure(
        table(("truth \\ predicted", *(swatch(name) for name in NAMES)), body),
        f"{row.name}: confusion matrix",
        "What each category's pixels were taken for: rows are the truth, columns the prediction, a row sums to 100 %. "
        f"n = {pixels:,} pixels that are not void, in {of_frames(row)}.",
        f"The largest error: {percent(float(away[truth, taken]))} of {NAMES[truth]} is taken for {NAMES[taken]}.",
    )


def outlines(scored: Sequence[Scored]) -> Html:
    """How well outlines lie."""
    figures = []
    for row in scored:
        scores = row.analysis.boundaries
        f_score, precision, recall = scores.f_score(), scores.precision(), scores.recall()
        body: list[list[Cell]] = [
            [
                swatch(name),
                *(Shade(share(value), value or 0) for value in (f_score[name], precision[name], recall[name])),
                f"{scores.frames[categories.NAMES.index(name)]:,}",
            ]
            for name in NAMES
        ]
        known = {name: value for name, value in f_score.items() if value is not None}
        body.append(["mean", share(sum(known.values()) / len(known)) if known else share(None), None, None, None])
        figures.append(
            figure(
                table(("category", "F", "precision", "recall", "frames"), body),
                f"{row.name}: boundary F-score",
                f"n = {of_frames(row)}; the last column has the frames in which truth or prediction has an outline of "
                "the category.",
                f"Outlines of {min(known, key=lambda name: known[name])} lie worst." if known else "",
            )
        )
    definition = paragraph(
        "Precision is the share of a category's predicted outline that lies within "
        f"{100 * TOLERANCE:g} % of the frame's diagonal of the true outline (17 pixels at 2048 x 1024), recall the "
        "share of the true outline that lies as near to the predicted one, F = 2 P R / (P + R); each is the mean over "
        "frames (Csurka, Larlus and Perronnin, BMVC 2013). Edges against void are left out; a frame in which only one "
        "of the two has the category counts 0.",
        "soft",
    )
    return section("outlines", "Outlines", definition, side(*figures))
