"""The sections on how runs went: learning curves and the comparison of all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime import categories
from train.reports.lines import chart
from train.reports.markup import Html, figure, many, paragraph, percent, section, share, side, table
from train.reports.runs import Run, differing


def curves(runs: Sequence[Run]) -> Html:
    """Loss and mean IoU of every run, the categories' IoU of the first."""
    trained = [run for run in runs if run.epochs]
    if not trained:
        return section(
            "curves", "Learning curves", paragraph("No run has an epoch in its metrics.json yet.", "missing")
        )
    figures = [_loss(trained)]
    sets = list(dict.fromkeys(name for run in trained for name in run.data_sets()))
    figures += [_mean(trained, name) for name in sets]
    figures += [_by_category(trained[0], name) for name in trained[0].data_sets()]
    return section("curves", "Learning curves", side(*figures))


def _loss(runs: Sequence[Run]) -> Html:
    lines = {run.name: [(float(row["epoch"]), float(row["loss"])) for row in run.epochs] for run in runs}
    functions = {run.settings.get("loss") for run in runs}
    first, last = lines[runs[0].name][0][1], lines[runs[0].name][-1][1]
    return figure(
        chart(lines, x_name="epoch", y_name="loss"),
        "Training loss",
        "Mean over the steps of an epoch, on augmented crops. "
        + ("Runs with different losses can't be compared by it." if len(functions) > 1 else "All runs have one loss."),
        f"{runs[0].name}: from {first:.3f} to {last:.3f} in {many(len(runs[0].epochs), 'epoch')}.",
    )


def _mean(runs: Sequence[Run], data_set: str) -> Html:
    lines = {run.name: run.curve(data_set) for run in runs}
    best = {run.name: found for run in runs if (found := run.best(data_set))}
    winner = max(best, key=lambda name: best[name][1]) if best else ""
    frames = {row.get("validation", {}).get(data_set, {}).get("frames") for run in runs for row in run.epochs} - {None}
    told = " or ".join(str(count) for count in sorted(frames))
    return figure(
        chart(lines, x_name="epoch", y_name="mean IoU"),
        f"Mean IoU on {data_set}, by epoch",
        f"Of the moving average of the weights, on {told or 'some'} validation frames after each epoch: the choice of "
        "epochs and settings was made on these, so it flatters.",
        f"Best: {winner}, {best[winner][1]:.3f} in epoch {best[winner][0]:g}." if best else "",
    )


def _by_category(run: Run, data_set: str) -> Html:
    names = [categories.NAMES[i] for i in categories.SCORED]
    lines = {name: run.curve(data_set, name) for name in names}
    gains = {name: points[-1][1] - points[0][1] for name, points in lines.items() if points}
    return figure(
        chart(lines, x_name="epoch", y_name="IoU", y_span=(0.0, 1.0)),
        f"{run.name}: IoU of each category on {data_set}",
        "The same validation frames as for the mean.",
        f"{max(gains, key=lambda name: gains[name]).capitalize()} gained most, {max(gains.values()):+.3f}."
        if gains
        else "",
    )


def comparison(runs: Sequence[Run], gmac: Mapping[str, float | None]) -> Html:
    """All runs side by side.

    Args:
        runs: in the order in which they are shown.
        gmac: by run's name, where it is known.
    """
    head = ("", *(run.name for run in runs))
    sets = list(dict.fromkeys(name for run in runs for name in run.data_sets()))
    rows: list[list[str]] = []
    for name in sets:
        found = [run.best(name) for run in runs]
        rows.append([f"best mean IoU, {name}", *(f"{b[1]:.4f} (epoch {b[0]:g})" if b else share(None) for b in found)])
        last = [run.curve(name) for run in runs]
        rows.append([f"last mean IoU, {name}", *(f"{c[-1][1]:.4f}" if c else share(None) for c in last)])
    rows += [
        ["epochs done", *(f"{len(run.epochs)} of {run.settings.get('epochs', '?')}" for run in runs)],
        ["hours of training", *(f"{run.seconds('seconds') / 3600:.2f}" for run in runs)],
        ["hours of processor time", *(f"{run.seconds('cpu_seconds') / 3600:.2f}" for run in runs)],
        ["training frames a second", *(share(run.over_time("frames_per_s"), 1) for run in runs)],
        ["time spent waiting for frames", *(percent(run.over_time("stall")) for run in runs)],
        ["training frames an epoch", *(f"{run.frames:,}" if run.frames else share(None) for run in runs)],
        ["parameters", *(f"{run.parameters:,}" if run.parameters else share(None) for run in runs)],
        ["GMAC", *(share(gmac.get(run.name), 2) for run in runs)],
    ]
    measured = figure(
        table(head, rows),
        f"{many(len(runs), 'run')} side by side",
        "Mean IoU as in the learning curves; hours without validation; parameters with batch norm's moving statistics; "
        "GMAC: 10^9 multiply-accumulates of the convolutions for a full pixel budget, known where a converted model "
        "(.onnx) lies in the run folder.",
        _winner(runs, sets),
    )
    return section("runs", "Runs compared", measured, _settings(runs, head))


def _winner(runs: Sequence[Run], sets: Sequence[str]) -> str:
    if len(runs) < 2:
        return ""
    told = []
    for name in sets:
        best = {run.name: found[1] for run in runs if (found := run.best(name))}
        if best:
            winner = max(best, key=lambda run: best[run])
            told.append(f"on {name} {winner} ({best[winner]:.3f})")
    unfinished = [run.name for run in runs if len(run.epochs) < int(run.settings.get("epochs") or 0)]
    rest = f" Not at its end yet: {', '.join(unfinished)}." if unfinished else ""
    return f"Ahead: {', '.join(told)}.{rest}" if told else rest.strip()


def _settings(runs: Sequence[Run], head: Sequence[str]) -> Html:
    if len(runs) < 2:
        return paragraph("Name several run folders, and the settings in which they differ are listed here.", "missing")
    rows = [[name, *map(_value, values)] for name, values in differing(runs).items()]
    if not rows:
        return paragraph("The runs have the same settings.")
    return figure(
        table(head, rows, kind="text"),
        "Settings that differ",
        "Of run.json; every other setting is the same in all runs.",
        f"{many(len(rows), 'setting')} differ{'s' if len(rows) == 1 else ''}: a gain can be put down to one of them "
        "only where no other changed.",
    )


def _value(value: Any) -> str:
    """A setting; of folders and files only the last two names, which say what they are to a reader elsewhere."""
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, str) and "/" in value:
        kind, colon, path = value.rpartition(":")
        return f"{kind}{colon}{'/'.join(Path(path).parts[-2:]).lstrip('/')}"
    return share(None) if value is None else str(value)
