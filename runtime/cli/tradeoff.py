"""`python -m runtime tradeoff`: mean IoU against milliseconds, of several models in one run."""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from rich.console import Console
from rich.progress import track

from runtime import (
    bench_inputs,
    bench_table,
    cores,
    evaluate,
    model_files,
    providers,
    scenes,
    tradeoff,
    tradeoff_picture,
)
from runtime.cli import labelled
from runtime.cli.evaluate import check_picture, counted
from runtime.commands import Parser
from runtime.errors import DataInvalid
from runtime.files import write
from runtime.frames import Frame
from runtime.segmenter import Segmenter
from runtime.tradeoff import Point

DOES = "mean category IoU against milliseconds, of several models in one run"
EXAMPLE = "accurate unet-fp32.onnx --data cityscapes:/data/cityscapes --picture tradeoff.png"

MOST_ROUNDS = 1000
SCENES = 2
"""Generated frames of 2048 x 1024, where no folder is given; one takes two seconds to draw."""


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("models", nargs="+", metavar="MODEL", help="a name (every precision of it), a stem or a file")
    labelled.add_arguments(command)
    command.add_argument(
        "--frames", type=Path, metavar="DIR", help="frames that are timed (default: generated ones of 2048 x 1024)"
    )
    command.add_argument("--rounds", type=int, default=15, metavar="N", help="timed runs of each (default 15)")
    command.add_argument("--providers", default="cpu", metavar="LIST", help="for all of them (default %(default)s)")
    command.add_argument("--threads", type=int, metavar="N", help="default: the cores that may be used")
    command.add_argument("--picture", type=Path, metavar="FILE.png", help="draw it")
    command.add_argument("--json", action="store_true", help="figures as JSON on standard output")


def run(arguments: argparse.Namespace) -> None:
    """Time all models in turn, then score each."""
    check(arguments)
    chosen = labelled.pairs_of(arguments)
    segmenters = load(arguments)
    shots = bench_inputs.folder_frames(arguments.frames) if arguments.frames else generated()
    points = {stem: Point.of(segmenter) for stem, segmenter in segmenters.items()}
    if arguments.picture and len({point.name for point in points.values()}) > tradeoff_picture.MOST_NAMES:
        raise DataInvalid(f"--picture tells at most {tradeoff_picture.MOST_NAMES} networks apart")
    rounds = range(tradeoff.WARM_UP + arguments.rounds)
    shown = track(rounds, "time in turn", console=Console(stderr=True), transient=True)
    times, decoding = tradeoff.time_in_turn(segmenters, shots, shown)
    for stem, point in points.items():
        point.times_ms = times[stem]
        for name, some in chosen.items():
            found = evaluate.evaluate(segmenters[stem].segment, some, title=f"{stem} on {name}")
            point.mean_iou[f"{name}, {arguments.split}: {counted(len(some))}"] = found.mean_iou()
    tell(arguments, list(points.values()), shots, decoding)


def check(arguments: argparse.Namespace) -> None:
    """Before the work.

    Raises:
        RoadmaskError: an argument that can't be.
    """
    labelled.check(arguments)
    if not 1 <= arguments.rounds <= MOST_ROUNDS:
        raise DataInvalid(f"--rounds must be 1 to {MOST_ROUNDS}")
    if arguments.picture is not None:
        check_picture(arguments.picture)
    providers.parse(arguments.providers)


def load(arguments: argparse.Namespace) -> dict[str, Segmenter]:
    """By stem.

    Raises:
        RoadmaskError: a model that is not there, can't be run, or has another's name.
    """
    specs = providers.parse(arguments.providers)
    paths = [path for model in arguments.models for path in bench_inputs.files(model, model_files.SHIPPED)]
    found: dict[str, Path] = {}
    for path in dict.fromkeys(path.resolve() for path in paths):
        if path.stem in found:
            raise DataInvalid(f"{path} and {found[path.stem]} have one name: the picture could not tell them apart")
        found[path.stem] = path
    return {stem: Segmenter.load(path, specs, arguments.threads) for stem, path in found.items()}


def generated() -> list[Frame]:
    """Street scenes of 2048 x 1024, as the cameras of Cityscapes send them."""
    return [scenes.generate(seed, 2048, 1024).frame for seed in range(SCENES)]


def tell(arguments: argparse.Namespace, points: list[Point], shots: list[Frame], decoding: list[float]) -> None:
    """As JSON, or as a table; and as a picture."""
    pillow_ms = statistics.median(decoding)
    threads = arguments.threads or cores.available()
    height, width = shots[0].shape[:2]
    kind = "frames" if arguments.frames else "generated frames"
    rounds = f"{arguments.rounds} round{'' if arguments.rounds == 1 else 's'}"
    how = (
        f"{arguments.providers}, {threads} thread{'' if threads == 1 else 's'}; {rounds} in turn, "
        f"{len(shots)} {kind} of {width} x {height}, fitted"
    )
    if arguments.picture is not None:
        write(arguments.picture, tradeoff_picture.draw(points, pillow_ms, f"Accuracy against time: {how}"))
    if arguments.json:
        told = {
            "providers": arguments.providers,
            "threads": threads,
            "rounds": arguments.rounds,
            "frames": len(shots),
            "frame": f"{width}x{height}",
            "pillow_png_ms": round(pillow_ms, 3),
            "models": [point.as_dict() for point in points],
        }
        print(json.dumps(told))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=bench_table.WIDTH)
    console.print(tradeoff_picture.table(points, pillow_ms))
    console.print(how, highlight=False, markup=False)
