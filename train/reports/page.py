"""The page as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from train.reports import accuracy, details, history, measures
from train.reports.analysis import Scored, Segment, Split, Worst
from train.reports.markup import Html, join, many, paragraph
from train.reports.runs import Run
from train.reports.style import STYLE
from train.reports.summary import summary

CONTENTS = {
    "summary": "Summary",
    "data": "Data",
    "curves": "Curves",
    "accuracy": "Categories",
    "outlines": "Outlines",
    "sizes": "Sizes",
    "regions": "Regions",
    "robustness": "Robustness",
    "calibration": "Calibration",
    "runs": "Runs",
    "worst": "Worst frames",
}


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    model: str
    """What is reported on, in words: a file's name and how it was run."""
    runs: Sequence[Run]
    """The first is the one whose measures and curves are shown in full."""
    splits: Mapping[str, Sequence[Split]]
    scored: Sequence[Scored]
    worst: Sequence[Worst]
    segment: Segment
    """Makes the masks of the worst frames once more."""
    gmac: Mapping[str, float | None]
    """By run's name."""
    command: str
    """That makes this page again."""
    pictures: bool = True
    """Whether the worst frames are shown, or just named: a page of figures alone may be passed on."""


def render(report: Report) -> str:
    """The HTML document."""
    first = report.runs[0]
    frames = sum(len(row.pairs) for row in report.scored)
    head = join(
        Html(f"<h1>Report on {escape(report.model)}</h1>"),
        paragraph(
            "This page embeds frames of the data sets that it reports on. It is for its reader: it must not be "
            "committed, published or passed on, as the data sets' licences forbid that.",
            "notice",
        )
        if report.worst and report.pictures
        else "",
        paragraph(
            f"Measured on {many(frames, 'validation frame')} of {', '.join(row.name for row in report.scored)}; runs: "
            f"{', '.join(run.name for run in report.runs)}. The learning curves and the comparison are of these runs; "
            f"robustness and calibration are read from {first.name}; all else is measured here on {report.model}, "
            "which need not come from any of them if it was named by itself.",
        ),
        paragraph(join("Made with", Html(f"<code>{escape(report.command)}</code>")), "soft"),
    )
    sections = (
        summary(report.scored, first, report.model),
        accuracy.data(report.splits),
        history.curves(report.runs),
        accuracy.accuracy(report.scored),
        accuracy.outlines(report.scored),
        details.sizes(report.scored),
        details.regions(report.scored),
        measures.robustness(first),
        measures.calibration(first),
        history.comparison(report.runs, report.gmac),
        details.worst_frames(report.segment, report.worst, pictures=report.pictures),
    )
    links = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name in CONTENTS.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>Report on {escape(report.model)}</title>\n<style>{STYLE}</style></head>\n"
        f'<body>\n<header>{head}</header>\n<nav aria-label="Contents"><ul>{links}</ul></nav>\n'
        f"<main>\n{join(*sections)}\n</main>\n</body></html>\n"
    )
