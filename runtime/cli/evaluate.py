"""`python -m runtime evaluate`: mean category IoU on labelled folders."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from runtime import confusion_picture, datasets, evaluate
from runtime.cli import hardware
from runtime.commands import Parser
from runtime.datasets import Pair
from runtime.errors import DataInvalid
from runtime.files import write
from runtime.metrics import Confusion
from runtime.segmenter import Segmenter

DOES = "mean category IoU on labelled folders, on the hardware that runs it"
EXAMPLE = "accurate --data cityscapes:/data/cityscapes --data camvid:/data/camvid --picture confusion.png"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("model", help="a name, a stem or a file")
    command.add_argument(
        "--data", action="append", required=True, metavar="KIND:DIR", help="cityscapes:DIR or camvid:DIR"
    )
    command.add_argument("--split", default="val", help="default %(default)s")
    command.add_argument("--limit", type=int, metavar="N", help="at most N frames of each, evenly spread")
    command.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the confusion matrices")
    command.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    hardware.add_arguments(command)


def run(arguments: argparse.Namespace) -> None:
    """Figures of a model on one or more labelled folders."""
    if arguments.limit is not None and arguments.limit < 1:
        raise DataInvalid("--limit must be at least 1")
    if arguments.picture is not None:
        check_picture(arguments.picture)
    sources = datasets.named(arguments.data)
    chosen: dict[str, list[Pair]] = {}
    for name, source in sources.items():
        pairs = source.pairs(arguments.split)
        chosen[name] = datasets.spread(pairs, arguments.limit or len(pairs))
    segmenter = hardware.load(arguments)
    found = {
        name: evaluate.evaluate(segmenter.segment, pairs, title=str(sources[name])) for name, pairs in chosen.items()
    }
    if arguments.picture is not None:
        title = f"{segmenter.name} on {on_hardware(segmenter)}"
        panels = {
            f"{name}, {arguments.split}: {counted(len(chosen[name]))}": confusion for name, confusion in found.items()
        }
        write(arguments.picture, confusion_picture.draw(panels, title))
    rows = {str(sources[name]): evaluate.summary(confusion, len(chosen[name])) for name, confusion in found.items()}
    if arguments.json:
        matrices = {str(sources[name]): confusion for name, confusion in found.items()}
        print(json.dumps(answer(segmenter, arguments, rows, matrices)))
    else:
        console = Console()
        console.print(f"{segmenter.name} on {on_hardware(segmenter)}, split '{arguments.split}'", highlight=False)
        console.print(evaluate.table(rows))


def check_picture(path: Path) -> None:
    """Before the work that it is to show.

    Raises:
        DataInvalid: it is not named as a PNG, its folder is missing, or nothing here can draw it.
    """
    if path.suffix.lower() != ".png":
        raise DataInvalid(f"--picture is a PNG: name it .png, not '{path.name}'")
    if not path.parent.is_dir():
        raise DataInvalid(f"there is no folder {path.parent} for the picture")
    confusion_picture.require_matplotlib()


def counted(frames: int) -> str:
    """A number of frames, in words."""
    return f"{frames} frame{'' if frames == 1 else 's'}"


def on_hardware(segmenter: Segmenter) -> str:
    """Such as `openvino (openvino 380 nodes), 2 threads`."""
    nodes = ", ".join(f"{name} {sum(types.values())} nodes" for name, types in segmenter.nodes.items())
    return f"{segmenter.provider} ({nodes}), {segmenter.threads} thread{'' if segmenter.threads == 1 else 's'}"


def answer(
    segmenter: Segmenter,
    arguments: argparse.Namespace,
    rows: Mapping[str, Mapping[str, object]],
    matrices: Mapping[str, Confusion],
) -> dict[str, object]:
    """What `--json` prints; `confusion` is pixels, 8 x 8, rows truth, columns prediction, by category id."""
    return {
        "model": segmenter.name,
        "precision": segmenter.contract.precision,
        "providers": arguments.providers,
        "provider": segmenter.provider,
        "nodes": {name: sum(types.values()) for name, types in segmenter.nodes.items()},
        "threads": segmenter.threads,
        "split": arguments.split,
        "data": {name: {**row, "confusion": matrices[name].matrix.tolist()} for name, row in rows.items()},
    }
