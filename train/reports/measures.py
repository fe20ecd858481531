"""The sections on robustness and calibration: what other commands measured and left in the run folder.

`robustness.json`, as `python -m runtime evaluate MODEL --corruptions --json` prints it.

`calibration.json`: `{"model", "frames", "temperature", "before": {"ece", "bins"}, "after": {"ece", "bins"}}`, a bin
being `{"confidence", "accuracy", "pixels"}`: the means over the pixels whose confidence falls into it, 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import DataInvalid
from train.reports.accuracy import NAMES
from train.reports.lines import chart
from train.reports.markup import (
    Cell,
    Html,
    Shade,
    figure,
    join,
    many,
    paragraph,
    percent,
    section,
    share,
    side,
    swatch,
    table,
)
from train.reports.runs import Run

ROBUSTNESS_COMMAND = "python -m runtime evaluate MODEL --corruptions --data KIND:DIR --json > RUN/robustness.json"
SHOWN_SEVERITY = 3
"""Of the heat map by category, and of the summary's mean: the middle of the five, and the one that aims are set for."""


@dataclass(frozen=True)
class Kept:
    """What one change of the frames leaves of the accuracy on one data set."""

    data_set: str
    name: str
    severity: int | None
    """1 to 5 of a corruption; None of a change of size, aspect or quality."""
    mean_iou: float
    kept: float
    """Share of the clean mean IoU, 0 to 1 or a little above."""
    by_category: Mapping[str, float | None]
    """The same of each category's IoU."""

    @property
    def said(self) -> str:
        """Its name, with the severity where it has one."""
        return self.name if self.severity is None else f"{self.name} at severity {self.severity}"


def _missing(run: Run, name: str, how: str) -> Html:
    file = Html(f"<code>{name}.json</code> is not in the run folder")
    return paragraph(join(file, f"of {run.name}:", how), "missing")


def robustness_rows(run: Run) -> list[Kept]:
    """What `robustness.json` holds; [] where it is not there.

    Raises:
        DataInvalid: the file holds something else.
    """
    found = run.measures.get("robustness")
    if found is None:
        return []
    try:
        kinds = [name.partition(":")[0] for name in found["data"]]
        rows = [
            _kept_of(kind if kinds.count(kind) == 1 else f"{kind}-{Path(name).name}", row)
            for (name, data), kind in zip(found["data"].items(), kinds, strict=True)
            for row in data["robustness"]["rows"]
            if row["kept"] is not None
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataInvalid(
            f"{run.folder / 'robustness.json'} is not what evaluate --corruptions --json prints: {error!r}"
        ) from error
    return rows


def _kept_of(data_set: str, row: Mapping[str, Any]) -> Kept:
    severity = row["severity"]
    shares = {name: None if value is None else float(value) for name, value in row["kept_by_category"].items()}
    number = None if severity is None else int(severity)
    return Kept(data_set, str(row["name"]), number, float(row["mean_iou"]), float(row["kept"]), shares)


def mean_kept(rows: Sequence[Kept], data_set: str, severity: int = SHOWN_SEVERITY) -> float | None:
    """The mean share over the corruptions of a severity on one data set; None without any."""
    values = [row.kept for row in rows if row.data_set == data_set and row.severity == severity]
    return sum(values) / len(values) if values else None


def robustness(run: Run) -> Html:
    """The heat maps, or how to come by them."""
    title = "Robustness"
    rows = robustness_rows(run)
    if not rows:
        how = join("nothing is known here of rain, blur, noise or glare. Measure it with", _code(ROBUSTNESS_COMMAND))
        return section("robustness", title, _missing(run, "robustness", how))
    definition = paragraph(
        "Share kept: IoU on the changed frames over IoU on the clean ones, on the same pixels. The corruptions are "
        "those of Hendrycks and Dietterich (ICLR 2019), severity 1 to 5; the other changes are of size, aspect ratio "
        f"and JPEG quality. Read from {_source(run, 'robustness')}.",
        "soft",
    )
    figures = []
    for name in dict.fromkeys(row.data_set for row in rows):
        some = [row for row in rows if row.data_set == name]
        frames = _frames(run, name)
        figures += [_by_severity(name, some, frames), _by_category(name, some, frames)]
    return section("robustness", title, definition, *figures)


def _frames(run: Run, data_set: str) -> str:
    """`n = 64 frames`, as far as the file tells."""
    counts = [d.get("frames") for name, d in run.measures["robustness"]["data"].items() if name.startswith(data_set)]
    return f"n = {many(counts[0], 'frame')}" if counts and isinstance(counts[0], int) else "n is not told"


def _by_severity(data_set: str, rows: Sequence[Kept], frames: str) -> Html:
    severities = sorted({row.severity for row in rows if row.severity is not None})
    kept = {(row.name, row.severity): row.kept for row in rows}
    names = list(dict.fromkeys(row.name for row in rows if row.severity is not None))
    body: list[list[Cell]] = [
        [name, *(_shade(kept.get((name, severity))) for severity in severities)] for name in names
    ]
    body.append(["mean", *(_shade(mean_kept(rows, data_set, severity)) for severity in severities)])
    others = [row for row in rows if row.severity is None]
    columns = [f"severity {severity}" for severity in severities]
    changed: list[list[Cell]] = [[row.name, _shade(row.kept), share(row.mean_iou)] for row in others]
    worst = min(rows, key=lambda row: row.kept)
    return figure(
        side(
            table(("corruption", *columns), body) if names else "",
            table(("other change", "share kept", "mean IoU"), changed) if others else "",
        ),
        f"{data_set}: share of the clean mean IoU that is kept",
        f"Of the mean IoU of the categories; {frames} under each change.",
        f"Worst: {worst.said} keeps {percent(worst.kept, 0)}.",
    )


def _by_category(data_set: str, rows: Sequence[Kept], frames: str) -> Html:
    severities = {row.severity for row in rows if row.severity is not None}
    shown = SHOWN_SEVERITY if SHOWN_SEVERITY in severities else max(severities, default=None)
    some = [row for row in rows if row.severity in (shown, None)]
    body: list[list[Cell]] = [[row.name, *(_shade(row.by_category.get(name)) for name in NAMES)] for row in some]
    known = [(v, row, name) for row in some for name in NAMES if (v := row.by_category.get(name)) is not None]
    least = min(known, key=lambda item: item[0], default=None)
    return figure(
        table(("change", *(swatch(name) for name in NAMES)), body),
        f"{data_set}: share of each category's clean IoU that is kept",
        f"Corruptions at severity {shown}; {frames}." if shown else f"Changes of size, aspect and quality; {frames}.",
        f"Least is left of {least[2]} under {least[1].said}: {percent(least[0], 0)}." if least else "",
    )


def _shade(value: float | None) -> Shade | str:
    return share(None) if value is None else Shade(percent(value, 0), value)


def _source(run: Run, name: str) -> str:
    model = run.measures[name].get("model")
    return f"{name}.json in {run.name}" + (f", made with {model}" if model else "")


def _code(text: str) -> Html:
    return Html(f"<code>{text.replace('>', '&gt;')}</code>")


CALIBRATION = (
    "python -m convert RUN/model.keras -o NAME-fp32.onnx --data KIND:DIR --calibration-report RUN/calibration.json"
)


def calibration_errors(run: Run) -> tuple[float, float] | None:
    """The expected calibration error before and after temperature scaling, 0..1; None where it was not measured.

    Raises:
        DataInvalid: the file holds something else.
    """
    found = run.measures.get("calibration")
    if found is None:
        return None
    try:
        return float(found["before"]["ece"]), float(found["after"]["ece"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataInvalid(f"{run.folder / 'calibration.json'} has no error before and after: {error!r}") from error


def calibration(run: Run) -> Html:
    """The reliability diagram before and after, or that there is none."""
    title = "Calibration"
    errors = calibration_errors(run)
    if errors is None:
        how = join("whether the model's confidence can be believed is not known. Measure it with", _code(CALIBRATION))
        return section("calibration", title, _missing(run, "calibration", how))
    found = run.measures["calibration"]
    lines = {f"{name} (ECE {error:.3f})": _bins(run, found[name]) for name, error in zip(STAGES, errors, strict=True)}
    temperature = found.get("temperature")
    scale = f" at temperature {float(temperature):.3g}" if isinstance(temperature, int | float) else ""
    count = found.get("frames")
    drawn = chart(
        lines, x_name="confidence", y_name="share that is right", x_span=(0, 1), y_span=(0, 1), is_diagonal_shown=True
    )
    shown = figure(
        drawn,
        "Reliability",
        "Pixels are put into bins by the confidence that the model gives them; drawn is the share of each bin that is "
        "right. On the dashed diagonal confidence is what it says; below it, the model is too sure. The expected "
        "calibration error (ECE) is the mean distance from it, each bin weighted by its pixels (Guo et al., ICML "
        f"2017). n = {count if isinstance(count, int) else 'unknown number of'} frames; {_source(run, 'calibration')}.",
        f"ECE {errors[0]:.3f} before, {errors[1]:.3f} after temperature scaling{scale}.",
    )
    return section("calibration", title, side(shown))


STAGES = ("before", "after")


def _bins(run: Run, stage: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    try:
        bins = [(float(b["confidence"]), float(b["accuracy"])) for b in stage["bins"] if b["pixels"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataInvalid(f"{run.folder / 'calibration.json'} has malformed bins: {error!r}") from error
    return sorted(bins)
