"""`python -m runtime bench`: speed and agreement of a model on the hardware at hand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from runtime import bench, bench_inputs, bench_table, model_files, providers
from runtime.bench import Configuration, Row
from runtime.commands import Parser
from runtime.errors import DataInvalid, ProviderUnavailable
from runtime.frames import Frame

DOES = "speed of a model on each provider, precision and thread count, and how its masks agree with float32 on the CPU"
EXAMPLE = "accurate --providers cpu openvino,cpu --threads 1 2"

MOST_ROUNDS = 10_000


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("model", help="a name (every precision of it), a stem or a file")
    command.add_argument(
        "--providers",
        nargs="+",
        metavar="LIST",
        help="comma separated each (default: all that is at hand)",
    )
    command.add_argument(
        "--threads", nargs="+", type=int, metavar="N", help="default: 1, and the cores that may be used"
    )
    most = bench_inputs.MOST_FRAMES
    command.add_argument(
        "--frames", type=Path, metavar="DIR", help=f"at most {most} images of DIR (default: generated scenes)"
    )
    command.add_argument("--rounds", type=int, default=25, metavar="N", help="timed runs of each frame (default 25)")
    command.add_argument("--json", action="store_true", help="figures as JSON on standard output")


def run(arguments: argparse.Namespace) -> None:
    """A row for each configuration; one that can't be measured is a row with its reason."""
    if not 1 <= arguments.rounds <= MOST_ROUNDS:
        raise DataInvalid(f"--rounds must be 1 to {MOST_ROUNDS}")
    # Before anything is started: without a runtime there is nothing to compare.
    providers.import_onnxruntime()
    paths = bench_inputs.files(arguments.model, model_files.SHIPPED)
    asked = bench_inputs.configurations(paths, arguments.providers, arguments.threads)
    threads = max(bench_inputs.threads_at_hand())
    reference = Configuration(bench_inputs.REFERENCE_PROVIDERS, bench_inputs.reference_of(paths[0]), threads)
    shots = bench_inputs.folder_frames(arguments.frames) if arguments.frames else bench_inputs.generated()
    rows = measure(asked, shots, reference, arguments.rounds)
    if arguments.json:
        print(json.dumps(answer(arguments.model, rows, reference, len(shots), arguments.rounds)))
    else:
        show(arguments, rows, reference, len(shots))
    if all(row.error for row in rows):
        raise ProviderUnavailable("none of the configurations could be measured; each row says why")


def measure(asked: Sequence[Configuration], shots: Sequence[Frame], reference: Configuration, rounds: int) -> list[Row]:
    """As `bench.measure`, with a progress bar on standard error."""
    columns = (TextColumn("bench"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    said = TextColumn("{task.description}")
    console = Console(stderr=True)
    # Where nobody looks, a bar would leave an empty line.
    with Progress(*columns, said, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=bench.steps(len(asked), rounds))
        return bench.measure(
            asked, shots, reference, rounds, lambda done: progress.update(task, advance=1, description=done)
        )


def answer(model: str, rows: Sequence[Row], reference: Configuration, frames: int, rounds: int) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "model": model,
        "reference": f"{reference.path.stem} on {reference.providers}",
        "inputs": inputs_of(rows),
        "frames": frames,
        "rounds": rounds,
        "rows": [row.as_dict() for row in rows],
    }


def inputs_of(rows: Sequence[Row]) -> list[str]:
    """The network's input sizes, WIDTHxHEIGHT."""
    return sorted({size for row in rows for size in row.inputs})


def show(arguments: argparse.Namespace, rows: Sequence[Row], reference: Configuration, frames: int) -> None:
    """The tables, how they were made, and what could not be measured."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=bench_table.WIDTH)
    console.print(bench_table.speed(rows))
    console.print(bench_table.agreement(rows))
    sizes = ", ".join(size.replace("x", " x ") for size in inputs_of(rows)) or "unknown"
    kind = f"images of {arguments.frames}" if arguments.frames else "generated scenes"
    notes = [
        f"Timed is one inference of a fitted frame (network input {sizes}), without decoding, fitting and encoding:"
        f" {frames} {kind} x {arguments.rounds} rounds. The configurations take turns, each in a process of its own.",
        "MiB is that process's resident memory; a device's memory is not in it.",
        f"The reference is {reference.path.stem} on {reference.providers}{_why(reference)}.",
    ]
    for note in notes:
        console.print(note, markup=False, highlight=False)
    for line in bench_table.errors(rows):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _why(reference: Configuration) -> str:
    if reference.precision == "fp32":
        return ""
    return ": there is no float32 file of its name"
