"""What a benchmark measures where nobody says: files, provider lists, threads, frames; and the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime import codecs, cores, model_files, plugins, providers, scenes
from runtime.bench import Configuration
from runtime.contract import PRECISIONS
from runtime.errors import DataInvalid, ProviderUnavailable
from runtime.frames import Frame

SCENES = 4
"""Generated frames: enough that every category is there; one takes a second to draw."""
MOST_FRAMES = 16
"""Of a folder: each process holds all of them in memory, and more of them tell no other median."""
REFERENCE_PROVIDERS = "cpu"

_THEN = {"cpu": "", "tensorrt": ",cuda,cpu"}
"""Provider to what follows it in its list, where that isn't cpu alone: what TensorRT can't run, CUDA may."""


def files(model: str, folder: Path) -> list[Path]:
    """Every precision of a name, in the order of PRECISIONS; of a stem or a path that one file.

    Raises:
        ModelNotFound: there is none.
    """
    there = [folder / f"{model}-{precision}.onnx" for precision in PRECISIONS]
    found = [path for path in there if path.is_file()]
    return found or [model_files.find(model, folder)]


def reference_of(path: Path) -> Path:
    """The float32 file of the same name beside a file; the file itself where there is none."""
    name, _, precision = path.stem.rpartition("-")
    if precision not in PRECISIONS:
        return path
    beside = path.with_name(f"{name}-fp32.onnx")
    return beside if beside.is_file() else path


def lists_at_hand() -> list[str]:
    """A provider list for each provider that has hardware here, cpu first."""
    lists = []
    there = [row for row in plugins.installed() if row.devices]
    for row in sorted(there, key=lambda row: row.name != "cpu"):
        names = [row.name]
        if row.name == "openvino" and len(row.devices) > 1:
            # Each of its devices is hardware of its own; their labels begin with the name that OpenVINO gives them.
            names = [f"openvino:device_type={label.partition(' ')[0]}" for label in row.devices]
        lists += [name + _THEN.get(row.name, ",cpu") for name in names]
    return list(dict.fromkeys(lists))


def threads_at_hand() -> list[int]:
    """One thread, and as many as there are cores that may be used."""
    return sorted({1, cores.available()})


def configurations(
    paths: Sequence[Path], lists: Sequence[str] | None = None, threads: Sequence[int] | None = None
) -> list[Configuration]:
    """Every combination, each once.

    Args:
        paths: model files.
        lists: provider lists; None takes those at hand.
        threads: None takes one and all cores.

    Raises:
        ProviderUnavailable: a list or a number of threads that can't be, wherever it runs.
    """
    wanted = list(dict.fromkeys(lists if lists is not None else lists_at_hand()))
    numbers = list(dict.fromkeys(threads if threads is not None else threads_at_hand()))
    for text in wanted:
        providers.parse(text)
    for number in numbers:
        if not 1 <= number <= providers.MAX_THREADS:
            raise ProviderUnavailable(f"{number} threads can't be: give 1 to {providers.MAX_THREADS}")
    return [Configuration(text, path, number) for text in wanted for path in paths for number in numbers]


def generated(count: int = SCENES) -> list[Frame]:
    """Street scenes of 1024 x 512, half of what cameras send: they are fitted to the same network input."""
    return [scenes.generate(seed, 1024, 512).frame for seed in range(count)]


def folder_frames(folder: Path) -> list[Frame]:
    """At most MOST_FRAMES images of a folder, evenly spread over their names.

    Raises:
        DataInvalid: there is no such folder, or no image in it.
        FrameError: an image is broken or too large.
    """
    if not folder.is_dir():
        raise DataInvalid(f"there is no folder {folder}")
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in codecs.SUFFIXES)
    if not images:
        raise DataInvalid(f"{folder} holds no image ({', '.join(codecs.SUFFIXES)})")
    spread = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_FRAMES)).round().astype(int))
    return [codecs.read_frame(images[int(i)]) for i in spread]
