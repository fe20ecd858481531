"""The first section: the figures that matter, and what is weak, by rules that the page states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime import categories, segment_analysis
from train.reports.analysis import Scored
from train.reports.details import region_means, size_names
from train.reports.markup import Html, items, join, many, paragraph, percent, section, share, text
from train.reports.measures import SHOWN_SEVERITY, Kept, calibration_errors, mean_kept, robustness_rows
from train.reports.runs import Run

LOW_IOU = 0.6
"""Below it more than a third of the union of truth and prediction is wrong."""
LOW_RECALL = 0.9
"""Of what must not be driven into: human and vehicle."""
LOST_SHARE = 0.05
"""Of the parts of a size of which no pixel is found."""
LOW_KEPT = 0.75
"""Of the clean IoU under a corruption of severity 3 or less: the project's aim for the mean."""
HIGH_ECE = 0.03
"""The project's aim."""
AT_RISK = ("human", "vehicle")


def summary(scored: Sequence[Scored], run: Run, model: str) -> Html:
    """Tiles, then what is weak.

    Args:
        scored: the model on each data set.
        run: whose measures are told.
        model: what is reported on.
    """
    rules = paragraph(
        f"Listed is: a category with an IoU below {LOW_IOU:g}; human or vehicle with a recall below {LOW_RECALL:g}; "
        f"human or vehicle where more than {percent(LOST_SHARE, 0)} of the parts of a size are lost altogether; the "
        f"region with the lowest mean IoU; corruptions up to severity 3 that keep less than {percent(LOW_KEPT, 0)}; a "
        f"calibration error above {HIGH_ECE:g}; whatever was not measured.",
        "soft",
    )
    rows = robustness_rows(run)
    tiles = [_tiled(f"{row.name}, {many(len(row.pairs), 'frame')}", _of_data(row, rows)) for row in scored]
    errors = calibration_errors(run)
    if errors:
        tiles.append(_tiled("Confidence", [(share(errors[1]), "expected calibration error, temperature scaled")]))
    weak = items(weaknesses(scored, run, model))
    return section("summary", "Summary", *tiles, Html("<h3>What is weak</h3>"), weak, rules)


def _tiled(title: str, tiles: Sequence[tuple[str, str]]) -> Html:
    shown = "".join(f'<div class="tile"><b>{text(value)}</b><span>{text(what)}</span></div>' for value, what in tiles)
    return Html(f'<h3>{text(title)}</h3><div class="tiles">{shown}</div>')


def _of_data(row: Scored, kept: Sequence[Kept]) -> list[tuple[str, str]]:
    """A data set's figures, each with what it is."""
    confusion = row.analysis.confusion
    between = row.analysis.interval()
    told = f"mean IoU; 95 % interval {between[0]:.3f} to {between[1]:.3f}" if between else "mean IoU"
    tiles = [(share(confusion.mean_iou()), told)]
    rates = segment_analysis.rates(confusion)
    tiles += [
        (percent(recall), f"of the {name} pixels are found (recall)")
        for name in AT_RISK
        if (recall := rates[name][1]) is not None
    ]
    outlines = [value for value in row.analysis.boundaries.f_score().values() if value is not None]
    if outlines:
        tiles.append((share(float(np.mean(outlines))), "boundary F, mean of the categories"))
    if (mean := mean_kept(kept, row.name)) is not None:
        tiles.append(
            (percent(mean), f"of the clean mean IoU kept, mean of the corruptions at severity {SHOWN_SEVERITY}")
        )
    return tiles


def weaknesses(scored: Sequence[Scored], run: Run, model: str) -> list[str]:
    """Sentences, by data set; what was not measured comes last."""
    rows = robustness_rows(run)
    found: list[str] = []
    for row in scored:
        found += [*_categories(row), *_at_risk(row), *_sizes(row), *_region(row), *_corruptions(row.name, rows)]
        if len(row.pairs) < row.there:
            found.append(f"{row.name}: only {len(row.pairs)} of {row.there} validation frames were scored.")
    errors = calibration_errors(run)
    if errors and errors[1] > HIGH_ECE:
        found.append(f"Confidence is off by {errors[1]:.3f} on average, after temperature scaling.")
    for name, measure in run.measures.items():
        made_with = measure.get("model")
        if made_with and str(made_with) not in model:
            found.append(f"{name}.json was measured with {made_with}, not with the model of this page.")
    if not rows:
        found.append(_linked("Robustness against bad weather, blur and noise has not been measured.", "robustness"))
    if errors is None:
        found.append(_linked("How far confidence can be believed has not been measured.", "calibration"))
    return found


def _corruptions(data_set: str, rows: Sequence[Kept]) -> list[str]:
    low = [
        row
        for row in rows
        if row.data_set == data_set and (row.severity or 0) <= SHOWN_SEVERITY and row.kept < LOW_KEPT
    ]
    if not low:
        return []
    told = ", ".join(f"{row.said} ({percent(row.kept)})" for row in sorted(low, key=lambda row: row.kept))
    return [f"{data_set}: less than {percent(LOW_KEPT, 0)} of the clean mean IoU is left under {told}."]


def _linked(sentence: str, anchor: str) -> Html:
    return join(sentence, Html(f'<a href="#{anchor}">More</a>'))


def _categories(row: Scored) -> list[str]:
    iou = {name: value for name, value in row.analysis.confusion.iou().items() if value is not None}
    return [
        f"{row.name}: {name} has an IoU of {value:.3f}."
        for name, value in sorted(iou.items(), key=lambda item: item[1])
        if value < LOW_IOU
    ]


def _at_risk(row: Scored) -> list[str]:
    found = []
    matrix = row.analysis.confusion.matrix
    for name in AT_RISK:
        recall = segment_analysis.rates(row.analysis.confusion)[name][1]
        if recall is None or recall >= LOW_RECALL:
            continue
        i = categories.NAMES.index(name)
        away = matrix[i].copy()
        away[i] = 0
        taken = int(np.argmax(away))
        part = float(away[taken] / matrix[i].sum())
        found.append(
            f"{row.name}: {percent(1 - recall)} of {name} pixels are passed over; the largest part, "
            f"{percent(part)}, is taken for {categories.NAMES[taken]}."
        )
    return found


def _sizes(row: Scored) -> list[str]:
    found = []
    for name in AT_RISK:
        scores = row.analysis.sizes[name]
        bins = zip(size_names(), scores.parts, scores.lost, strict=True)
        told = [f"{lost} of {parts} ({size})" for size, parts, lost in bins if parts and lost / parts > LOST_SHARE]
        if told:
            found.append(f"{row.name}: {name} parts lost altogether, by their share of the frame: {', '.join(told)}.")
    return found


def _region(row: Scored) -> list[str]:
    known = [
        (value, r + 1, c + 1)
        for r, line in enumerate(region_means(row.analysis))
        for c, value in enumerate(line)
        if value is not None
    ]
    if not known:
        return []
    value, r, c = min(known)
    rows, columns = row.analysis.grid
    return [
        f"{row.name}: the mean IoU is lowest, {value:.2f}, in row {r} of {rows} from the top, column {c} of {columns}."
    ]
