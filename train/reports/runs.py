"""Run folders, as the report reads them: settings, history, size, and the figures that other commands left there."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import DataInvalid

MEASURES = ("robustness", "calibration")
"""`RUN/<name>.json`, each written by a command of its own, and shown where it is there."""


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path
    name: str
    """The folder's, or with its parent's where two are alike."""
    settings: dict[str, Any]
    frames: int | None
    """Training frames an epoch."""
    epochs: list[dict[str, Any]]
    """The rows of `metrics.json`: at least `epoch` and `loss`."""
    parameters: int | None
    """Numbers in `model.keras`, batch norm's moving statistics among them; None where it is not there."""
    measures: dict[str, Any] = field(default_factory=dict)
    """By a name of MEASURES, what its file holds."""

    def data_sets(self) -> list[str]:
        """What was validated on, by name."""
        return list(dict.fromkeys(name for epoch in self.epochs for name in epoch.get("validation", {})))

    def curve(self, data_set: str, category: str | None = None) -> list[tuple[float, float]]:
        """(epoch, IoU 0..1) of every epoch that has it: the mean's, or one category's."""
        points = []
        for epoch in self.epochs:
            found = epoch.get("validation", {}).get(data_set, {})
            value = found.get("iou", {}).get(category) if category else found.get("mean_iou")
            if value is not None:
                points.append((float(epoch["epoch"]), float(value)))
        return points

    def best(self, data_set: str) -> tuple[float, float] | None:
        """(epoch, mean IoU) of the best epoch on a data set; None without one."""
        return max(self.curve(data_set), key=lambda point: point[1], default=None)

    def seconds(self, key: str) -> float:
        """The sum of `seconds` or `cpu_seconds` of all epochs."""
        return sum(float(epoch.get(key, 0)) for epoch in self.epochs)

    def over_time(self, key: str) -> float | None:
        """The mean of `frames_per_s` or `stall` over the time of the epochs that know it; None where none does."""
        known = [row for row in self.epochs if row.get(key) is not None and row.get("seconds")]
        total = sum(float(row["seconds"]) for row in known)
        return sum(float(row[key]) * float(row["seconds"]) for row in known) / total if known else None


def read(folders: Sequence[Path]) -> list[Run]:
    """The runs, in the order in which they are named, each once.

    Raises:
        DataInvalid: a folder that is no run, or holds a broken file.
    """
    once = list(dict.fromkeys(folder.resolve() for folder in folders))
    names = [folder.name for folder in once]
    return [
        _read(folder, folder.name if names.count(folder.name) == 1 else f"{folder.parent.name}/{folder.name}")
        for folder in once
    ]


def _read(folder: Path, name: str) -> Run:
    if not (folder / "run.json").is_file():
        raise DataInvalid(f"{folder} is no run folder: it has no run.json")
    about = _json(folder / "run.json", dict)
    epochs = _json(folder / "metrics.json", list) if (folder / "metrics.json").is_file() else []
    if not all(isinstance(row, dict) and {"epoch", "loss"} <= row.keys() for row in epochs):
        raise DataInvalid(f"{folder / 'metrics.json'} is no history of a run: each row has an epoch and a loss")
    settings = about.get("settings", {})
    if not isinstance(settings, dict):
        raise DataInvalid(f"{folder / 'run.json'} is no record of a run: its settings are no object")
    files = {measure: folder / f"{measure}.json" for measure in MEASURES}
    measures = {measure: _json(path, dict) for measure, path in files.items() if path.is_file()}
    return Run(folder, name, settings, about.get("frames"), epochs, parameters(folder / "model.keras"), measures)


def _json(path: Path, kind: type) -> Any:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataInvalid(f"{path} can't be read: {error}") from error
    if not isinstance(found, kind):
        raise DataInvalid(f"{path} is not what a run leaves there: a JSON {kind.__name__} is expected")
    return found


def parameters(path: Path) -> int | None:
    """How many numbers the weights of a `.keras` file hold; None where there is no file.

    The file is a ZIP archive with the weights as HDF5 in it: Keras, and the seconds that it takes to load, are not
    needed to count them.

    Raises:
        DataInvalid: the file is broken.
    """
    if not path.is_file():
        return None
    h5py = importlib.import_module("h5py")  # it comes with Keras, and only the extra `train` has that

    sizes: list[int] = []

    def note(_name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(int(item.size))

    try:
        with (
            zipfile.ZipFile(path) as archive,
            h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights,
        ):
            weights.visititems(note)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataInvalid(f"{path} is no Keras file: {error}") from error
    return sum(sizes)


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings, by dotted name, that are not the same in all runs; a value a run, None where it has none."""
    flat = [_flatten(run.settings) for run in runs]
    keys = dict.fromkeys(key for row in flat for key in row)
    rows = {key: [row.get(key) for row in flat] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def _flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
