"""`python -m runtime evaluate`: mean category IoU on labelled folders."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from runtime import datasets, evaluate
from runtime.cli import hardware
from runtime.commands import Parser
from runtime.datasets import Pair, Source
from runtime.errors import DataInvalid

DOES = "mean category IoU on labelled folders"
EXAMPLE = "accurate --data cityscapes:/data/cityscapes --data camvid:/data/camvid"


def add_arguments(command: Parser) -> None:
    """The command's own."""
    command.add_argument("model", help="a name, a stem or a file")
    command.add_argument(
        "--data", action="append", required=True, metavar="KIND:DIR", help="cityscapes:DIR or camvid:DIR"
    )
    command.add_argument("--split", default="val", help="default %(default)s")
    command.add_argument("--limit", type=int, metavar="N", help="at most N frames of each, evenly spread")
    command.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    hardware.add_arguments(command)


def run(arguments: argparse.Namespace) -> None:
    """Figures of a model on one or more labelled folders."""
    if arguments.limit is not None and arguments.limit < 1:
        raise DataInvalid("--limit must be at least 1")
    sources = [Source.parse(text) for text in arguments.data]
    chosen: dict[str, list[Pair]] = {}
    for source in sources:
        pairs = source.pairs(arguments.split)
        chosen[str(source)] = datasets.spread(pairs, arguments.limit or len(pairs))
    segmenter = hardware.load(arguments)
    rows = {
        name: evaluate.summary(evaluate.evaluate(segmenter.segment, pairs, title=name), len(pairs))
        for name, pairs in chosen.items()
    }
    if arguments.json:
        print(
            json.dumps(
                {"model": segmenter.name, "provider": segmenter.provider, "split": arguments.split, "data": rows}
            )
        )
    else:
        console = Console()
        console.print(f"{segmenter.name} on {segmenter.provider}, split '{arguments.split}'")
        console.print(evaluate.table(rows))
